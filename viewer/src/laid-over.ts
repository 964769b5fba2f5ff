/** One map on another's grid: places correspond by their share of the image's height, width and depth. */

import { invert, type Matrix, offset, transform } from "./geometry";
import type { Geometry } from "./types";

/** Every index of a grid, C order. */
export function* cells(shape: readonly number[]): Generator<number[]> {
  const index = shape.map(() => 0);
  for (let left = shape.reduce((product, size) => product * size, 1); left > 0; left--) {
    yield index;
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      index[axis] = ((index[axis] ?? 0) + 1) % (shape[axis] ?? 1);
      if (index[axis] !== 0) break;
    }
  }
}

/** From cells of one grid to cells of another, as both images are laid over each other edge to edge. */
export function between(from: Geometry, to: Geometry): (cell: readonly number[]) => number[] {
  const pixelToCell: Matrix = invert(to.native_to_pixel);
  return (cell) => {
    const pixel = transform(from.native_to_pixel, cell).map((place, axis) => {
      const ratio = (to.pixel_shape[axis] ?? 1) / (from.pixel_shape[axis] ?? 1);
      return (place + 0.5) * ratio - 0.5;
    });
    return transform(pixelToCell, pixel);
  };
}

/** A map's values at the cells of another grid, interpolated between its own cells, edges held. */
export function laidOver(values: Float32Array, from: Geometry, onto: Geometry): Float32Array {
  const there = between(onto, from);
  const laid = new Float32Array(onto.native_shape.reduce((product, size) => product * size, 1));
  let at = 0;
  for (const cell of cells(onto.native_shape))
    laid[at++] = interpolated(values, from.native_shape, there(cell));
  return laid;
}

function interpolated(values: Float32Array, shape: readonly number[], place: readonly number[]): number {
  const inside = place.map((value, axis) => Math.min((shape[axis] ?? 1) - 1, Math.max(0, value)));
  const low = inside.map(Math.floor);
  let sum = 0;
  // Each corner of the cell around the place, by the bits of a number.
  for (let corner = 0; corner < 1 << shape.length; corner++) {
    let weight = 1;
    const index = low.map((start, axis) => {
      const part = (inside[axis] ?? 0) - start;
      const upper = (corner >> axis) & 1;
      weight *= upper ? part : 1 - part;
      return Math.min((shape[axis] ?? 1) - 1, start + upper);
    });
    if (weight > 0) sum += weight * (values[offset(shape, index)] ?? 0);
  }
  return sum;
}
