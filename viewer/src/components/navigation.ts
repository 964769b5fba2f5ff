/** <cl-navigation>: the row of pages above all but a study, whose image needs the room. */

import { element, fill } from "../element";
import { texts } from "../texts";
import { type Place, toAddress, WORKLIST } from "../view";

const PAGES: readonly Place[] = [
  WORKLIST,
  { page: "sheet", query: "" },
  { page: "flags", query: "" },
  { page: "models", model: null },
  { page: "jobs", query: "" },
];

export class Navigation extends HTMLElement {
  show(page: Place["page"]): void {
    this.hidden = page === "study";
    document.title = `${texts.pages[page]} · ${texts.product}`;
    fill(this, element("nav", { attributes: { "aria-label": texts.pages.label } }, ...PAGES.map(link(page))));
  }
}

const link =
  (shown: Place["page"]) =>
  (place: Place): HTMLElement =>
    element(
      "a",
      { attributes: { href: toAddress(place), "aria-current": place.page === shown ? "page" : null } },
      texts.pages[place.page],
    );

customElements.define("cl-navigation", Navigation);
