import { describe, expect, it } from "vitest";
import type { Geometry } from "../../../viewer/src/types";
import type { CornerstoneViewport, Point2, Point3 } from "../src/ohif";
import { peakSlice } from "../src/peak";
import { canvasToImage, toImage } from "../src/plane";
import { Station, stationOf } from "../src/station";

const geometry = (over: Partial<Geometry>): Geometry => ({
  native_shape: [2, 2],
  pixel_shape: [8, 8],
  native_to_pixel: [
    [4, 0, 1.5],
    [0, 4, 1.5],
    [0, 0, 1],
  ],
  spacing: null,
  pixel_to_patient: null,
  ...over,
});

/** A canvas on which the image lies turned by 90° clockwise, flipped, twice as large and moved by (10, 20). */
const turned = (type: string): CornerstoneViewport => ({
  id: "v",
  type,
  element: {} as HTMLElement,
  canvasToWorld: ([x, y]: Point2): Point3 => [(y - 20) / 2, (x - 10) / 2, 7],
  getImageData: () => ({ imageData: { worldToIndex: ([a, b]) => [a - 0.5, b - 0.5, 0] } }),
});

const apply = (matrix: readonly (readonly number[])[], x: number, y: number) =>
  matrix.map((row) => (row[0] ?? 0) * x + (row[1] ?? 0) * y + (row[2] ?? 0));

describe("the plane of a viewport", () => {
  it("is the image's own in a stack, through Cornerstone's pixel indices", () => {
    const to = toImage(turned("stack"), geometry({}), null);
    expect(to?.([10, 20])).toEqual([0, -0.5, -0.5]);
    expect(to?.([30, 26])).toEqual([0, 9.5, 2.5]);
  });

  it("says the same in device pixels by one matrix", () => {
    const to = toImage(turned("stack"), geometry({}), 5);
    if (!to) throw new Error("no plane");
    const matrix = canvasToImage(to, 300, 200, 2);
    for (const [x, y] of [
      [0, 0],
      [77, 31],
      [299, 199],
    ] as Point2[]) {
      const [slice, row, column] = apply(matrix, 2 * x, 2 * y);
      const [, wantedRow = 0, wantedColumn = 0] = to([x, y]);
      expect(slice).toBe(5);
      expect(row).toBeCloseTo(wantedRow, 9);
      expect(column).toBeCloseTo(wantedColumn, 9);
    }
  });

  it("goes through patient coordinates where the image is cut otherwise", () => {
    const pixel_to_patient = [
      [0, 0, 2, -10],
      [0, 3, 0, -20],
      [5, 0, 0, -30],
      [0, 0, 0, 1],
    ];
    const volume = geometry({ pixel_shape: [4, 8, 8], pixel_to_patient });
    const to = toImage(turned("orthographic"), volume, 3);
    // Patient (x, y, z) = (4, 1, 7): column (4 + 10) / 2, row (1 + 20) / 3, slice (7 + 30) / 5.
    const [slice = 0, row = 0, column = 0] = to?.([12, 28]) ?? [];
    expect([slice, row, column].map((value) => value.toFixed(9))).toEqual(
      [7.4, 7, 7].map((v) => v.toFixed(9)),
    );
  });

  it("is none where a volume has no place in the patient, and where a film is not a stack", () => {
    expect(toImage(turned("orthographic"), geometry({ pixel_shape: [4, 8, 8] }), null)).toBeNull();
    expect(toImage(turned("orthographic"), geometry({}), null)).toBeNull();
  });
});

describe("the slice with most evidence", () => {
  const volume = geometry({
    native_shape: [2, 1, 2],
    pixel_shape: [8, 4, 4],
    native_to_pixel: [
      [4, 0, 0, 1.5],
      [0, 4, 0, 1.5],
      [0, 0, 2, 0.5],
      [0, 0, 0, 1],
    ],
  });

  it("is where the strongest cell lies", () => {
    expect(peakSlice(new Float32Array([0.1, -3, 0.2, 0.4]), volume)).toBe(6);
    expect(peakSlice(new Float32Array([0.9, -3, 0.2, 0.4]), volume)).toBe(2);
  });

  it("is none without evidence, and for a film", () => {
    expect(peakSlice(new Float32Array([-1, -3, 0, -0.4]), volume)).toBeNull();
    expect(peakSlice(new Float32Array([1, 0, 0, 0]), geometry({}))).toBeNull();
  });
});

describe("the station's address", () => {
  const MODULE = "https://station.example/camlucida-ohif.js";

  it("is where the module came from, unless it is said", () => {
    expect(stationOf(MODULE, undefined)).toBe("https://station.example");
    expect(stationOf(`${MODULE}?station=https://other.example/camlucida/`, undefined)).toBe(
      "https://other.example/camlucida",
    );
    expect(stationOf(`${MODULE}?station=/x`, { station: "https://third.example" })).toBe(
      "https://third.example",
    );
    expect(stationOf(`${MODULE}?station=/camlucida`, undefined)).toBe("https://station.example/camlucida");
  });

  it("is foreign to a page of another origin", () => {
    const settings = { token: "t" };
    expect(new Station("https://station.example", settings, "https://station.example").foreign).toBe(false);
    expect(new Station("https://station.example", settings, "https://ohif.example").foreign).toBe(true);
  });
});
