/** <cl-finding-card>: the chosen finding in numbers, and what its map can be used for. */

import { element, fill } from "../element";
import { card } from "../finding-lines";
import type { Reading } from "../reading";
import { texts } from "../texts";

export class FindingCard extends HTMLElement {
  readonly #abort = new AbortController();
  #shown: unknown[] = [];

  constructor(readonly reading: Reading) {
    super();
    this.setAttribute("aria-live", "polite");
  }

  connectedCallback(): void {
    const { signal } = this.#abort;
    for (const type of ["data", "view"]) this.reading.addEventListener(type, () => this.#build(), { signal });
    this.#build();
  }

  disconnectedCallback(): void {
    this.#abort.abort();
  }

  #build(): void {
    const { explanation, view } = this.reading;
    this.hidden = this.reading.remarks?.flagging === true;
    const shown = [explanation, view.finding];
    if (this.#shown.length > 0 && shown.every((value, i) => value === this.#shown[i])) return;
    this.#shown = shown;
    if (!explanation) fill(this);
    else if (view.finding === null) fill(this, element("p", { class: "weak" }, texts.finding.none));
    else fill(this, ...card(explanation.record, view.finding));
  }
}

customElements.define("cl-finding-card", FindingCard);
