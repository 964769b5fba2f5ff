/** How far a map can be trusted, as a badge in the list and as sentences in the panel. */

import { element } from "../element";
import { texts } from "../texts";
import type { Badge, Said, Weight } from "../trust";

/** Its sign differs, not its colour alone; hovering shows all sentences, screen readers say the cautions. */
export function badge({ weight, label, title }: Badge): HTMLElement {
  return element(
    "span",
    { class: `trust-badge ${weight}`, attributes: { role: "img", "aria-label": label, title } },
    sign(weight),
  );
}

const sign = (weight: Weight): string => texts.trust.sign[weight];

export function trustList(all: readonly Said[]): HTMLElement {
  const items = all.map(({ weight, text }) =>
    element(
      "li",
      { class: weight },
      element(
        "span",
        { class: `trust-badge ${weight}`, attributes: { "aria-hidden": "true" } },
        sign(weight),
      ),
      element("span", {}, text),
    ),
  );
  return element("ul", { class: "trust-list" }, ...items);
}
