import { describe, expect, it } from "vitest";
import { decode, range } from "../src/pixels";
import { halved, levelFor, Pyramid } from "../src/pyramid";
import type { ImageHeader } from "../src/types";

const header = (rest: Partial<ImageHeader>): ImageHeader =>
  ({ space: [2, 2], dtype: "int16", colour: false, ...rest }) as ImageHeader;

describe("stored values", () => {
  it("are read as the header says", () => {
    const plane = decode(header({}), Int16Array.from([-5, 7, 0, 1]).buffer);
    expect([plane.low, plane.high, [...plane.values]]).toEqual([-5, 7, [-5, 7, 0, 1]]);
    expect(decode(header({ space: [9, 1, 2], dtype: "uint8" }), new Uint8Array(2).buffer).columns).toBe(2);
  });

  it("are refused where their number is wrong", () => {
    expect(() => decode(header({ colour: true, dtype: "uint8" }), new Uint8Array(4).buffer)).toThrow(
      "4 values where the image has 12",
    );
  });

  it("have a range without NaN and infinities", () => {
    const values = Float32Array.from([Number.NaN, 3, Number.NEGATIVE_INFINITY, -2, Number.POSITIVE_INFINITY]);
    expect(range(values)).toEqual({ low: -2, high: 3 });
    expect(range(Float32Array.from([Number.NaN]))).toEqual({ low: 0, high: 1 });
  });
});

describe("halved copies", () => {
  it("are means, with the sizes of mip levels", () => {
    const made = new Pyramid({ rows: 2, columns: 3, values: Float32Array.from([1, 3, 9, 5, 7, 9]) });
    expect(made.levels).toBe(2);
    expect(made.level(1)).toEqual({ rows: 1, columns: 1, values: Float32Array.of(4) });
  });

  it("go on along one side when the other is one pixel", () => {
    expect([...halved({ rows: 1, columns: 4, values: Float32Array.from([1, 3, 5, 7]) }).values]).toEqual([
      2, 6,
    ]);
  });

  it("are used below half size only", () => {
    expect([2, 1, 0.6, 0.5, 0.28, 1e-4].map((zoom) => levelFor(zoom, 4))).toEqual([0, 0, 0, 1, 2, 3]);
  });
});
