/** What wheel and arrow keys go through: the planes of a volume, or the frames of an object. */

import { frameIndex, framesOf, toFrame } from "./frames";
import type { Cut } from "./plane";
import { toPlane } from "./planes";
import type { Reading } from "./reading";

export const scrolls = (reading: Reading): boolean => reading.slices > 1 || framesOf(reading).length > 1;

export function step(reading: Reading, { axis, at }: Cut, by: number): void {
  if (reading.slices > 1) toPlane(reading, axis, at + by);
  else toFrame(reading, frameIndex(reading) + by);
}
