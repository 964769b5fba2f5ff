/** What is written in a viewport's corners: what is seen, which plane, window and zoom, what is under the cursor. */

import { comparisonWords, otherName } from "../comparison-words";
import { number, percent, sizes, withSign } from "../format";
import { orientationWords } from "../orientation";
import { placeInPatient, planeName } from "../patient";
import type { Placement } from "../placement";
import type { Axis, Cut } from "../plane";
import { cellSize, type Probe } from "../probe";
import { borrowedFrom } from "../profile";
import type { Reading } from "../reading";
import { slabShown } from "../slab";
import { texts } from "../texts";
import type { Pane } from "./viewport";

/** What is seen: which plane, the image alone, or with the map of which finding. */
export function titleText(reading: Reading, { axis, content }: Pane): string {
  const { viewport } = texts;
  const planes = reading.view.layout === "planes" && reading.slices > 1;
  const plane = planes ? [planeWord(reading, axis)] : [];
  // Of three planes, the first says what the others show, too.
  if (planes && axis !== 0 && reading.view.alone === null) return plane.join();
  const name = chosenFinding(reading);
  if (content === "image") return viewport.alone;
  if (!reading.view.map || name === null) return [...plane, viewport.alone, viewport.mapOff].join(" · ");
  const shown = reading.held
    ? [viewport.alone, viewport.mapHidden]
    : [mapTitle(reading), name, ...pastTitle(reading)];
  return [...plane, ...shown].join(" · ");
}

/** What is over the image, and on which side of a divider. */
function mapTitle({ shown, view, comparison }: Reading): string {
  const { viewport, compare } = texts;
  const title = shown?.difference ? compare.differenceTo(otherName(comparison)) : viewport.withMap;
  return view.layout === "swipe" ? `${viewport.alone} | ${title}` : title;
}

/** Said with every map that is not by a current model. */
function pastTitle({ pastRow }: Reading): string[] {
  return pastRow ? [texts.compare.pastTitle(`${pastRow.model} ${pastRow.model_version}`)] : [];
}

function planeWord(reading: Reading, axis: Axis): string {
  const toPatient = reading.image?.header.pixel_to_patient;
  const { planes, planesUnnamed } = texts.viewport;
  return toPatient ? planes[planeName(toPatient, axis)] : planesUnnamed[axis];
}

/** Which plane it is, the window, the zoom; of the planes across the slices, only what differs. */
export function cornerText(
  reading: Reading,
  cut: Cut,
  placement: Placement | null,
  withMap: boolean,
): string {
  if (!placement) return "";
  const slab = withMap && slabShown(reading) ? texts.viewport.slab(number(reading.view.slab)) : "";
  const shown = reading.image?.header.colour ? "" : voiText(reading);
  const once = [shown, texts.viewport.zoom(percent(placement.scaleX))];
  const turned = cut.axis === 0 ? orientationWords(reading) : "";
  const words = [
    turned,
    planeText(reading, cut),
    withMap ? borrowedText(reading, cut) : "",
    slab,
    ...(cut.axis === 0 ? once : []),
  ];
  return words.filter(Boolean).join("\n");
}

/** Where the evidence on a slice was computed, if not there; a slab has it from its neighbours anyway. */
function borrowedText(reading: Reading, { axis, at }: Cut): string {
  const geometry = reading.explanation?.record.saliency_map.geometry;
  if (axis !== 0 || !reading.mapShown || geometry?.native_shape.length !== 3 || slabShown(reading)) return "";
  const { cells } = reading.view;
  const from = borrowedFrom(geometry, at, cells).map((slice) => number(slice + 1, 4));
  if (from.length === 0) return "";
  return cells ? texts.viewport.ofCell(from.join()) : texts.viewport.interpolated(from.join(", "));
}

function planeText(reading: Reading, { axis, at }: Cut): string {
  const { viewport, messages } = texts;
  if (reading.slices < 2) return "";
  const text = [viewport.slice, viewport.row, viewport.column][axis]?.(at + 1, reading.size(axis)) ?? "";
  const here = reading.image?.pixels.here ?? 0;
  if (axis !== 0)
    return here < reading.slices ? `${text} · ${viewport.slicesHere(here, reading.slices)}` : text;
  return reading.image?.pixels.ready(at) ? text : `${text} · ${messages.loading}`;
}

/** Name of the chosen finding, or null. */
function chosenFinding(reading: Reading): string | null {
  const { finding } = reading.view;
  return finding === null ? null : (reading.explanation?.record.saliency_map.findings[finding] ?? null);
}

/** Evidence below this share of full colour is hardly seen, so it is said. */
const FAINT = 0.1;

/** What the colours do not say. */
export function mapWords(reading: Reading): string {
  const evidence = reading.shown?.difference ? "" : evidenceWords(reading);
  return [evidence, ...comparisonWords(reading.comparison)].filter(Boolean).join("\n");
}

function evidenceWords(reading: Reading): string {
  const { finding } = reading.view;
  const name = chosenFinding(reading);
  if (!reading.mapShown || finding === null || name === null) return "";
  const largest = (reading.map(finding) ?? new Float32Array()).reduce((a, b) => Math.max(a, b), 0);
  const scale = reading.scale(finding);
  if (largest <= 0) return texts.viewport.noSupport(name);
  return largest < FAINT * scale ? texts.viewport.faint(name, number(largest, 2), number(scale)) : "";
}

function voiText(reading: Reading): string {
  const { voi } = reading;
  if (!voi) return "";
  if ("lut" in voi) return voi.lut.explanation || texts.tools.voiLut(1);
  const { center, width, function: kind } = voi.window;
  const text = texts.viewport.window(number(center, 5), number(width, 5));
  const suffix = { LINEAR: "", LINEAR_EXACT: texts.viewport.exact, SIGMOID: texts.viewport.sigmoid }[kind];
  return suffix ? `${text}  ${suffix}` : text;
}

export function probeText(found: Probe, reading: Reading, cut: Cut, withMap: boolean): string {
  const { viewport, units } = texts;
  const stored = viewport.stored(found.stored.map((value) => number(value, 6)).join(" "));
  const unit = reading.image?.header.unit ?? "";
  const modality =
    found.modality === null ? "" : ` · ${viewport.modality(number(found.modality, 6), unit).trim()}`;
  const lines = [...placeLines(found, reading, cut), stored + modality];
  if (withMap) lines.push(...evidenceLines(found, reading, units.logits));
  return lines.join("\n");
}

/** Where it is on the image, and in the patient. */
function placeLines({ voxel }: Probe, reading: Reading, { axis }: Cut): string[] {
  const { viewport } = texts;
  const [slice, row, column] = voxel;
  const toPatient = reading.image?.header.pixel_to_patient;
  return [
    axis === 0 ? viewport.place(row, column) : viewport.placeInVolume(slice + 1, row, column),
    ...(toPatient ? [viewport.inPatient(placeInPatient(toPatient, voxel))] : []),
  ];
}

function evidenceLines(found: Probe, reading: Reading, logits: string): string[] {
  const { viewport } = texts;
  if (found.outsideField) return [viewport.outsideField];
  const relative = reading.explanation?.record.saliency_map.unit === "relative";
  const size = cellSize(reading);
  const lines: string[] = [];
  if (found.evidence !== null)
    lines.push(viewport.evidence(withSign(found.evidence), relative ? texts.legend.relative : logits));
  if (found.difference !== null) lines.push(texts.compare.differenceHere(withSign(found.difference), logits));
  else if (found.inSlab !== null)
    lines.push(viewport.inSlab(withSign(found.inSlab), relative ? texts.legend.relative : logits));
  if (size)
    lines.push(
      viewport.cell(size.mm ? viewport.cellMm(sizes(size.values)) : viewport.cellPixels(sizes(size.values))),
    );
  return lines;
}
