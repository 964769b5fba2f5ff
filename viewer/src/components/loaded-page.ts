/** A page that shows what the station says of many things: asked for once or again and again, built when it differs. */

import { Refused } from "../api";
import { connection } from "../connection";
import { fill } from "../element";
import { texts } from "../texts";
import { failure, message } from "./message";

const RELEASES = ["pointerup", "pointercancel"] as const;
/** After which a press that has ended was a click. */
const CLICK_MS = 50;

export abstract class LoadedPage<Content> extends HTMLElement {
  #timer: ReturnType<typeof setTimeout> | undefined;
  #shown = "";
  #isNews = false;
  #isPressed = false;
  /** Answers may overtake each other: only the last question's counts. */
  #asked = 0;
  protected content: Content | null = null;
  readonly #press = () => {
    this.#isPressed = true;
  };
  readonly #released = () => {
    this.#isPressed = false;
    setTimeout(() => this.#showNews(), CLICK_MS);
  };
  readonly #reload = () => connection.state === "up" && this.load();

  /** Milliseconds until the station is asked again; null: not by itself. */
  constructor(readonly every: number | null = null) {
    super();
  }

  protected abstract ask(): Promise<Content>;
  protected abstract build(content: Content): HTMLElement[];

  connectedCallback(): void {
    connection.addEventListener("change", this.#reload);
    this.addEventListener("pointerdown", this.#press);
    for (const type of RELEASES) document.addEventListener(type, this.#released);
    fill(this, message({ title: texts.messages.loading, busy: true }));
    this.load();
  }

  disconnectedCallback(): void {
    connection.removeEventListener("change", this.#reload);
    for (const type of RELEASES) document.removeEventListener(type, this.#released);
    clearTimeout(this.#timer);
  }

  async load(): Promise<void> {
    clearTimeout(this.#timer);
    const asked = ++this.#asked;
    try {
      const content = await this.ask();
      if (!this.isConnected || asked !== this.#asked) return;
      if (this.every !== null) this.#timer = setTimeout(() => this.load(), this.every);
      const text = JSON.stringify(content);
      if (text === this.#shown) return;
      this.#shown = text;
      this.content = content;
      this.#isNews = true;
      this.#showNews();
    } catch (error) {
      if (!(error instanceof Refused) || asked !== this.#asked) return; // the banner says that the station is away
      this.#shown = "";
      fill(
        this,
        failure(error, () => this.load()),
      );
    }
  }

  /** A button that is pressed stays under the finger until it has been clicked. */
  #showNews(): void {
    if (!this.#isNews || this.#isPressed) return;
    this.#isNews = false;
    this.show();
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
