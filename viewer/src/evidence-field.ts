/** A map on a plane of the image, sampled finely enough to draw lines in it. */

import type { Field } from "./contour";
import { cellSizePixels, type Matrix, offset, transform } from "./geometry";
import type { Place } from "./marks";
import type { Plane } from "./placement";
import { ACROSS, type Cut, toVoxel } from "./plane";
import type { Geometry } from "./types";

/** Samples per cell and side, and at most for a side of the image. */
const FINENESS = 16;
const MOST_SAMPLES = 256;
/** The field's edge, in cells. */
const EDGE = 1e-6;

export interface PlaneField extends Field {
  /** From the field to the plane. */
  toPlane: (place: Place) => Place;
}

/**
 * Samples lie alike in every cell, so that lines between cells run along their borders. With `reach`, half the
 * thickness of a slab in voxels, it is the strongest evidence within the slab.
 */
export function evidenceField(
  map: Float32Array,
  geometry: Geometry,
  pixelToNative: Matrix,
  cut: Cut,
  plane: Plane,
  cells: boolean,
  reach = 0,
): PlaneField {
  const [rowAxis, columnAxis] = ACROSS[cut.axis] ?? [1, 2];
  const down = lattice(geometry, rowAxis, plane.rows);
  const right = lattice(geometry, columnAxis, plane.columns);
  const values = new Float32Array(down.count * right.count);
  const axes = geometry.pixel_shape.length;
  const places = reach > 0 ? depths(geometry, cut, reach) : [cut.at];
  for (let row = 0, i = 0; row < down.count; row++)
    for (let column = 0; column < right.count; column++, i++) {
      const place = [down.first + row * down.step, right.first + column * right.step] as const;
      values[i] = strongest(places, (at) => {
        const native = transform(pixelToNative, toVoxel({ axis: cut.axis, at }, ...place).slice(-axes));
        return evidenceAt(map, geometry.native_shape, native, cells);
      });
    }
  const toPlane = ([row, column]: Place): Place => [
    down.first + row * down.step,
    right.first + column * right.step,
  ];
  return { rows: down.count, columns: right.count, values, toPlane };
}

function strongest(places: readonly number[], evidence: (at: number) => number): number {
  let best = Number.NEGATIVE_INFINITY;
  for (const at of places) best = Math.max(best, evidence(at));
  return best;
}

/** Evidence is linear between the planes of cells, so it is strongest on one of them or on a face of the slab. */
function depths(geometry: Geometry, { axis, at }: Cut, reach: number): number[] {
  const { size, first, last } = cellsAlong(geometry, axis);
  const from = Math.max(at - reach, first - size / 2);
  const to = Math.min(at + reach, last + size / 2);
  const planes: number[] = [];
  for (let plane = first + Math.ceil((from - first) / size) * size; plane <= to; plane += size)
    planes.push(plane);
  return [from, to, ...planes];
}

/** Size of cells along an axis of the pixel grid, and the centres of the first and the last. */
function cellsAlong(geometry: Geometry, axis: number): { size: number; first: number; last: number } {
  const along = axis - 3 + geometry.pixel_shape.length;
  const matrixRow = geometry.native_to_pixel[along] ?? [];
  const ends = geometry.native_shape.map((count, i) => (matrixRow[i] ?? 0) * (count - 1));
  const shift = matrixRow[geometry.native_shape.length] ?? 0;
  return {
    size: cellSizePixels(geometry)[along] ?? 1,
    first: ends.reduce((sum, end) => sum + Math.min(0, end), shift),
    last: ends.reduce((sum, end) => sum + Math.max(0, end), shift),
  };
}

interface Lattice {
  first: number;
  step: number;
  count: number;
}

/** Sample places along one axis of the pixel grid. */
function lattice(geometry: Geometry, axis: number, size: number): Lattice {
  const { size: cell, first: centre } = cellsAlong(geometry, axis);
  const perCell = Math.max(1, Math.min(FINENESS, Math.floor((MOST_SAMPLES * cell) / size)));
  const step = Math.max(cell / perCell, size / MOST_SAMPLES);
  const from = centre - cell / 2 + step / 2;
  const first = from + Math.ceil((-0.5 - from) / step) * step;
  return { first, step, count: Math.max(1, Math.floor((size - 0.5 - first) / step) + 1) };
}

/** Evidence at a place of the native grid: of its cell, or interpolated; 0 where the network saw nothing. */
export function evidenceAt(
  map: Float32Array,
  shape: readonly number[],
  native: readonly number[],
  cells: boolean,
): number {
  if (native.some((at, axis) => at < -0.5 - EDGE || at > (shape[axis] ?? 1) - 0.5 + EDGE)) return 0;
  const held = native.map((at, axis) => Math.min((shape[axis] ?? 1) - 1, Math.max(0, at)));
  if (cells) return map[offset(shape, held.map(Math.round))] ?? 0;
  return interpolated(map, shape, held);
}

/** Linear along each axis: the corners around a place, weighted. */
function interpolated(map: Float32Array, shape: readonly number[], place: readonly number[]): number {
  let sum = 0;
  for (let corner = 0; corner < 1 << place.length; corner++) {
    let [weight, index] = [1, 0];
    place.forEach((at, axis) => {
      const below = Math.floor(at);
      const upper = (corner >> axis) & 1;
      weight *= upper ? at - below : 1 - at + below;
      index = index * (shape[axis] ?? 1) + below + upper;
    });
    if (weight > 0) sum += weight * (map[index] ?? 0);
  }
  return sum;
}
