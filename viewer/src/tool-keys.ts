/** Keys of what is done with the image itself. */

import { switchContours } from "./evidence-contours";
import type { Key } from "./keys";
import { takeBack, takeTool } from "./marking";
import { invertGreys, mirror, turn } from "./orientation";
import { texts } from "./texts";

const { display, marks, picture } = texts;

export const TOOL_KEYS: readonly Key[] = [
  { shown: "I", meaning: display.invertTitle, keys: { i: ({ reading }) => invertGreys(reading) } },
  { shown: "T", meaning: display.turnTitle, keys: { t: ({ reading }) => turn(reading) } },
  { shown: "M", meaning: display.mirrorTitle, keys: { m: ({ reading }) => mirror(reading) } },
  { shown: "L", meaning: marks.lengthTitle, keys: { l: ({ reading }) => takeTool(reading, "length") } },
  { shown: "G", meaning: marks.regionTitle, keys: { g: ({ reading }) => takeTool(reading, "region") } },
  {
    shown: "Backspace",
    meaning: marks.takeBackTitle,
    keys: { backspace: ({ reading }) => takeBack(reading) },
  },
  { shown: "V", meaning: display.contoursTitle, keys: { v: ({ reading }) => switchContours(reading) } },
  { shown: "U", meaning: picture.saveTitle, keys: { u: ({ picture }) => picture() } },
  { shown: "Shift + P", meaning: picture.printTitle, keys: { "shift p": ({ print }) => print?.() } },
];
