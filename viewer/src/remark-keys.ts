/** Keys of what readers say of a map. */

import type { Key } from "./keys";
import { texts } from "./texts";

export const REMARK_KEYS: readonly Key[] = [
  { shown: "Y", meaning: texts.help.flag, keys: { y: ({ reading }) => reading.remarks?.toggleForm() } },
];
