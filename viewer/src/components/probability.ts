/** A probability as a thin bar with its operating point marked. */

import { element } from "../element";

export function probabilityBar(probability: number, operatingPoint: number | null): HTMLElement {
  const bar = element("span", { class: "probability-bar", attributes: { "aria-hidden": "true" } });
  const filled = element("span", { class: "probability-filled" });
  filled.style.width = `${100 * probability}%`;
  bar.append(filled);
  if (operatingPoint !== null) {
    const tick = element("span", { class: "probability-tick" });
    tick.style.left = `${100 * operatingPoint}%`;
    bar.append(tick);
  }
  return bar;
}
