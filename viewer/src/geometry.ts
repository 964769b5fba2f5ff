/**
 * Places: native grid, pixel grid, canvas.
 *
 * Indices stand in the order of the array's axes, with the centre of a cell or pixel at integers, so that n
 * pixels reach from -0.5 to n - 0.5. Matrices are homogeneous, (axes + 1) × (axes + 1), row by row.
 */

import type { Geometry } from "./types";

export type Matrix = readonly (readonly number[])[];

/** `matrix · (point, 1)`, without the homogeneous one. */
export function transform(matrix: Matrix, point: readonly number[]): number[] {
  const axes = point.length;
  return matrix.slice(0, axes).map((row) => {
    let sum = row[axes] ?? 0;
    for (let axis = 0; axis < axes; axis++) sum += (row[axis] ?? 0) * (point[axis] ?? 0);
    return sum;
  });
}

/** The inverse by Gauss and Jordan, with partial pivoting. */
export function invert(matrix: Matrix): number[][] {
  const size = matrix.length;
  const rows = matrix.map((row, i) => [...row, ...row.map((_, j) => (i === j ? 1 : 0))]);
  for (let column = 0; column < size; column++) {
    const pivot = largest(rows, column);
    const pivotRow = rows[pivot] as number[];
    const scale = pivotRow[column] as number;
    if (scale === 0) throw new Error("The geometry of this map cannot be inverted.");
    rows[pivot] = rows[column] as number[];
    rows[column] = pivotRow.map((value) => value / scale);
    eliminate(rows, column);
  }
  return rows.map((row) => row.slice(size));
}

function largest(rows: number[][], column: number): number {
  let best = column;
  for (let i = column + 1; i < rows.length; i++)
    if (Math.abs(rows[i]?.[column] ?? 0) > Math.abs(rows[best]?.[column] ?? 0)) best = i;
  return best;
}

function eliminate(rows: number[][], column: number): void {
  const pivot = rows[column] as number[];
  for (let i = 0; i < rows.length; i++) {
    const row = rows[i] as number[];
    const factor = row[column] as number;
    if (i !== column && factor !== 0) rows[i] = row.map((value, j) => value - factor * (pivot[j] as number));
  }
}

/** Size of a native cell in pixels, along each axis of the pixel grid. */
export function cellSizePixels(geometry: Geometry): number[] {
  const axes = geometry.native_shape.length;
  return geometry.native_to_pixel
    .slice(0, axes)
    .map((row) => row.slice(0, axes).reduce((sum, value) => sum + Math.abs(value), 0));
}

/** Size of a native cell in mm, or null where the image has no spacing. */
export function cellSizeMm(geometry: Geometry): number[] | null {
  const { spacing } = geometry;
  return spacing && cellSizePixels(geometry).map((size, axis) => size * (spacing[axis] ?? 0));
}

/** The cell that holds a place on the pixel grid, or null outside the field that the network saw. */
export function cellAt(geometry: Geometry, pixelToNative: Matrix, pixel: readonly number[]): number[] | null {
  const cell = transform(pixelToNative, pixel).map((value) => Math.floor(value + 0.5));
  const inside = cell.every((value, axis) => value >= 0 && value < (geometry.native_shape[axis] ?? 0));
  return inside ? cell : null;
}

/** Where a cell's value stands in an array of this shape, C order. */
export function offset(shape: readonly number[], index: readonly number[]): number {
  return shape.reduce((sum, size, axis) => sum * size + (index[axis] ?? 0), 0);
}
