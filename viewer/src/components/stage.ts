/** <cl-stage>: the viewports of a layout, and the legend beside them. */

import { fill } from "../element";
import type { Reading } from "../reading";
import type { Layout } from "../view";
import { Divider } from "./divider";
import { Legend } from "./legend";
import { type Pane, Viewport } from "./viewport";

const IMAGE: Pane = { axis: 0, content: "image" };
const MAP: Pane = { axis: 0, content: "map" };

const PLANES = ([0, 1, 2] as const).map((axis): Pane => ({ axis, content: "map" }));
const ONE_PLANE = PLANES.map((pane) => [pane]);

const PANES: Record<Layout, readonly Pane[]> = {
  one: [MAP],
  side: [IMAGE, MAP],
  swipe: [MAP],
  planes: PLANES,
};

function panesOf({ view, slices }: Reading): readonly Pane[] {
  if (view.layout !== "planes") return PANES[view.layout];
  if (slices < 2) return PANES.one;
  return (view.alone === null ? undefined : ONE_PLANE[view.alone]) ?? PLANES;
}

export class Stage extends HTMLElement {
  #viewports: Viewport[] = [];
  #legend: Legend | null = null;
  #panes: readonly Pane[] = [];
  #active: Viewport | null = null;

  constructor() {
    super();
    for (const type of ["focusin", "pointerdown"])
      this.addEventListener(type, (event) => this.#turnTo(event));
    this.id = "stage";
    this.className = "stage";
  }

  /** The viewport that keys act on: the plane that was last pointed at, else that of the slices. */
  get active(): Viewport | undefined {
    const planes = this.#panes === PLANES;
    if (planes && this.#active?.isConnected) return this.#active;
    return planes ? this.#viewports[0] : this.#viewports.at(-1);
  }

  get viewports(): readonly Viewport[] {
    return this.#viewports;
  }

  /** What the colours mean, while there are viewports. */
  get legend(): Legend | null {
    return this.#legend;
  }

  #turnTo(event: Event): void {
    const found = event.target instanceof Element && event.target.closest("cl-viewport");
    if (found instanceof Viewport) this.#active = found;
  }

  /** The viewports that the layout asks for; those that are there already stay. */
  show(reading: Reading): void {
    const panes = panesOf(reading);
    if (this.#panes === panes && this.#viewports.every((one) => one.isConnected)) return;
    this.#panes = panes;
    // Or the keys would go to the page around us: a notebook has its own.
    const focused = this.matches(":focus-within");
    this.dataset.layout = reading.view.layout;
    this.dataset.panes = String(panes.length);
    const peers = (): Viewport[] => this.#viewports;
    this.#viewports = panes.map((pane) => new Viewport(reading, pane, peers));
    if (reading.view.layout === "swipe") this.#viewports[0]?.append(new Divider(reading));
    this.#legend = new Legend(reading);
    fill(this, ...this.#viewports, this.#legend);
    if (focused) this.active?.focus({ preventScroll: true });
  }

  /** Words, where there is no image to show. */
  say(shown: HTMLElement): void {
    this.#viewports = [];
    this.#panes = [];
    this.#legend = null;
    const [now] = this.children;
    if (now?.textContent !== shown.textContent) fill(this, shown);
  }
}

customElements.define("cl-stage", Stage);
