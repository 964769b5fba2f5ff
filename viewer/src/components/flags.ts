/** <cl-flags>: what readers have flagged on the map of the chosen finding. */

import { element, fill } from "../element";
import { moment } from "../format";
import { type Flag, type Remarks, viewOfFlag } from "../remarks";
import { texts } from "../texts";

export class Flags extends HTMLElement {
  readonly #abort = new AbortController();
  #shown = "";

  constructor(readonly remarks: Remarks) {
    super();
  }

  connectedCallback(): void {
    const { signal } = this.#abort;
    for (const type of ["data", "view"])
      this.remarks.reading.addEventListener(type, () => this.#build(), { signal });
    this.#build();
  }

  disconnectedCallback(): void {
    this.#abort.abort();
  }

  #build(): void {
    const flags = this.remarks.flagsOf(this.remarks.reading.findingName);
    const shown = JSON.stringify(flags);
    if (shown === this.#shown) return;
    this.#shown = shown;
    const items = flags.map((flag) => this.#item(flag));
    fill(
      this,
      items.length > 0 && element("h2", {}, texts.flag.flags),
      items.length > 0 && element("ul", { class: "flags" }, ...items),
    );
  }

  #item(flag: Flag): HTMLElement {
    const { flag: words } = texts;
    const view = viewOfFlag(flag);
    const show = { click: () => view && this.remarks.reading.change(view) };
    const about = [words.by(flag.who, moment(flag.created)), flag.region ? words.withRegion : ""];
    return element(
      "li",
      {},
      element("strong", {}, words.reasons[flag.reason]),
      flag.text && element("p", {}, flag.text),
      element("p", { class: "weak" }, about.filter(Boolean).join(" · ")),
      view &&
        element(
          "button",
          { attributes: { type: "button", title: words.asSeenTitle }, on: show },
          words.asSeen,
        ),
    );
  }
}

customElements.define("cl-flags", Flags);
