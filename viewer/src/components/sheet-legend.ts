/** What the colours of the contact sheet mean: one scale for all maps, or each its own, said in words. */

import type { ColourMap } from "../colour";
import type { SheetMap } from "../contact-sheet";
import { element } from "../element";
import { number } from "../format";
import { ramp, STEPS } from "../ramp";
import { overviewTexts } from "../texts-overviews";
import { DEFAULT_VIEW } from "../view";

const words = overviewTexts.sheet;

export function sheetLegend(maps: readonly SheetMap[], colourMap: ColourMap): HTMLElement[] {
  const scales = [...new Set(maps.flatMap(({ map }) => map?.scale ?? []))];
  const logits = maps.every(({ map }) => map === null || map.record.saliency_map.unit === "logit");
  const fixed = logits && scales.length === 1;
  const high = fixed ? `≥ ${number(scales[0] ?? 0)}` : words.ownMost;
  return [
    element("span", { class: "numbers" }, "0"),
    bar(colourMap),
    element("span", { class: "numbers" }, high),
    element("span", { class: "weak" }, fixed ? words.fixed : logits ? words.perGrid : words.own),
  ];
}

function bar(colourMap: ColourMap): HTMLElement {
  const canvas = element("canvas", { attributes: { width: STEPS, height: 1, "aria-hidden": "true" } });
  const highFirst = ramp(0, 1, DEFAULT_VIEW.opacity / 100, colourMap);
  const lowFirst = new Uint8ClampedArray(highFirst.length);
  for (let step = 0; step < STEPS; step++)
    lowFirst.set(highFirst.subarray(4 * step, 4 * step + 4), 4 * (STEPS - 1 - step));
  canvas.getContext("2d")?.putImageData(new ImageData(lowFirst, STEPS, 1), 0, 0);
  return canvas;
}
