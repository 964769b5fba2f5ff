/** <cl-other-studies>: links to the other studies of the same patient. */

import { element, fill } from "../element";
import { date, description } from "../format";
import type { Reading } from "../reading";
import { texts } from "../texts";
import type { Study } from "../types";
import { DEFAULT_VIEW, toAddress } from "../view";

export class OtherStudies extends HTMLElement {
  readonly #abort = new AbortController();

  constructor(readonly reading: Reading) {
    super();
    this.hidden = true;
  }

  async connectedCallback(): Promise<void> {
    const { source, study } = this.reading;
    // Without the list there are no links; the study itself does not need it, and the banner tells of a loss.
    const others = await source.samePatient(study.key, this.#abort.signal).catch(() => []);
    this.hidden = others.length === 0;
    const links = others.map((one) => this.#link(one));
    fill(this, element("h2", {}, texts.study.otherStudies), element("ul", {}, ...links));
  }

  disconnectedCallback(): void {
    this.#abort.abort();
  }

  #link(study: Study): HTMLElement {
    const { study_date } = this.reading.study;
    const comparable = study.study_date !== "" && study_date !== "" && study.study_date !== study_date;
    const { prior, later } = texts.study;
    const when = comparable ? (study.study_date < study_date ? prior : later) : "";
    const href = toAddress({ page: "study", study: study.key, view: DEFAULT_VIEW });
    return element(
      "li",
      {},
      element(
        "a",
        { class: "image-choice", attributes: { href } },
        element(
          "span",
          {},
          [date(study.study_date), description(study.description)].filter(Boolean).join("  "),
        ),
        element("span", { class: "weak" }, when),
      ),
    );
  }
}

customElements.define("cl-other-studies", OtherStudies);
