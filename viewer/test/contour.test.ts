import { describe, expect, it } from "vitest";
import { area, contours, lines, simplified } from "../src/contour";
import { evidenceAt, evidenceField } from "../src/evidence-field";
import { invert } from "../src/geometry";
import type { Place } from "../src/marks";
import type { Geometry } from "../src/types";
import { cases } from "./vectors";

interface Case {
  name: string;
  shape: [number, number];
  values: number[];
  level: number;
  segments: number[][];
}

const field = ({ shape: [rows, columns], values }: Case) => ({
  rows,
  columns,
  values: Float32Array.from(values),
});

describe("lines around what reaches a level", () => {
  it.each(cases<Case>("contours"))("$name", (one) => {
    const found = lines(field(one), one.level).flatMap((line) =>
      line.slice(1).map((end, i) => [...(line[i] as Place), ...end]),
    );
    const close = (a: readonly number[], b: readonly number[]): boolean =>
      a.every((value, i) => Math.abs(value - (b[i] as number)) < 1e-9);
    expect(found).toHaveLength(one.segments.length);
    for (const segment of one.segments) expect(found.some((other) => close(segment, other))).toBe(true);
  });

  it("closes every line, the largest first", () => {
    for (const one of cases<Case>("contours")) {
      const found = contours(field(one), one.level);
      for (const line of found) expect(line[0]).toEqual(line.at(-1));
      const areas = found.map(area);
      expect(areas).toEqual([...areas].sort((a, b) => b - a));
    }
  });

  it("drops points that lie on the way", () => {
    const square: Place[] = [[0, 0], [0, 2], [0, 4], [4, 4], [4, 0], [2, 0], [0, 0]]; // biome-ignore format: corners
    expect(simplified(square, 0.25)).toHaveLength(5);
  });
});

/** Two cells side by side over 8 × 16 pixels. */
const GEOMETRY: Geometry = {
  native_shape: [1, 2],
  pixel_shape: [8, 16],
  native_to_pixel: [
    [8, 0, 3.5],
    [0, 8, 3.5],
    [0, 0, 1],
  ],
  spacing: null,
  pixel_to_patient: null,
};
const MAP = Float32Array.from([1, 0]);

describe("the field that lines are drawn in", () => {
  const fieldOf = (cells: boolean) =>
    evidenceField(
      MAP,
      GEOMETRY,
      invert(GEOMETRY.native_to_pixel),
      { axis: 0, at: 0 },
      { rows: 8, columns: 16, aspect: 1 },
      cells,
    );

  it("puts the line where the interpolated evidence reaches the level", () => {
    const smooth = fieldOf(false);
    const [line = []] = contours(smooth, 0.5);
    const right = Math.max(...line.map((place) => smooth.toPlane(place)[1]));
    expect(right).toBeCloseTo(7.5, 9);
  });

  it("has the value of the cell, or the interpolated one, and 0 outside", () => {
    expect(evidenceAt(MAP, [1, 2], [0, 0.4], true)).toBe(1);
    expect(evidenceAt(MAP, [1, 2], [0, 0.25], false)).toBeCloseTo(0.75, 6);
    expect(evidenceAt(MAP, [1, 2], [0, -0.6], false)).toBe(0);
  });

  it("has the strongest evidence of a slab", () => {
    const deep: Geometry = {
      native_shape: [2, 1, 1],
      pixel_shape: [8, 4, 4],
      native_to_pixel: [
        [4, 0, 0, 1.5],
        [0, 4, 0, 1.5],
        [0, 0, 4, 1.5],
        [0, 0, 0, 1],
      ],
      spacing: null,
      pixel_to_patient: null,
    };
    const at = (reach: number): number =>
      evidenceField(
        Float32Array.from([1, 0]),
        deep,
        invert(deep.native_to_pixel),
        { axis: 0, at: 4 },
        { rows: 4, columns: 4, aspect: 1 },
        false,
        reach,
      ).values[0] as number;
    expect(at(0)).toBeCloseTo(0.375, 6);
    expect(at(1)).toBeCloseTo(0.625, 6);
    expect(at(100)).toBe(1);
  });

  it("ends at the edges of the image", () => {
    const { rows, columns, toPlane } = fieldOf(true);
    expect(toPlane([-0.5, -0.5])).toEqual([-0.5, -0.5]);
    expect(toPlane([rows - 0.5, columns - 0.5])).toEqual([7.5, 15.5]);
  });
});
