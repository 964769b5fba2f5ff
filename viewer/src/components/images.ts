/** <cl-images>: the images of the study, and the other studies of the same patient. */

import { element, fill } from "../element";
import { date, description } from "../format";
import type { Reading } from "../reading";
import { texts } from "../texts";
import type { ImageRow, Study } from "../types";
import { DEFAULT_VIEW, toAddress } from "../view";

export class Images extends HTMLElement {
  readonly #abort = new AbortController();
  #others: Study[] = [];

  constructor(readonly reading: Reading) {
    super();
  }

  connectedCallback(): void {
    const { signal } = this.#abort;
    for (const type of ["data", "view"]) this.reading.addEventListener(type, () => this.#mark(), { signal });
    this.#build();
    this.#findOthers();
  }

  disconnectedCallback(): void {
    this.#abort.abort();
  }

  async #findOthers(): Promise<void> {
    const { source, study } = this.reading;
    // Without the list there are no links; the study itself does not need it, and the banner tells of a loss.
    this.#others = await source.samePatient(study.key, this.#abort.signal).catch(() => []);
    this.#build();
  }

  #build(): void {
    const { images } = this.reading.study;
    const several = images.length > 1;
    this.hidden = !several && this.#others.length === 0;
    fill(
      this,
      several && element("h2", {}, texts.study.images),
      several && element("ul", {}, ...images.map((row, i) => element("li", {}, this.#button(row, i)))),
      this.#others.length > 0 && element("h2", {}, texts.study.otherStudies),
      this.#others.length > 0 && element("ul", {}, ...this.#others.map((one) => this.#other(one))),
    );
    this.#mark();
  }

  #button(row: ImageRow, index: number): HTMLButtonElement {
    return element(
      "button",
      {
        class: "image-choice",
        attributes: { type: "button", "data-key": row.key },
        on: { click: () => this.reading.chooseImage(row.key) },
      },
      element("span", {}, imageName(row, index)),
      element("span", { class: "weak numbers" }, row.space.join(" × ")),
    );
  }

  #other(study: Study): HTMLElement {
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

  #mark(): void {
    const key = this.reading.imageRow?.key;
    for (const button of this.querySelectorAll<HTMLButtonElement>("button[data-key]"))
      button.setAttribute("aria-pressed", String(button.dataset.key === key));
  }
}

export function imageName(row: ImageRow, index: number): string {
  const { study } = texts;
  const frame = row.frame_number === null ? "" : study.frame(row.frame_number);
  const parts = [row.series_description, row.view_position, frame].filter(Boolean);
  return parts.length > 0 ? parts.join(" ") : study.image(index + 1);
}

customElements.define("cl-images", Images);
