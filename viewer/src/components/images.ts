/** <cl-images>: the images of the study, where there is more than one. */

import { element, fill } from "../element";
import { runs } from "../frames";
import type { Reading } from "../reading";
import { texts } from "../texts";
import type { ImageRow } from "../types";

export class Images extends HTMLElement {
  readonly #abort = new AbortController();

  constructor(readonly reading: Reading) {
    super();
  }

  connectedCallback(): void {
    const { signal } = this.#abort;
    for (const type of ["data", "view"]) this.reading.addEventListener(type, () => this.#mark(), { signal });
    this.#build();
  }

  disconnectedCallback(): void {
    this.#abort.abort();
  }

  #build(): void {
    const listed = runs(this.reading.study.images);
    this.hidden = listed.length < 2;
    if (this.hidden) return;
    const buttons = listed.map((run, i) => element("li", {}, this.#button(run, i)));
    fill(this, element("h2", {}, texts.study.images), element("ul", {}, ...buttons));
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
