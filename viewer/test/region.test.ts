import { describe, expect, it } from "vitest";
import type { Mark } from "../src/marks";
import type { Reading } from "../src/reading";
import { encloses, heldBy, length, regionArea } from "../src/region";
import type { Geometry } from "../src/types";

const region = (places: [number, number][], axis: 0 | 1 | 2 = 0, at = 0): Mark => ({
  kind: "region",
  axis,
  at,
  places,
});

/** 3 × 3 cells of 10 × 20 pixels. */
const FLAT: Geometry = {
  native_shape: [3, 3],
  pixel_shape: [30, 60],
  native_to_pixel: [
    [10, 0, 4.5],
    [0, 20, 9.5],
    [0, 0, 1],
  ],
  spacing: null,
  pixel_to_patient: null,
};

/** 2 × 2 × 2 cells of 4 slices, 10 rows, 10 columns. */
const DEEP: Geometry = {
  native_shape: [2, 2, 2],
  pixel_shape: [8, 20, 20],
  native_to_pixel: [
    [4, 0, 0, 1.5],
    [0, 10, 0, 4.5],
    [0, 0, 10, 4.5],
    [0, 0, 0, 1],
  ],
  spacing: [3, 1, 1],
  pixel_to_patient: null,
};

describe("evidence in a region", () => {
  const map = Float32Array.from([1, 2, 3, -4, 5, 6, 7, -8, 9]);

  it("is summed over the cells that have their centre inside", () => {
    const left = region([[-1, -1], [-1, 29], [20, 29], [20, -1]]); // biome-ignore format: corners
    expect(heldBy(map, FLAT, left)).toEqual({
      cells: 2,
      ofCells: 9,
      evidenceFor: 1,
      ofFor: 33,
      evidenceAgainst: -4,
      ofAgainst: -12,
    });
  });

  it("adds up to the map where the region is the whole image", () => {
    const all = region([[-1, -1], [-1, 61], [31, 61], [31, -1]]); // biome-ignore format: corners
    const held = heldBy(map, FLAT, all);
    expect([held.cells, held.evidenceFor, held.evidenceAgainst]).toEqual([9, held.ofFor, held.ofAgainst]);
  });

  it.each([
    [0, 3, [1, 2, 4, 8]],
    [0, 4, [16, 32, 64, 128]],
    [1, 9, [1, 2, 16, 32]],
    [2, 10, [2, 8, 32, 128]],
  ] as const)(
    "in a volume counts the cells that the plane runs through: axis %i at %i",
    (axis, at, cells) => {
      const powers = Float32Array.from({ length: 8 }, (_, i) => 2 ** i);
      const all = region([[-1, -1], [-1, 30], [30, 30], [30, -1]], axis, at); // biome-ignore format: corners
      const held = heldBy(powers, DEEP, all);
      expect(held.evidenceFor).toBe(cells.reduce((sum, value) => sum + value, 0));
      expect(held.cells).toBe(4);
    },
  );

  it("knows what a bent line encloses", () => {
    const bent: [number, number][] = [[0, 0], [0, 9], [9, 9], [9, 6], [3, 6], [3, 3], [9, 3], [9, 0], [0, 0]]; // biome-ignore format: corners
    expect(encloses(bent, 6, 1)).toBe(true);
    expect(encloses(bent, 6, 4.5)).toBe(false);
    expect(encloses(bent, 6, 8)).toBe(true);
  });
});

describe("measuring", () => {
  const reading = (spacing: number[] | null) => ({ image: { header: { spacing } } }) as unknown as Reading;
  const line = { kind: "length", axis: 0, at: 0, places: [[0, 0], [30, 40]] } as Mark; // biome-ignore format: ends

  it("is in mm where pixels have a size, and in pixels where not", () => {
    expect(length(reading([0.5, 0.5]), line)).toEqual({ value: 25, mm: true });
    expect(length(reading(null), line)).toEqual({ value: 50, mm: false });
  });

  it("takes the spacing of the plane's own axes", () => {
    expect(length(reading([8, 1, 2]), { ...line, axis: 1 }).value).toBeCloseTo(Math.hypot(240, 80), 9);
    const square = region([[0, 0], [0, 2], [2, 2], [2, 0]]); // biome-ignore format: corners
    expect(regionArea(reading([8, 3, 2]), square)).toEqual({ value: 24, mm: true });
  });
});
