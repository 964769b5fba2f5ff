import { describe, expect, it } from "vitest";
import { borrowedFrom, evidenceProfile, peak } from "../src/profile";
import type { Geometry } from "../src/types";

const geometry = (native: number[], slices: number, step: number, shift: number): Geometry => ({
  native_shape: native,
  pixel_shape: [slices, 8, 8],
  native_to_pixel: [[step, 0, 0, shift], [0, 4, 0, 1.5], [0, 0, 4, 1.5], [0, 0, 0, 1]], // biome-ignore format: a matrix
  spacing: null,
  pixel_to_patient: null,
});

describe("the evidence along the slices", () => {
  it("is that of the planes of cells, interpolated; evidence against does not count", () => {
    // Two planes of 2 × 2 cells over 4 slices: planes lie at slices 0.5 and 2.5.
    const map = Float32Array.from([1, 1, -9, 0, 4, 2, 0, -1]);
    const profile = evidenceProfile(map, geometry([2, 2, 2], 4, 2, 0.5));
    expect([...profile]).toEqual([2, 3, 5, 6]);
    expect(peak(profile)).toBe(3);
  });

  it("is zero where the network saw nothing", () => {
    const profile = evidenceProfile(Float32Array.from([1, 1]), geometry([2, 1, 1], 6, 1, 2));
    expect([...profile]).toEqual([0, 0, 1, 1, 0, 0]);
  });

  it("follows axes that were exchanged", () => {
    const exchanged: Geometry = {
      ...geometry([1, 1, 2], 2, 1, 0),
      native_to_pixel: [[0, 0, 1, 0], [0, 8, 0, 3.5], [8, 0, 0, 3.5], [0, 0, 0, 1]], // biome-ignore format: a matrix
    };
    expect([...evidenceProfile(Float32Array.from([1, 5]), exchanged)]).toEqual([1, 5]);
  });

  it("is computed elsewhere on slices between the centres of cells", () => {
    // Cells of 5 slices, their centres at slices 2, 7 and 12; slices 15 and 16 were not seen.
    const thick = geometry([3, 2, 2], 17, 5, 2);
    const from = (cells: boolean) =>
      Array.from({ length: 17 }, (_, slice) => borrowedFrom(thick, slice, cells));
    expect(from(false).slice(0, 9)).toEqual([[2], [2], [], [2, 7], [2, 7], [2, 7], [2, 7], [], [7, 12]]);
    expect(from(true).slice(2, 8)).toEqual([[], [2], [2], [7], [7], []]);
    expect(from(false).slice(12)).toEqual([[], [12], [12], [], []]);
  });

  it("is a slice's own where cells are as thin as slices, and where a centre lies between two", () => {
    const thin = geometry([4, 2, 2], 4, 1, 0);
    expect([0, 1, 2, 3].flatMap((slice) => borrowedFrom(thin, slice, false))).toEqual([]);
    const double = geometry([2, 2, 2], 4, 2, 0.5);
    expect([0, 1, 2, 3].flatMap((slice) => borrowedFrom(double, slice, false))).toEqual([]);
  });

  it("has no peak without evidence", () => {
    expect(peak(evidenceProfile(Float32Array.from([-1, 0]), geometry([2, 1, 1], 4, 2, 0.5)))).toBeNull();
  });
});
