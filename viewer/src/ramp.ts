/** The legend's colours and the numbers beside them. */

import { blend, type ColourMap } from "./colour";
import { number } from "./format";

export const STEPS = 128;
/** The grey that the ramp is drawn over, so that its transparency is seen. */
const BELOW = [24, 26, 29];

/** `STEPS` colours, RGBA after each other, from the highest value to the lowest. */
export function ramp(
  low: number,
  high: number,
  opacity: number,
  colourMap: ColourMap,
): Uint8ClampedArray<ArrayBuffer> {
  const colours = new Uint8ClampedArray(4 * STEPS);
  for (let step = 0; step < STEPS; step++) {
    const value = high - ((high - low) * step) / (STEPS - 1);
    const { rgb } = blend(BELOW, value, high, opacity, colourMap);
    colours.set([...rgb, 255], 4 * step);
  }
  return colours;
}

/** What stands at the top, the middle and the bottom: beyond the scale the colour stays the same. */
export const ends = (low: number, high: number): string[] => [
  `≥ ${number(high)}`,
  number((low + high) / 2),
  low < 0 ? `≤ ${number(low)}` : number(low),
];
