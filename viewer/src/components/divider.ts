/** <cl-divider>: left of it the image alone, right of it with the map; dragged, or moved by arrow keys. */

import { percent } from "../format";
import type { Reading } from "../reading";
import { texts } from "../texts";

const STEP = 2; // percent of the width
const LARGE_STEP = 10;
const STEPS: Record<string, (now: number) => number> = {
  ArrowLeft: (now) => now - STEP,
  ArrowDown: (now) => now - STEP,
  ArrowRight: (now) => now + STEP,
  ArrowUp: (now) => now + STEP,
  PageDown: (now) => now - LARGE_STEP,
  PageUp: (now) => now + LARGE_STEP,
  Home: () => 0,
  End: () => 100,
};

export class Divider extends HTMLElement {
  readonly #abort = new AbortController();

  constructor(readonly reading: Reading) {
    super();
    this.tabIndex = 0;
    this.setAttribute("role", "slider");
    this.setAttribute("aria-label", texts.compare.divider);
    this.setAttribute("aria-valuemin", "0");
    this.setAttribute("aria-valuemax", "100");
    this.title = texts.compare.dividerTitle;
  }

  connectedCallback(): void {
    const { signal } = this.#abort;
    this.reading.addEventListener("view", () => this.#place(), { signal });
    this.addEventListener("pointerdown", (event) => this.#begin(event), { signal });
    this.addEventListener("keydown", (event) => this.#pressed(event), { signal });
    this.addEventListener("dblclick", (event) => this.#centre(event), { signal });
    this.#place();
  }

  disconnectedCallback(): void {
    this.#abort.abort();
  }

  #place(): void {
    const { swipe } = this.reading.view;
    this.parentElement?.style.setProperty("--swipe", `${swipe}%`);
    this.setAttribute("aria-valuenow", String(Math.round(swipe)));
    this.setAttribute("aria-valuetext", texts.compare.dividerAt(percent(swipe / 100)));
  }

  #move(swipe: number): void {
    this.reading.change({ swipe: Math.min(100, Math.max(0, swipe)) });
  }

  /** The viewport under it would window the image. */
  #begin(event: PointerEvent): void {
    event.stopPropagation();
    if (event.button !== 0) return;
    this.setPointerCapture(event.pointerId);
    const ended = new AbortController();
    const { signal } = ended;
    this.addEventListener("pointermove", (moved) => this.#drag(moved), { signal });
    for (const type of ["pointerup", "pointercancel"])
      this.addEventListener(type, () => ended.abort(), { signal });
  }

  #drag(event: PointerEvent): void {
    const box = this.parentElement?.getBoundingClientRect();
    if (box && box.width > 0) this.#move((100 * (event.clientX - box.left)) / box.width);
  }

  #pressed(event: KeyboardEvent): void {
    const step = STEPS[event.key];
    if (!step || event.ctrlKey || event.metaKey || event.altKey || event.shiftKey) return;
    event.preventDefault();
    event.stopPropagation();
    this.#move(step(this.reading.view.swipe));
  }

  #centre(event: MouseEvent): void {
    event.stopPropagation();
    this.#move(50);
  }
}

customElements.define("cl-divider", Divider);
