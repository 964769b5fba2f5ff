import { describe, expect, it } from "vitest";
import type { Matrix } from "../src/geometry";
import { letters, placeInPatient, planeName, screenDirections, upright } from "../src/patient";
import type { Axis } from "../src/plane";

/** Directions of (slice, row, column), and where the first pixel lies. */
const matrix = (slice: number[], row: number[], column: number[], corner = [0, 0, 0]): Matrix => [
  ...[0, 1, 2].map((mm) => [slice, row, column, corner].map((one) => one[mm] as number)),
  [0, 0, 0, 1],
];

const AXIAL = matrix([0, 0, 5], [0, 0.7, 0], [0.7, 0, 0], [-100, -90, -300]);
const SAGITTAL = matrix([4, 0, 0], [0, 0, -1], [0, 1, 0]);
const CORONAL = matrix([0, 4, 0], [0, 0, -1], [1, 0, 0]);
// From a head that lies the other way round, on its face, and a stack from the head to the feet.
const REVERSED = matrix([0, 0, -5], [0, -0.7, 0], [-0.7, 0, 0]);
const AXES = [0, 1, 2] as const;

describe("letters of a direction", () => {
  it("name where it points, the largest part first, and leave small parts out", () => {
    expect(letters([1, 0, 0])).toBe("L");
    expect(letters([-1, 0, 0])).toBe("R");
    expect(letters([0, -0.6, 0.8])).toBe("HA");
    expect(letters([0.1, 0, -0.99])).toBe("F");
  });
});

describe.each([
  ["axial", AXIAL, ["axial", "coronal", "sagittal"]],
  ["sagittal", SAGITTAL, ["sagittal", "axial", "coronal"]],
  ["coronal", CORONAL, ["coronal", "axial", "sagittal"]],
  ["reversed", REVERSED, ["axial", "coronal", "sagittal"]],
] as const)("a %s series", (_, toPatient, names) => {
  it("has planes with their names", () => {
    expect(AXES.map((axis) => planeName(toPatient, axis))).toEqual(names);
  });

  it.each(AXES)("is turned as readers expect it, axis %i", (axis: Axis) => {
    const shown = screenDirections(toPatient, axis, upright(toPatient, axis)).map(letters);
    const expected = { axial: ["L", "P"], coronal: ["L", "F"], sagittal: ["P", "F"] };
    expect(shown).toEqual(expected[planeName(toPatient, axis)]);
  });
});

it("a tilted gantry is still axial, and a plane that stands right is left alone", () => {
  const tilted = matrix([0, 0, 5], [0, 0.68, -0.18], [0.7, 0, 0]);
  expect(planeName(tilted, 0)).toBe("axial");
  expect(upright(AXIAL, 0)).toEqual({ turns: 0, mirrored: false });
});

it("a place is told in mm, with the side that it lies on", () => {
  expect(placeInPatient(AXIAL, [2, 10, 200])).toBe("L 40.0 A 83.0 F 290.0");
});
