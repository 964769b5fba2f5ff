/** Keys of what a map is held against. */

import { toggleDifference, toggleDisagreement } from "./comparison";
import type { Key } from "./keys";
import { texts } from "./texts";

const { compare, tools } = texts;

export const COMPARE_KEYS: readonly Key[] = [
  {
    shown: "X",
    meaning: tools.swipeTitle,
    keys: {
      x: ({ reading }) => reading.change({ layout: reading.view.layout === "swipe" ? "one" : "swipe" }),
    },
  },
  { shown: "N", meaning: compare.differenceTitle, keys: { n: ({ reading }) => toggleDifference(reading) } },
  {
    shown: "Q",
    meaning: compare.disagreementTitle,
    keys: { q: ({ reading }) => toggleDisagreement(reading) },
  },
  {
    shown: "A",
    meaning: compare.ownScaleTitle,
    keys: { a: ({ reading }) => reading.change({ ownScale: !reading.view.ownScale }) },
  },
];
