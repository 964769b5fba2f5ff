import { describe, expect, it } from "vitest";
import type { ImageHeader, VoiLut, Window } from "../src/types";
import { asWindow, displayTable, dragged, firstVoi, grey, presets, type Tone, type Voi } from "../src/window";
import { cases } from "./vectors";

interface Case {
  name: string;
  photometric: "MONOCHROME1" | "MONOCHROME2";
  slope: number;
  intercept: number;
  padding: [number, number] | null;
  window: Omit<Window, "explanation"> | null;
  voi_lut: Omit<VoiLut, "explanation"> | null;
  stored: number[];
  grey: number[];
}

const voiOf = (one: Case): Voi =>
  one.window
    ? { window: { ...one.window, explanation: "" } }
    : { lut: { ...(one.voi_lut as VoiLut), explanation: "" } };

describe("grey levels equal Python's", () => {
  it.each(cases<Case>("windowing"))("$name", (one) => {
    const tone: Tone = { ...one, dtype: "float32" };
    expect(one.stored.map((stored) => grey(stored, tone, voiOf(one)))).toEqual(one.grey);
  });
});

describe("the table equals the formula", () => {
  const integers = cases<Case>("windowing").filter((one) => one.stored.every(Number.isInteger));
  it.each(integers)("for integers, exactly: $name", (one) => {
    const tone: Tone = { ...one, dtype: "int16" };
    const table = displayTable(tone, voiOf(one), Math.min(...one.stored), Math.max(...one.stored));
    expect(one.stored.map((stored) => table.grey[stored - table.first])).toEqual(one.grey);
  });

  it.each(["LINEAR", "LINEAR_EXACT", "SIGMOID"] as const)("for float32 within a level: %s", (kind) => {
    const tone: Tone = {
      slope: 0.5,
      intercept: 3,
      photometric: "MONOCHROME1",
      dtype: "float32",
      padding: null,
    };
    const voi: Voi = { window: { center: 40.25, width: 12.5, function: kind, explanation: "" } };
    const table = displayTable(tone, voi, -1e5, 1e5);
    for (let stored = -50; stored < 250; stored += 0.37) {
      const index = Math.floor((stored - table.first) / table.step + 0.5);
      const shown = table.grey[Math.min(Math.max(index, 0), table.grey.length - 1)] as number;
      expect(Math.abs(shown - grey(stored, tone, voi))).toBeLessThanOrEqual(1);
    }
  });
});

const WINDOW: Window = { center: 40, width: 400, function: "SIGMOID", explanation: "soft" };
const LUT: VoiLut = { first_mapped: 10, bits: 8, explanation: "", table: new Array(100).fill(0) };
const header = (rest: Partial<ImageHeader>): ImageHeader =>
  ({
    windows: [],
    voi_luts: [],
    default_window: { ...WINDOW, explanation: "proposed" },
    unit: "HU",
    ...rest,
  }) as ImageHeader;

describe("which window", () => {
  it("is the file's first, then its first VOI LUT, then the proposal", () => {
    expect(firstVoi(header({ windows: [WINDOW], voi_luts: [LUT] }))).toEqual({ window: WINDOW });
    expect(firstVoi(header({ voi_luts: [LUT] }))).toEqual({ lut: LUT });
    expect(firstVoi(header({}))).toEqual({ window: { ...WINDOW, explanation: "proposed" } });
  });

  it("offers the usual windows for CT in HU only", () => {
    expect(presets(header({ windows: [WINDOW] }), "CT")).toHaveLength(4);
    expect(presets(header({ windows: [WINDOW], unit: "" }), "CT")).toHaveLength(1);
    expect(presets(header({ windows: [WINDOW, WINDOW], voi_luts: [LUT] }), "DX")).toHaveLength(3);
  });
});

describe("dragging", () => {
  it("widens to the right, raises the centre downwards and keeps the function", () => {
    const window = dragged(WINDOW, 24, 10);
    expect(window.width).toBeCloseTo(400 * Math.exp(0.1), 9);
    expect(window.center).toBeCloseTo(50, 9);
    expect(window.function).toBe("SIGMOID");
  });

  it("never makes a linear window narrower than the standard allows", () => {
    expect(dragged({ ...WINDOW, function: "LINEAR", width: 2 }, -1000, 0).width).toBe(1);
  });

  it("takes a VOI LUT over as the window of its span", () => {
    expect(asWindow({ lut: LUT })).toMatchObject({ center: 60, width: 100, function: "LINEAR" });
  });
});
