/** A reading desk outside the station's page: in a notebook's cell, or in a file of its own. */

import { ReadingDesk } from "../components/desk";
import { failure, message } from "../components/message";
import { element, fill } from "../element";
import { Reading } from "../reading";
import base from "../styles/base.css?inline";
import compare from "../styles/compare.css?inline";
import findings from "../styles/findings.css?inline";
import notebook from "../styles/notebook.css?inline";
import print from "../styles/print.css?inline";
import study from "../styles/study.css?inline";
import viewport from "../styles/viewport.css?inline";
import { texts } from "../texts";
import type { Study } from "../types";
import { DEFAULT_VIEW, type View } from "../view";
import { type Ask, asking } from "./asking";

/** Gives a document, or a part of one that nothing else may reach, the viewer's looks. */
export function dress(root: Document | ShadowRoot): void {
  const sheet = new CSSStyleSheet();
  // A notebook prints itself; a file is printed as the page is.
  const printed = root instanceof Document ? [print] : [];
  sheet.replaceSync([notebook, base, study, findings, viewport, compare, ...printed].join("\n"));
  root.adoptedStyleSheets.push(sheet);
}

export class Frame {
  readonly element = element("div", { class: "frame" });
  readonly #desk = element("div", { class: "frame-desk" });
  #study: Study | null = null;
  #view: View;

  constructor(
    readonly ask: Ask,
    /** The finding whose map is on from the start. */
    finding: number | null,
    /** Where keys are listened to; null: the desk. */
    readonly keys: Document | null,
    readonly leave: () => void,
  ) {
    this.#view = { ...DEFAULT_VIEW, finding, map: finding !== null };
    fill(this.element, this.#desk, notice());
  }

  /** Puts the desk there, with what it looked at when it was put away. */
  async open(): Promise<void> {
    fill(this.#desk, message({ title: texts.messages.loading, busy: true }));
    const source = asking(this.ask);
    try {
      this.#study ??= await source.study("");
    } catch (error) {
      fill(
        this.#desk,
        failure(error, () => this.open()),
      );
      return;
    }
    const reading = new Reading(this.#study, this.#view, source);
    reading.addEventListener("view", () => {
      this.#view = reading.view;
    });
    const title = titleOf(this.#study);
    fill(this.#desk, new ReadingDesk(reading, { title, keys: this.keys, leave: this.leave }));
  }

  /** Takes the desk away: browsers draw on a few canvases only. */
  close(): void {
    fill(this.#desk);
  }
}

function titleOf({ description, modality }: Study): HTMLElement {
  const name = description || [modality, texts.viewport.alone].filter(Boolean).join(" ");
  return element("div", { class: "who" }, element("h1", {}, name));
}

function notice(): HTMLElement {
  return element(
    "footer",
    { class: "notice" },
    element("span", { class: "product" }, texts.product),
    texts.notice,
  );
}
