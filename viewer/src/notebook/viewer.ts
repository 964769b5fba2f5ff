/**
 * The viewer for notebooks and files: one module that is run once in a page, whoever asks for it first, since
 * a page knows each element by one name only.
 */

import type { Ask } from "./asking";
import { dress, Frame } from "./frame";
import { fromDocument } from "./page";

/** What a cell's script finds in the page. */
export interface Viewer {
  /** Shows an explanation in an element, as long as it is on the screen; returns what takes it away. */
  show: (place: HTMLElement, ask: Ask, finding: number | null) => () => void;
  /** Shows the explanation that the document itself holds. */
  page: (finding: number | null) => void;
}

/** How far around the screen a desk is kept, so that it is there when it is scrolled to. */
const AROUND = "50%";

function show(place: HTMLElement, ask: Ask, finding: number | null): () => void {
  const host = document.createElement("div");
  const root = host.attachShadow({ mode: "open" });
  const leave = (): void => (root.activeElement as HTMLElement | null)?.blur();
  const frame = new Frame(ask, finding, null, leave);
  // JupyterLab would take the keys first: D twice deletes a cell there.
  host.dataset.lmSuppressShortcuts = "true";
  host.addEventListener("keydown", (event) => event.stopPropagation());
  // The wheel scrolls the notebook until the viewer is clicked into.
  host.addEventListener("wheel", (event) => root.activeElement ?? event.stopPropagation(), { capture: true });
  dress(root);
  root.append(frame.element);
  place.replaceChildren(host);
  const observer = new IntersectionObserver(
    (entries) => (entries.at(-1)?.isIntersecting ? frame.open() : frame.close()),
    { rootMargin: AROUND },
  );
  observer.observe(host);
  return () => {
    observer.disconnect();
    frame.close();
  };
}

function page(finding: number | null): void {
  const frame = new Frame(fromDocument, finding, document, () => undefined);
  dress(document);
  document.body.append(frame.element);
  frame.open();
}

Object.assign(globalThis, { camlucidaViewer: { show, page } satisfies Viewer });
