import { describe, expect, it } from "vitest";
import { cellAt, cellSizeMm, cellSizePixels, invert, offset, transform } from "../src/geometry";
import type { Geometry } from "../src/types";
import { cases } from "./vectors";

interface Case extends Geometry {
  name: string;
  cells: number[][];
  pixels: number[][];
  patient: number[][] | null;
}

const close = (found: number[], wanted: number[]) => {
  expect(found).toHaveLength(wanted.length);
  found.forEach((value, i) => {
    expect(Math.abs(value - (wanted[i] as number))).toBeLessThan(1e-9);
  });
};

describe("the way from the native grid to the pixel grid", () => {
  it.each(cases<Case>("geometry"))("$name", (one) => {
    const back = invert(one.native_to_pixel);
    one.cells.forEach((cell, i) => {
      const pixel = one.pixels[i] as number[];
      close(transform(one.native_to_pixel, cell), pixel);
      close(transform(back, pixel), cell);
    });
  });

  it("needs a pivot where axes are exchanged", () => {
    close(transform(invert([[0, 2, 1], [4, 0, 3], [0, 0, 1]]), [5, 11]), [2, 2]); // biome-ignore format: a matrix
  });

  it("refuses a matrix without an inverse", () => {
    expect(() => invert([[1, 2], [2, 4]])).toThrow("cannot be inverted"); // biome-ignore format: a matrix
  });
});

const GRID: Geometry = {
  native_shape: [3, 2],
  pixel_shape: [30, 40],
  native_to_pixel: [[10, 0, 4.5], [0, 20, 9.5], [0, 0, 1]], // biome-ignore format: a matrix
  spacing: [0.5, 0.2],
  pixel_to_patient: null,
};

describe("cells", () => {
  it("hold the pixels from edge to edge and none outside the field", () => {
    const back = invert(GRID.native_to_pixel);
    expect(cellAt(GRID, back, [0, 0])).toEqual([0, 0]);
    expect(cellAt(GRID, back, [9, 19])).toEqual([0, 0]);
    expect(cellAt(GRID, back, [10, 20])).toEqual([1, 1]);
    expect(cellAt(GRID, back, [29, 39])).toEqual([2, 1]);
    expect(cellAt(GRID, back, [30, 0])).toBeNull();
    expect(cellAt(GRID, back, [-1, 0])).toBeNull();
  });

  it("have a size in pixels and, with spacing, in mm", () => {
    expect(cellSizePixels(GRID)).toEqual([10, 20]);
    expect(cellSizeMm(GRID)).toEqual([5, 4]);
    expect(cellSizeMm({ ...GRID, spacing: null })).toBeNull();
  });

  it("stand in C order", () => {
    expect(offset([2, 3, 4], [1, 2, 3])).toBe(23);
  });
});
