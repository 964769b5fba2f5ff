/** <cl-stage>: the viewports of a layout, and the legend beside them. */

import { fill } from "../element";
import type { Reading } from "../reading";
import type { Layout } from "../view";
import { Legend } from "./legend";
import { type Pane, Viewport } from "./viewport";

const IMAGE: Pane = { axis: 0, content: "image" };
const MAP: Pane = { axis: 0, content: "map" };

const PANES: Record<Layout, readonly Pane[]> = {
  one: [MAP],
  side: [IMAGE, MAP],
  swipe: [MAP],
  planes: [MAP],
};

export class Stage extends HTMLElement {
  #viewports: Viewport[] = [];
  #panes: readonly Pane[] = [];

  constructor() {
    super();
    this.id = "stage";
    this.className = "stage";
    this.setAttribute("role", "main");
  }

  /** The viewport that keys act on. */
  get active(): Viewport | undefined {
    return this.#viewports.at(-1);
  }

  /** The viewports that the layout asks for; those that are there already stay. */
  show(reading: Reading): void {
    const panes = PANES[reading.view.layout];
    if (this.#panes === panes && this.#viewports.every((one) => one.isConnected)) return;
    this.#panes = panes;
    this.dataset.layout = reading.view.layout;
    const peers = (): Viewport[] => this.#viewports;
    this.#viewports = panes.map((pane) => new Viewport(reading, pane, peers));
    fill(this, ...this.#viewports, new Legend(reading));
  }

  /** Words, where there is no image to show. */
  say(shown: HTMLElement): void {
    this.#viewports = [];
    this.#panes = [];
    const [now] = this.children;
    if (now?.textContent !== shown.textContent) fill(this, shown);
  }
}

customElements.define("cl-stage", Stage);
