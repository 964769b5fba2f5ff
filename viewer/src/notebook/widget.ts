/**
 * What anywidget runs in each cell: asks the kernel, part by part, and shows. The viewer itself is asked for
 * too, once in a page, so that a notebook with twenty maps does not hold it twenty times.
 */

import type { Ask } from "./asking";
import type { Viewer } from "./viewer";

/** Of anywidget's model, what is used here. */
interface Model {
  get(name: "height" | "finding" | "code" | "loading" | "outdated"): unknown;
  send(content: unknown): void;
  on(event: "msg:custom", callback: Listener): void;
  off(event: "msg:custom", callback: Listener): void;
}

type Listener = (content: Answer, buffers: DataView[]) => void;

interface Answer {
  to: string;
  error?: string;
}

/** What all cells of a page share. */
interface Page {
  camlucidaViewer?: Viewer;
  camlucidaViewerComes?: { code: unknown; viewer: Promise<Viewer> } | undefined;
}

const page = globalThis as Page;

function asking(model: Model, signal: AbortSignal): Ask {
  const waiting = new Map<string, Listener>();
  const answered: Listener = (answer, buffers) => {
    waiting.get(answer.to)?.(answer, buffers);
    waiting.delete(answer.to);
  };
  model.on("msg:custom", answered);
  signal.addEventListener("abort", () => model.off("msg:custom", answered));
  return (name) =>
    new Promise((resolve, reject) => {
      const id = crypto.getRandomValues(new Uint32Array(4)).join("-");
      waiting.set(id, ({ error }, [buffer]) => (buffer ? resolve(copied(buffer)) : reject(new Error(error))));
      model.send({ id, name });
    });
}

/** A buffer of its own: the message's begins anywhere, and arrays of 16 bits begin at even places. */
const copied = ({ buffer, byteOffset, byteLength }: DataView): ArrayBuffer =>
  buffer.slice(byteOffset, byteOffset + byteLength) as ArrayBuffer;

async function load(ask: Ask): Promise<Viewer> {
  const address = URL.createObjectURL(new Blob([await ask("viewer")], { type: "text/javascript" }));
  await import(/* @vite-ignore */ address);
  URL.revokeObjectURL(address);
  return page.camlucidaViewer as Viewer;
}

/** The page's viewer; the first cell brings it. */
function viewer(code: unknown, ask: Ask): Promise<Viewer> {
  const coming = page.camlucidaViewerComes ?? { code, viewer: load(ask) };
  page.camlucidaViewerComes = coming;
  // The next cell tries again.
  coming.viewer.catch(() => {
    page.camlucidaViewerComes = undefined;
  });
  return coming.viewer;
}

export default {
  async render({ model, el }: { model: Model; el: HTMLElement }): Promise<() => void> {
    const ended = new AbortController();
    const ask = asking(model, ended.signal);
    const code = model.get("code");
    el.style.height = `${model.get("height")}px`;
    el.textContent = String(model.get("loading"));
    const shown = (await viewer(code, ask)).show(el, ask, model.get("finding") as number | null);
    if (page.camlucidaViewerComes?.code !== code) el.prepend(String(model.get("outdated")));
    return () => {
      ended.abort();
      shown();
    };
  },
};
