/** <cl-images>: the images of the study, and the other studies of the same patient. */

import { element, fill } from "../element";
import { date, description } from "../format";
import { runs } from "../frames";
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
    const listed = runs(images);
    const several = listed.length > 1;
    this.hidden = !several && this.#others.length === 0;
    fill(
      this,
      several && element("h2", {}, texts.study.images),
      several && element("ul", {}, ...listed.map((run, i) => element("li", {}, this.#button(run, i)))),
      this.#others.length > 0 && element("h2", {}, texts.study.otherStudies),
      this.#others.length > 0 && element("ul", {}, ...this.#others.map((one) => this.#other(one))),
    );
    this.#mark();
  }

  /** One image, or all frames of an object: the bar below the image goes through them. */
  #button(run: readonly ImageRow[], index: number): HTMLButtonElement {
    const [row] = run as [ImageRow];
    const frames = run.length > 1;
    const name = imageName(frames ? { ...row, frame_number: null } : row, index);
    return element(
      "button",
      {
        class: "image-choice",
        attributes: { type: "button", "data-keys": run.map(({ key }) => key).join(" ") },
        on: { click: () => this.reading.chooseImage(row.key) },
      },
      element("span", {}, frames ? `${name} · ${texts.study.frames(run.length)}` : name),
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
    const { key = "" } = this.reading.imageRow ?? {};
    for (const button of this.querySelectorAll<HTMLButtonElement>("button[data-keys]"))
      button.setAttribute("aria-pressed", String(button.dataset.keys?.split(" ").includes(key)));
  }
}

export function imageName(row: ImageRow, index: number): string {
  const { study } = texts;
  const frame = row.frame_number === null ? "" : study.frame(row.frame_number);
  const parts = [row.series_description, row.view_position, frame].filter(Boolean);
  return parts.length > 0 ? parts.join(" ") : study.image(index + 1);
}

customElements.define("cl-images", Images);
