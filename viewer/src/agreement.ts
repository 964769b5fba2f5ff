/** Where two methods say the opposite of a place: cells whose evidence has another sign. */

import { invert, offset, transform } from "./geometry";
import { cells } from "./laid-over";
import type { Geometry } from "./types";

/** Below this share of a map's largest value a cell has no sign to speak of. */
const NEGLIGIBLE = 0.05;
/** Cells along one axis beyond which they are taken together: hatching finer than that is a grey. */
const MOST_CELLS = 48;

export interface Signed {
  values: Float32Array;
  geometry: Geometry;
  /** Values above 0 argue against the finding. */
  opposing: boolean;
}

export interface Agreement {
  geometry: Geometry;
  /** 1 where the signs differ, C order. */
  differing: Uint8Array;
  differ: number;
  /** Cells that count in both maps. */
  counted: number;
}

/** Compared on the coarser of both grids; the finer map's cells are summed into it. */
export function agreement(one: Signed, other: Signed): Agreement {
  const size = ({ geometry }: Signed): number => geometry.native_shape.reduce((a, b) => a * b, 1);
  const geometry = coarsened(size(one) <= size(other) ? one.geometry : other.geometry);
  const [signs, others] = [one, other].map((map) => signsOn(geometry, map)) as [Int8Array, Int8Array];
  const differing = Uint8Array.from(signs, (sign, cell) => (sign * (others[cell] ?? 0) < 0 ? 1 : 0));
  const counted = signs.filter((sign, cell) => sign * (others[cell] ?? 0) !== 0).length;
  return { geometry, differing, differ: differing.reduce((a, b) => a + b, 0), counted };
}

/** The same field in fewer cells, where there are too many. */
function coarsened(geometry: Geometry): Geometry {
  const { native_shape, native_to_pixel } = geometry;
  const factors = native_shape.map((size) => Math.ceil(size / MOST_CELLS));
  const shape = native_shape.map((size, axis) => Math.ceil(size / (factors[axis] ?? 1)));
  const matrix = native_to_pixel.map((row) => {
    const shift = factors.reduce((sum, factor, axis) => sum + ((row[axis] ?? 0) * (factor - 1)) / 2, 0);
    return row.map((value, axis) => (axis < factors.length ? value * (factors[axis] ?? 1) : value + shift));
  });
  return { ...geometry, native_shape: shape, native_to_pixel: matrix };
}

/** -1, 0 or 1 for each cell of a grid. */
function signsOn(grid: Geometry, { values, geometry, opposing }: Signed): Int8Array {
  const sums = summedInto(grid, values, geometry);
  const least = NEGLIGIBLE * sums.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  const side = opposing ? -1 : 1;
  return Int8Array.from(sums, (value) => (Math.abs(value) > least ? side * Math.sign(value) : 0));
}

function summedInto(grid: Geometry, values: Float32Array, geometry: Geometry): Float64Array {
  const pixelToGrid = invert(grid.native_to_pixel);
  const sums = new Float64Array(grid.native_shape.reduce((a, b) => a * b, 1));
  let at = 0;
  for (const cell of cells(geometry.native_shape)) {
    const place = transform(pixelToGrid, transform(geometry.native_to_pixel, cell)).map((value, axis) =>
      Math.min((grid.native_shape[axis] ?? 1) - 1, Math.max(0, Math.floor(value + 0.5))),
    );
    const into = offset(grid.native_shape, place);
    sums[into] = (sums[into] ?? 0) + (values[at++] ?? 0);
  }
  return sums;
}
