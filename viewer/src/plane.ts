/** Planes of an image: the slices as they came, and cuts across a volume in its two other directions. */

import type { Matrix } from "./geometry";
import { canvasToPlane, type Placement, type Plane } from "./placement";
import type { View } from "./view";

/** Which axis of (slice, row, column) a plane is perpendicular to; 0 is the plane that came. */
export type Axis = 0 | 1 | 2;

/** One plane of an image. */
export interface Cut {
  axis: Axis;
  /** Where along the axis: a whole index. */
  at: number;
}

/** The axes along which a plane's rows are counted, and its columns. */
export const ACROSS: readonly (readonly [rows: Axis, columns: Axis])[] = [
  [1, 2],
  [0, 2],
  [0, 1],
];

/** How many planes an image has along an axis. */
export function sizeOf(space: readonly number[] | undefined, axis: Axis): number {
  return [1, ...(space ?? [])].slice(-3)[axis] ?? 1;
}

/** The plane that a view looks at along an axis: the middle one, unless it says another that there is. */
export function cutOf(view: View, space: readonly number[] | undefined, axis: Axis): Cut {
  const size = sizeOf(space, axis);
  const at = [view.slice, view.row, view.column][axis] ?? Math.floor(size / 2);
  return { axis, at: Math.min(size - 1, at) };
}

/** Size and pixel proportion of the planes perpendicular to an axis. */
export function planeOf(space: readonly number[], spacing: readonly number[] | null, axis: Axis = 0): Plane {
  const [rowAxis, columnAxis] = ACROSS[axis] ?? [1, 2];
  const sizes = [1, ...space].slice(-3);
  const mm = [1, ...(spacing ?? [])].slice(-3);
  const [rowMm, columnMm] = [mm[rowAxis] ?? 0, mm[columnAxis] ?? 0];
  const aspect = rowMm > 0 && columnMm > 0 ? rowMm / columnMm : 1;
  return { rows: sizes[rowAxis] ?? 1, columns: sizes[columnAxis] ?? 1, aspect };
}

/** (row, column) of a plane to (slice, row, column) of the image. */
export function toVoxel({ axis, at }: Cut, row: number, column: number): [number, number, number] {
  const [rowAxis, columnAxis] = ACROSS[axis] ?? [1, 2];
  const voxel: [number, number, number] = [at, at, at];
  voxel[rowAxis] = row;
  voxel[columnAxis] = column;
  return voxel;
}

/** (x, y, 1) on the canvas to (slice, row, column): 3 × 3. */
export function canvasToPixel(placement: Placement, { axis, at }: Cut): Matrix {
  const [rowAxis, columnAxis] = ACROSS[axis] ?? [1, 2];
  const [row, column] = canvasToPlane(placement);
  const matrix = [0, 1, 2].map(() => [0, 0, at]);
  matrix[rowAxis] = row;
  matrix[columnAxis] = column;
  return matrix;
}
