/**
 * Stored values to grey levels: DICOM PS3.3 C.11.2, the same formulas as camlucida/rendering/window.py.
 *
 * Everything ends in one table from stored value to grey; the image layer only looks up.
 */

import type { ImageHeader, VoiLut, Window } from "./types";

/** What is chosen: a window, or one of the file's VOI LUTs. */
export type Voi = { readonly window: Window } | { readonly lut: VoiLut };

/** `grey[i]` is the grey level of stored value `first + i * step`; outside, the ends hold. */
export interface DisplayTable {
  first: number;
  step: number;
  grey: Uint8Array;
}

const FLOAT_ENTRIES = 65536;

/** Display value (0 to 1) of a modality value, before MONOCHROME1 is inverted. */
function windowed(value: number, window: Window): number {
  const { center, width } = window;
  switch (window.function) {
    case "SIGMOID": // C.11.2.1.3.1
      return 1 / (1 + Math.exp((-4 * (value - center)) / width));
    case "LINEAR_EXACT": // C.11.2.1.3.2
      return clamp((value - center) / width + 0.5);
    default: // C.11.2.1.2.1
      if (value <= center - 0.5 - (width - 1) / 2) return 0;
      if (value > center - 0.5 + (width - 1) / 2) return 1;
      return (value - (center - 0.5)) / (width - 1) + 0.5;
  }
}

/** Display value (0 to 1) of a modality value through a VOI LUT (C.11.2.1.1): outside, the ends hold. */
function lookedUp(value: number, lut: VoiLut): number {
  const index = Math.min(Math.max(Math.floor(value + 0.5) - lut.first_mapped, 0), lut.table.length - 1);
  return clamp((lut.table[index] ?? 0) / (2 ** lut.bits - 1));
}

function clamp(value: number): number {
  return Math.min(1, Math.max(0, value));
}

/** Grey level (0 to 255) of a stored value, as it is on the screen; padding is black. */
export function grey(stored: number, header: Tone, voi: Voi): number {
  if (header.padding && stored >= header.padding[0] && stored <= header.padding[1]) return 0;
  const value = stored * header.slope + header.intercept;
  const shown = "window" in voi ? windowed(value, voi.window) : lookedUp(value, voi.lut);
  return Math.floor((header.photometric === "MONOCHROME1" ? 1 - shown : shown) * 255 + 0.5);
}

export type Tone = Pick<ImageHeader, "slope" | "intercept" | "photometric" | "dtype" | "padding">;

/** As if dark and bright were exchanged in the file; padding stays black. */
export function invertedTone(header: Tone): Tone {
  return { ...header, photometric: header.photometric === "MONOCHROME1" ? "MONOCHROME2" : "MONOCHROME1" };
}

/** The table for stored values from `low` to `high`: exact for integers, 65,536 steps for float32. */
export function displayTable(header: Tone, voi: Voi, low: number, high: number): DisplayTable {
  const integer = header.dtype !== "float32";
  const [from, to] = integer ? [low, high] : floatDomain(header, voi, low, high);
  const entries = integer ? high - low + 1 : FLOAT_ENTRIES;
  const step = integer ? 1 : Math.max((to - from) / (entries - 1), Number.MIN_VALUE);
  const table = new Uint8Array(entries);
  for (let i = 0; i < entries; i++) table[i] = grey(from + i * step, header, voi);
  return { first: from, step, grey: table };
}

/** The stored values over which a float image changes its grey. */
function floatDomain(header: Tone, voi: Voi, low: number, high: number): [number, number] {
  const [from, to] = span(voi).map((value) => (value - header.intercept) / header.slope) as [number, number];
  const domain: [number, number] = [Math.max(low, Math.min(from, to)), Math.min(high, Math.max(from, to))];
  return domain[0] < domain[1] ? domain : [low, high];
}

/** The modality values between which the display value changes. */
function span(voi: Voi): [number, number] {
  if ("lut" in voi) return [voi.lut.first_mapped - 1, voi.lut.first_mapped + voi.lut.table.length];
  const { center, width } = voi.window;
  const reach = voi.window.function === "SIGMOID" ? 3 * width : width / 2 + 1;
  return [center - reach, center + reach];
}

/** What the file asks for: its first window, else its first VOI LUT, else the station's proposal. */
export function firstVoi(header: ImageHeader): Voi {
  const [window] = header.windows;
  if (window) return { window };
  const [lut] = header.voi_luts;
  return lut ? { lut } : { window: header.default_window };
}

/** The window that a drag starts from: a VOI LUT is taken over as the linear window of the same span. */
export function asWindow(voi: Voi): Window {
  if ("window" in voi) return voi.window;
  const { first_mapped, table } = voi.lut;
  return {
    center: first_mapped + table.length / 2,
    width: table.length,
    function: "LINEAR",
    explanation: "",
  };
}

/** Dragging by (dx, dy) CSS pixels: right widens, down raises the centre. */
export function dragged(window: Window, dx: number, dy: number): Window {
  const least = window.function === "LINEAR" ? 1 : 1e-6;
  return {
    ...window,
    width: Math.max(least, window.width * Math.exp(dx / 240)),
    center: window.center + (dy * window.width) / 400,
    explanation: "",
  };
}

/** Windows that readers expect for CT (HU), beside those of the file. */
export const CT_WINDOWS: readonly Window[] = (
  [
    ["lung", -600, 1500],
    ["mediastinum", 40, 400],
    ["bone", 400, 1800],
  ] as const
).map(([explanation, center, width]) => ({ explanation, center, width, function: "LINEAR" }));

/** All presets of an image, the file's own first. */
export function presets(header: ImageHeader, modality: string): Voi[] {
  const own: Voi[] = [
    ...header.windows.map((window) => ({ window })),
    ...header.voi_luts.map((lut) => ({ lut })),
  ];
  const first = own.length > 0 ? own : [{ window: header.default_window }];
  const hounsfield = modality === "CT" && header.unit === "HU";
  return hounsfield ? [...first, ...CT_WINDOWS.map((window) => ({ window }))] : first;
}
