/** Keys of what is done with the image itself. */

import type { Key } from "./keys";
import { invertGreys, mirror, turn } from "./orientation";
import { texts } from "./texts";

const { display } = texts;

export const TOOL_KEYS: readonly Key[] = [
  { shown: "I", meaning: display.invertTitle, keys: { i: ({ reading }) => invertGreys(reading) } },
  { shown: "T", meaning: display.turnTitle, keys: { t: ({ reading }) => turn(reading) } },
  { shown: "M", meaning: display.mirrorTitle, keys: { m: ({ reading }) => mirror(reading) } },
];
