/** A page that shows what the station says of many things: asked for once or again and again, built when it differs. */

import { Refused } from "../api";
import { connection } from "../connection";
import { fill } from "../element";
import { texts } from "../texts";
import { failure, message } from "./message";

export abstract class LoadedPage<Content> extends HTMLElement {
  #timer: ReturnType<typeof setTimeout> | undefined;
  #shown = "";
  protected content: Content | null = null;
  readonly #reload = () => connection.state === "up" && this.load();

  /** Milliseconds until the station is asked again; null: not by itself. */
  constructor(readonly every: number | null = null) {
    super();
  }

  protected abstract ask(): Promise<Content>;
  protected abstract build(content: Content): HTMLElement[];

  connectedCallback(): void {
    connection.addEventListener("change", this.#reload);
    fill(this, message({ title: texts.messages.loading, busy: true }));
    this.load();
  }

  disconnectedCallback(): void {
    connection.removeEventListener("change", this.#reload);
    clearTimeout(this.#timer);
  }

  async load(): Promise<void> {
    clearTimeout(this.#timer);
    try {
      const content = await this.ask();
      if (!this.isConnected) return;
      if (this.every !== null) this.#timer = setTimeout(() => this.load(), this.every);
      const text = JSON.stringify(content);
      if (text === this.#shown) return;
      this.#shown = text;
      this.content = content;
      this.show();
    } catch (error) {
      if (!(error instanceof Refused)) return; // the banner says that the station is away
      this.#shown = "";
      fill(
        this,
        failure(error, () => this.load()),
      );
    }
  }

  /** Builds the page; whoever uses the keyboard stays where they were. */
  protected show(): void {
    if (!this.content) return;
    const { activeElement } = document;
    const id = activeElement && this.contains(activeElement) ? activeElement.id : "";
    fill(this, ...this.build(this.content));
    if (id) document.getElementById(id)?.focus();
  }
}
