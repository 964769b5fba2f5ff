/** Lines at levels of evidence over the map, labelled in its unit. */

import { diverging } from "./colour";
import { contours, type Field } from "./contour";
import { evidenceField } from "./evidence-field";
import { number, percent } from "./format";
import type { Place } from "./marks";
import type { Reading } from "./reading";
import { halfSlab, slabShown } from "./slab";
import { texts } from "./texts";
import { onScreen, type Scene, svg } from "./vector-layer";

/** Shares of full colour, and the side of the line on which its label stands: so that labels keep apart. */
const LEVELS = [
  { share: 0.25, side: [0, -1] },
  { share: 0.5, side: [1, 0] },
  { share: 0.75, side: [0, 1] },
] as const;

/** How far, in steps between samples, a curve on the screen may be off. */
const TOLERANCE = 0.04;
/** Where the legend is, from the upper right corner, in CSS pixels: no place for a label. */
const LEGEND = [170, 270] as const;

interface Contour {
  share: number;
  /** Evidence along the lines; below 0 for evidence against. */
  level: number;
  side: readonly [number, number];
  lines: Place[][];
}

export function switchContours(reading: Reading): void {
  reading.change({ contours: !reading.view.contours });
}

export function evidenceContours(scene: Scene): SVGElement[] {
  const { reading, withMap } = scene;
  if (!withMap || !reading.view.contours || !reading.mapShown) return [];
  const inUnit = unit(reading);
  const lines = contoursOf(scene).flatMap((contour) => drawn(scene, contour, inUnit(contour)));
  return [svg("g", { class: "of-map" }, ...lines)];
}

/** The last lines of each map: they stay as they are under zoom and pan. */
const kept = new WeakMap<Float32Array, { of: string; contours: Contour[] }>();

function contoursOf({ reading, cut }: Scene): Contour[] {
  const { explanation, shown } = reading;
  if (!shown || !explanation) return [];
  const { values: map, scale, colourMap } = shown;
  const { cells } = reading.view;
  const reach = slabShown(reading) ? halfSlab(reading, cut.axis) : 0;
  const of = JSON.stringify([cut, cells, diverging(colourMap), scale, reach]);
  const before = kept.get(map);
  if (before?.of === of) return before.contours;
  const { geometry } = explanation.record.saliency_map;
  const found = [1, ...(diverging(colourMap) ? [-1] : [])].flatMap((sign) => {
    const signed = sign > 0 ? map : map.map((value) => -value);
    const plane = reading.plane(cut.axis);
    const field = evidenceField(signed, geometry, explanation.pixelToNative, cut, plane, cells, reach);
    return LEVELS.map(({ share, side }) => {
      const lines = around(field, share * scale, cells).map((line) => line.map(field.toPlane));
      return { share, side, level: sign * share * scale, lines };
    });
  });
  kept.set(map, { of, contours: found });
  return found;
}

/** Lines around cells run along their borders: midway between samples that reach the level and those that do not. */
function around(field: Field, level: number, cells: boolean): Place[][] {
  if (!cells) return contours(field, level, TOLERANCE);
  return contours({ ...field, values: field.values.map((value) => (value >= level ? 1 : 0)) }, 0.5);
}

/** A map without a unit is labelled in shares of its own maximum. */
function unit(reading: Reading): (contour: Contour) => string {
  const relative = reading.explanation?.record.saliency_map.unit === "relative";
  return ({ share, level }) => (relative ? percent(share) : `${number(level)} ${texts.units.logits}`);
}

function drawn(scene: Scene, { share, level, side, lines }: Contour, label: string): SVGElement[] {
  const points = lines.map((line) => line.map(([row, column]) => onScreen(scene, row, column)));
  if (points.length === 0) return [];
  const d = points.map((line) => `M${line.map((point) => point.map(tenth).join(" ")).join("L")}Z`).join("");
  const kind = `contour level-${100 * share}${level < 0 ? " against" : ""}`;
  return [
    svg("path", { class: "halo", d }),
    svg("path", { class: kind, d }),
    ...labelled(scene, points.flat(), side, label),
  ];
}

const tenth = (value: number): number => Math.round(value * 10) / 10;

/** The label at the outermost point of a side, as far as that is seen. */
function labelled(
  { placement, density }: Scene,
  points: readonly [number, number][],
  [right, down]: readonly [number, number],
  label: string,
): SVGElement[] {
  const [width, height] = [placement.width / density, placement.height / density];
  const seen = points.filter(
    ([x, y]) =>
      x > 40 && y > 40 && x < width - 70 && y < height - 20 && (x < width - LEGEND[0] || y > LEGEND[1]),
  );
  const [first] = seen;
  if (!first) return [];
  const outermost = seen.reduce(
    (best, point) => (point[0] * right + point[1] * down > best[0] * right + best[1] * down ? point : best),
    first,
  );
  const text = svg("text", {
    class: "contour-label",
    x: tenth(outermost[0] + 6 * right),
    y: tenth(outermost[1] + 4 + 11 * down),
    "text-anchor": right ? "start" : "middle",
  });
  text.textContent = label;
  return [text];
}
