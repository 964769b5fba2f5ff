/** <cl-legend>: what the colours mean, in logits, beside the image as long as the map is on. */

import { type ColourMap, diverging } from "../colour";
import { element, write } from "../element";
import { number } from "../format";
import { ends, ramp, STEPS } from "../ramp";
import type { Reading } from "../reading";
import { texts } from "../texts";

export class Legend extends HTMLElement {
  readonly #abort = new AbortController();
  readonly bar = element("canvas", { attributes: { width: 1, height: STEPS, role: "img" } });
  readonly ticks = [0, 1, 2].map(() => element("span", { class: "tick numbers" }));
  readonly #unit = element("span", {});
  readonly #note = element("span", { class: "weak" });
  #drawn = "";

  constructor(readonly reading: Reading) {
    super();
    const ramp = element(
      "div",
      { class: "ramp" },
      this.bar,
      element("div", { class: "ticks" }, ...this.ticks),
    );
    const words = element("div", { class: "legend-words" }, this.#unit, this.#note);
    this.append(words, ramp);
  }

  /** What is said of the colours. */
  get words(): string[] {
    return [this.#unit.textContent, this.#note.textContent];
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
    const { opacity, ownScale } = reading.view;
    const { explanation, shown } = reading;
    this.classList.toggle("off", !reading.mapShown);
    if (!shown || !explanation) return;
    const { scale, colourMap, difference } = shown;
    const relative = explanation.record.saliency_map.unit === "relative";
    const wanted = JSON.stringify([scale, opacity, colourMap, relative, difference, ownScale]);
    if (wanted === this.#drawn) return;
    this.#drawn = wanted;
    const low = diverging(colourMap) ? -scale : 0;
    this.#paint(low, scale, colourMap);
    this.#write(low, scale, relative, difference);
  }

  #write(low: number, high: number, relative: boolean, difference: boolean): void {
    const { legend } = texts;
    const title = difference ? legend.differenceTitle : legend.title;
    const own = relative || this.reading.view.ownScale;
    const unit = relative ? legend.relative : legend.logits;
    const words = ends(low, high);
    this.ticks.forEach((tick, i) => {
      write(tick, words[i] ?? "");
    });
    write(this.#unit, relative ? legend.relativeTitle : title);
    write(this.#note, own ? legend.own : legend.fixed);
    this.bar.setAttribute("aria-label", legend.label(number(low), number(high), unit));
  }

  #paint(low: number, high: number, colourMap: ColourMap): void {
    const { opacity } = this.reading.view;
    const picture = new ImageData(ramp(low, high, opacity / 100, colourMap), 1, STEPS);
    this.bar.getContext("2d")?.putImageData(picture, 0, 0);
  }
}

customElements.define("cl-legend", Legend);
