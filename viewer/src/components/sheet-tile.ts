/** One image with its map on the contact sheet, as a link to the study. */

import { DEFAULT_COLOUR_MAP } from "../colour";
import { coloured, type MapPlane, type SheetMap, spread, thumbnail } from "../contact-sheet";
import { element } from "../element";
import { probability, signed } from "../format";
import { texts } from "../texts";
import { overviewTexts } from "../texts-overviews";
import { trustBadge } from "../trust";
import { DEFAULT_VIEW, toAddress } from "../view";
import { flagMark } from "./flag-mark";
import { probabilityBar } from "./probability";
import { badge } from "./trust-badge";

const words = overviewTexts.sheet;
/** Places along the longer edge at which a map is drawn. */
const SIDE = 96;

export function tile(
  one: SheetMap,
  finding: string,
  arrived: (picture: HTMLImageElement) => void,
): HTMLElement {
  const picture = element("img", { attributes: { src: thumbnail(one), alt: words.noPicture } });
  const loaded = (): void => {
    picture.parentElement?.classList.add("arrived");
    arrived(picture);
  };
  picture.addEventListener("load", loaded, { once: true });
  const below = one.reported === false;
  const figures = element(
    "span",
    { class: "tile-figures numbers" },
    element("span", {}, probability(one.probability)),
    marks(one),
    element("span", { class: "weak", attributes: { title: texts.finding.evidenceFor } }, evidence(one.map)),
  );
  const link = element(
    "a",
    { attributes: { href: address(one), "aria-label": label(one, finding) } },
    framed(one.map, picture, one.map && heat(one.map)),
    probabilityBar(one.probability, one.operating_point),
    figures,
  );
  return element("li", { class: below ? "tile below" : "tile" }, link);
}

/** The study as this tile shows it: with the map on, at this slice. */
function address({ study, image, explanation, map }: SheetMap): string {
  const view = { ...DEFAULT_VIEW, image, explanation, map: true, finding: map?.finding ?? null };
  return toAddress({ page: "study", study, view: { ...view, slice: map?.slice ?? null } });
}

function label(one: SheetMap, finding: string): string {
  const all = [probability(one.probability), evidence(one.map), ...told(one)].filter(Boolean);
  return words.open(finding, all.join(", "));
}

function evidence(map: MapPlane | null): string {
  if (!map) return texts.finding.noMap;
  const { supported, unit, evidence_for } = map.record.saliency_map;
  if (!supported[0]) return texts.finding.noSupport;
  return unit === "logit" ? signed(evidence_for[0] ?? 0) : "";
}

function told({ map, flags, reported }: SheetMap): string[] {
  return [
    reported === false ? texts.finding.belowOperatingPoint : "",
    (map && trustBadge(map.record, 0)?.label) ?? "",
    flags > 0 ? words.flags(flags) : "",
  ].filter(Boolean);
}

/** How far the map can be trusted, and how many flags it has. */
function marks({ map, flags }: SheetMap): HTMLElement {
  const trusted = map && trustBadge(map.record, 0);
  return element("span", { class: "tile-marks" }, ...flagMark(flags), trusted && badge(trusted));
}

/** Image and map in the shape of the image, within a square. */
export function framed(map: MapPlane | null, ...layers: (HTMLElement | null)[]): HTMLElement {
  const [rows, columns] = map?.pixels ?? [1, 1];
  const frame = element("span", { class: "tile-image" }, ...layers);
  frame.style.width = `${Math.min(1, columns / rows) * 100}%`;
  frame.style.height = `${Math.min(1, rows / columns) * 100}%`;
  return element("span", { class: "tile-frame" }, frame);
}

function heat(map: MapPlane): HTMLCanvasElement {
  const [rows, columns] = map.pixels.map((pixels) =>
    Math.max(1, Math.round((SIDE * pixels) / Math.max(...map.pixels))),
  ) as [number, number];
  return drawn(spread(map, rows, columns), rows, columns, map.scale);
}

/** Evidence in colour, transparent where there is none, at the opacity that a study opens with. */
export function drawn(values: Float32Array, rows: number, columns: number, scale: number): HTMLCanvasElement {
  const canvas = element("canvas", {
    class: "tile-heat",
    attributes: { width: columns, height: rows, "aria-hidden": "true" },
  });
  const colours = coloured(values, scale, DEFAULT_VIEW.opacity / 100, DEFAULT_COLOUR_MAP);
  canvas.getContext("2d")?.putImageData(new ImageData(colours, columns, rows), 0, 0);
  return canvas;
}
