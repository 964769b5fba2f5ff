/** The reader's own turns and mirrors of the image, and how the screen says that it is no longer as it came. */

import type { Orientation } from "./placement";
import type { Reading } from "./reading";
import { texts } from "./texts";

/** A quarter turn clockwise further. */
export function turn(reading: Reading): void {
  reading.change({ turns: ((reading.view.turns + 1) % 4) as Orientation["turns"] });
}

/** Left and right exchanged as they are seen: the image is mirrored before it is turned, so the turns go back. */
export function mirror(reading: Reading): void {
  const { turns, mirrored } = reading.view;
  reading.change({ mirrored: !mirrored, turns: ((4 - turns) % 4) as Orientation["turns"] });
}

export function invertGreys(reading: Reading): void {
  if (!reading.image?.header.colour) reading.change({ inverted: !reading.view.inverted });
}

/** A mirrored film lies about its sides, so it says that it is one. */
export function orientationWords({ view }: Reading): string {
  const { display } = texts;
  const words = [
    view.inverted && display.isInverted,
    view.mirrored && display.isMirrored,
    view.turns > 0 && display.isTurned(90 * view.turns),
  ];
  return words.filter(Boolean).join(" · ");
}
