/** The pictures on buttons: 16 × 16, drawn in the colour of the text. */

import { svg } from "./vector-layer";

const LINES = {
  one: "M2.5 3.5h11v9h-11z",
  side: "M2.5 3.5h11v9h-11z M8 3.5v9",
  swipe: "M2.5 3.5h11v9h-11z M10 2v12 M7 8H4.5 M5.5 6.5 4 8l1.5 1.5",
  planes: "M2.5 3.5h11v9h-11z M8 3.5v9 M8 8h5.5",
  length: "M2.5 13.5l11-11 M1.5 11.5l3 3 M11.5 1.5l3 3",
  region: "M4 3.5c3-2 8-1 9 3s-2 7-5 6.5-7 .5-6.5-3.5S2 5 4 3.5z",
  flag: "M4 14V2.5 M4 3h8.5l-2.5 3 2.5 3H4",
  panel: "M2.5 3.5h11v9h-11z M10 3.5v9 M11.5 6h0.5 M11.5 8h0.5",
} as const;

export type Icon = keyof typeof LINES;

/** One icon; what it means is said by the button's own name. */
export function icon(name: Icon): SVGSVGElement {
  return svg(
    "svg",
    { viewBox: "0 0 16 16", width: 16, height: 16, class: "icon", "aria-hidden": "true" },
    svg("path", { d: LINES[name], fill: "none", stroke: "currentColor", "stroke-width": 1.3 }),
  );
}
