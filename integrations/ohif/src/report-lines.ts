/**
 * Draws a report's image again until the report's line is on it.
 *
 * OHIF 3.13 tells the tool that draws a report's regions which of them belong to a viewport, after the image is
 * on the screen, and does not ask for another drawing: on a slow machine the line is missing until somebody
 * zooms.
 */

import { type CornerstoneViewport, IMAGE_RENDERED, type Ohif } from "./ohif";

const WAIT_MS = 250;
/** A report whose lines all lie on other slices has none to wait for. */
const TRIES = 40;

export class ReportLines {
  /** How often each image was drawn again already; an image of another address starts anew. */
  readonly #tries = new WeakMap<HTMLElement, { image: string; count: number }>();

  constructor(readonly ohif: Ohif) {}

  start(): void {
    document.addEventListener(IMAGE_RENDERED, (event) => this.#rendered(event), true);
  }

  #rendered(event: Event): void {
    const { viewportId } = (event as CustomEvent<{ viewportId?: string }>).detail ?? {};
    const viewport = this.ohif.viewport(viewportId ?? null);
    if (!viewport || hasLines(viewport) || !this.ohif.showsReport(viewport.id)) return;
    const image = viewport.getCurrentImageId?.() ?? "";
    const known = this.#tries.get(viewport.element);
    const count = known?.image === image ? known.count + 1 : 1;
    if (count > TRIES) return;
    this.#tries.set(viewport.element, { image, count });
    setTimeout(() => viewport.element.isConnected && viewport.render?.(), WAIT_MS);
  }
}

const hasLines = (viewport: CornerstoneViewport): boolean =>
  viewport.element.querySelector("svg.svg-layer :is(polyline, path, line)") !== null;
