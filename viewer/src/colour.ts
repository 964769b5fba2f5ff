/** Evidence to colour: the tables and the formulas that camlucida/rendering uses too. */

import tables from "../../src/camlucida/rendering/colour_tables.json";

export type ColourMap = keyof typeof tables.maps;

export const COLOUR_MAPS = Object.keys(tables.maps) as ColourMap[];
export const DEFAULT_COLOUR_MAP: ColourMap = "inferno";

/** What the screen calls the colour map. */
export const colourMapLabel = (name: ColourMap): string => tables.maps[name].label;

/** A diverging map shows evidence against, too. */
export const diverging = (name: ColourMap): boolean => tables.maps[name].kind === "diverging";

const unpacked = new Map<ColourMap, Uint8Array>();

/** The 256 colours of a map, r, g, b after each other; unpacked once. */
export function colourTable(name: ColourMap): Uint8Array {
  const digits = tables.maps[name].rgb;
  const byte = (i: number): number => Number.parseInt(digits.slice(2 * i, 2 * i + 2), 16);
  const table = unpacked.get(name) ?? Uint8Array.from({ length: digits.length / 2 }, (_, i) => byte(i));
  unpacked.set(name, table);
  return table;
}

/** How strong evidence is drawn: 0 to 1, or -1 to 1 for a diverging map. */
export function strength(value: number, scale: number, name: ColourMap): number {
  return Math.min(1, Math.max(diverging(name) ? -1 : 0, value / scale));
}

/** The place in the colour table. */
export function colourIndex(strength: number, name: ColourMap): number {
  return Math.floor(255 * (diverging(name) ? (strength + 1) / 2 : strength) + 0.5);
}

/** The colour of evidence over a pixel: `alpha = opacity * |strength|`. */
export function blend(
  pixel: readonly number[],
  value: number,
  scale: number,
  opacity: number,
  name: ColourMap,
): { alpha: number; rgb: number[] } {
  const strong = strength(value, scale, name);
  const alpha = opacity * Math.abs(strong);
  const entry = 3 * colourIndex(strong, name);
  const colour = colourTable(name).subarray(entry, entry + 3);
  const rgb = pixel.map((below, i) => Math.floor(below * (1 - alpha) + (colour[i] ?? 0) * alpha + 0.5));
  return { alpha, rgb };
}
