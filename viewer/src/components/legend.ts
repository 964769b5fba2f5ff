/** <cl-legend>: what the colours mean, in logits, beside the image as long as the map is on. */

import { diverging } from "../colour";
import { element, write } from "../element";
import { number } from "../format";
import { ends, ramp, STEPS } from "../ramp";
import type { Reading } from "../reading";
import { texts } from "../texts";

export class Legend extends HTMLElement {
  readonly #abort = new AbortController();
  readonly #bar = element("canvas", { attributes: { width: 1, height: STEPS, role: "img" } });
  readonly #ticks = [0, 1, 2].map(() => element("span", { class: "tick numbers" }));
  readonly #unit = element("span", {});
  readonly #note = element("span", { class: "weak" });
  #drawn = "";

  constructor(readonly reading: Reading) {
    super();
    const ramp = element(
      "div",
      { class: "ramp" },
      this.#bar,
      element("div", { class: "ticks" }, ...this.#ticks),
    );
    const words = element("div", { class: "legend-words" }, this.#unit, this.#note);
    this.append(words, ramp);
  }

  connectedCallback(): void {
    const { signal } = this.#abort;
    for (const type of ["data", "view"]) this.reading.addEventListener(type, () => this.#draw(), { signal });
    this.#draw();
  }

  disconnectedCallback(): void {
    this.#abort.abort();
  }

  #draw(): void {
    const { reading } = this;
    const { finding, opacity, colourMap } = reading.view;
    this.classList.toggle("off", !reading.mapShown);
    if (finding === null || !reading.explanation) return;
    const relative = reading.explanation.record.saliency_map.unit === "relative";
    const scale = reading.scale(finding);
    const wanted = JSON.stringify([scale, opacity, colourMap, relative]);
    if (wanted === this.#drawn) return;
    this.#drawn = wanted;
    const low = diverging(colourMap) ? -scale : 0;
    this.#paint(low, scale);
    this.#write(low, scale, relative);
  }

  #write(low: number, high: number, relative: boolean): void {
    const { legend } = texts;
    const unit = relative ? legend.relative : legend.logits;
    const words = ends(low, high);
    this.#ticks.forEach((tick, i) => {
      write(tick, words[i] ?? "");
    });
    write(this.#unit, relative ? legend.relativeTitle : legend.title);
    write(this.#note, relative ? legend.own : legend.fixed);
    this.#bar.setAttribute("aria-label", legend.label(number(low), number(high), unit));
  }

  #paint(low: number, high: number): void {
    const { opacity, colourMap } = this.reading.view;
    const picture = new ImageData(ramp(low, high, opacity / 100, colourMap), 1, STEPS);
    this.#bar.getContext("2d")?.putImageData(picture, 0, 0);
  }
}

customElements.define("cl-legend", Legend);
