/** The three linked planes of a volume: where they meet, and what of them is seen. */

import { transform } from "./geometry";
import type { Camera } from "./placement";
import { ACROSS, type Axis, type Cut, toVoxel } from "./plane";
import type { Reading } from "./reading";
import type { View } from "./view";

const NAMES = ["slice", "row", "column"] as const;

/** What of the planes across an axis is seen; the three share one place in the middle, and one zoom. */
export function cameraOf(view: View, slice: number, axis: Axis): Camera {
  if (!view.centre) return { zoom: view.zoom, centre: null };
  const middle = [view.depth ?? slice, ...view.centre] as const;
  const [rows, columns] = ACROSS[axis] ?? [1, 2];
  return { zoom: view.zoom, centre: [middle[rows] ?? 0, middle[columns] ?? 0] };
}

/** The view after a plane's camera has moved: the other planes move along. */
export function moved(
  { view, slice, row, column }: Reading,
  axis: Axis,
  { zoom, centre }: Camera,
): Partial<View> {
  if (!centre) return { zoom, centre };
  const before: number[] = view.centre ? [view.depth ?? slice, ...view.centre] : [slice, row, column];
  const [rows, columns] = ACROSS[axis] ?? [1, 2];
  [before[rows], before[columns]] = centre;
  const [depth = 0, down = 0, across = 0] = before;
  return { zoom, centre: [down, across], depth };
}

/** Lets the plane perpendicular to an axis be another one. */
export function toPlane(reading: Reading, axis: Axis, at: number): void {
  const to = Math.round(Math.min(reading.size(axis) - 1, Math.max(0, at)));
  if (axis === 0) reading.toSlice(to);
  else reading.change({ [NAMES[axis]]: to });
}

/** Lets the other two planes meet this one at (row, column). */
export function crossAt(reading: Reading, cut: Cut, place: readonly [number, number]): void {
  const voxel = toVoxel(cut, ...place);
  for (const axis of ACROSS[cut.axis] ?? []) toPlane(reading, axis, voxel[axis]);
}

/** Lets the three planes meet in the centre of the cell with most evidence for the chosen finding. */
export function crossAtStrongest(reading: Reading): void {
  const { finding } = reading.view;
  const map = reading.mapShown && finding !== null ? reading.map(finding) : null;
  const geometry = reading.explanation?.record.saliency_map.geometry;
  if (!map || geometry?.native_shape.length !== 3) return;
  const best = map.reduce((found, value, i) => (value > (map[found] ?? 0) ? i : found), 0);
  if ((map[best] ?? 0) <= 0) return;
  const [, rows = 1, columns = 1] = geometry.native_shape;
  const cell = [Math.floor(best / (rows * columns)), Math.floor(best / columns) % rows, best % columns];
  const voxel = transform(geometry.native_to_pixel, cell);
  for (const axis of [0, 1, 2] as const) toPlane(reading, axis, voxel[axis] ?? 0);
}
