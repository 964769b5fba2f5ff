/** What marks an image of no patient. */

import { element } from "../element";
import { texts } from "../texts";

export function phantomBadge(): HTMLElement {
  return element("span", { class: "badge", attributes: { title: texts.phantomTitle } }, texts.phantom);
}
