/** A flag with their number, where there are any. */

import { element } from "../element";
import { icon } from "../icons";
import { texts } from "../texts";

export function flagMark(flags: number): HTMLElement[] {
  if (flags === 0) return [];
  const text = texts.flag.count(flags);
  return [
    element(
      "span",
      { class: "flag-mark", attributes: { role: "img", "aria-label": text, title: text } },
      icon("flag"),
      flags > 1 ? String(flags) : null,
    ),
  ];
}
