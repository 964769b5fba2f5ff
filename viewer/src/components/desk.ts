/** <cl-desk>: one study read: findings on the left, the image in the middle, details when asked for. */

import { element, fill } from "../element";
import { KEYS, MOUSE, press } from "../keys";
import type { Reading } from "../reading";
import { texts } from "../texts";
import { Details } from "./details";
import { ExplainedBy } from "./explained-by";
import { FindingCard } from "./finding-card";
import { Findings } from "./findings";
import { FlagForm } from "./flag-form";
import { openHelp } from "./help";
import { Images } from "./images";
import { Judgement } from "./judgement";
import { keeping } from "./keeping";
import { failure, message } from "./message";
import { OtherStudies } from "./other-studies";
import { paper } from "./paper";
import { savePicture } from "./picture";
import { SliceBar } from "./slice-bar";
import { Stage } from "./stage";
import { Toolbar } from "./toolbar";
import type { Viewport } from "./viewport";

/** Where a desk stands: a page of its own, or a notebook among other things. */
export interface Surroundings {
  /** Who or what is looked at. */
  title: HTMLElement;
  /** Where keys are listened to: the whole page, or nothing but the desk (null). */
  keys: Document | null;
  leave: () => void;
}

export class ReadingDesk extends HTMLElement {
  readonly #abort = new AbortController();
  readonly #stage = new Stage();
  readonly #notes = element("ul", { class: "notes" });
  readonly #help = (): void => openHelp(this, KEYS, MOUSE);
  readonly #picture = (): Promise<void> => savePicture(this.reading, this.#stage);

  constructor(
    readonly reading: Reading,
    readonly surroundings: Surroundings,
  ) {
    super();
    const side = element(
      "aside",
      { class: "side", attributes: { "aria-label": texts.study.findings } },
      new Images(reading),
      new ExplainedBy(reading),
      new Findings(reading),
      ...(reading.remarks ? [new FlagForm(reading.remarks)] : []),
      new FindingCard(reading),
      ...(reading.remarks ? [new Judgement(reading.remarks)] : []),
      this.#notes,
      new OtherStudies(reading), // last: what comes late moves nothing that is read
    );
    const head = element("header", { class: "head" }, surroundings.title, new Toolbar(reading, this.#help));
    const middle = element("div", { class: "middle" }, this.#stage, new SliceBar(reading));
    this.append(head, side, middle, new Details(reading, keeping(reading, this.#picture, this.#paper)));
  }

  connectedCallback(): void {
    const { reading } = this;
    const { signal } = this.#abort;
    for (const type of ["view", "data"]) reading.addEventListener(type, () => this.#arrange(), { signal });
    const keys: EventTarget = this.surroundings.keys ?? this;
    keys.addEventListener("keydown", (event) => this.#pressed(event as KeyboardEvent), { signal });
    keys.addEventListener("keyup", (event) => this.#released(event as KeyboardEvent), { signal });
    window.addEventListener("blur", () => reading.hold(false), { signal });
    // After a click the keys belong to the image again: Space hides the map, and presses no button.
    this.addEventListener("click", (event) => this.#giveBackFocus(event), { signal });
    if (this.surroundings.keys) this.#print(signal);
    this.#arrange();
    reading.open();
  }

  /** Paper gets a sheet of its own, made when it is asked for: also by the browser's menu. */
  #print(signal: AbortSignal): void {
    const { reading } = this;
    let made: HTMLElement | null = null;
    const before = (): void => {
      made = paper(reading, this.#stage);
      this.append(made);
    };
    window.addEventListener("beforeprint", before, { signal });
    window.addEventListener("afterprint", () => made?.remove(), { signal });
  }

  disconnectedCallback(): void {
    this.#abort.abort();
    this.reading.close();
  }

  #pressed(event: KeyboardEvent): void {
    if (this.#inDialog) return;
    press(event, {
      reading: this.reading,
      active: () => this.#stage.active,
      picture: this.#picture,
      print: this.#paper,
      help: this.#help,
      leave: this.surroundings.leave,
    });
  }

  /** Prints; null in a notebook, which prints itself. */
  get #paper(): (() => void) | null {
    return this.surroundings.keys && ((): void => window.print());
  }

  #released(event: KeyboardEvent): void {
    if (event.key === " ") this.reading.hold(false);
  }

  get #inDialog(): boolean {
    return (this.getRootNode() as Document | ShadowRoot).querySelector("dialog[open]") !== null;
  }

  /** The viewports that the layout asks for; messages in their place where there is no image. */
  #arrange(): void {
    const { reading } = this;
    this.classList.toggle("with-details", reading.view.details);
    this.#writeNotes();
    const instead = this.#message();
    if (instead) this.#stage.say(instead);
    else this.#stage.show(reading);
  }

  /** What is said where there is no image to show. */
  #message(): HTMLElement | null {
    const { reading } = this;
    if (reading.imageError) return failure(reading.imageError, () => reading.retry());
    if (!reading.imageRow) return message({ title: texts.messages.noImage });
    return reading.image ? null : message({ title: texts.messages.loading, busy: true });
  }

  #writeNotes(): void {
    const { image, explanation } = this.reading;
    const notes = [...(image?.header.notes ?? []), ...(explanation?.record.trust.cautions ?? [])];
    const text = notes.join("\n");
    if (this.#notes.dataset.text === text) return;
    this.#notes.dataset.text = text;
    this.#notes.setAttribute("aria-label", texts.study.notes);
    fill(this.#notes, ...notes.map((note) => element("li", {}, note)));
  }

  #giveBackFocus(event: MouseEvent): void {
    const byMouse = event.detail > 0;
    const control = event.target instanceof Element && event.target.closest("button, input[type=range]");
    const viewport: Viewport | undefined = this.#stage.active;
    if (byMouse && control && !this.#inDialog) viewport?.focus({ preventScroll: true });
  }
}

customElements.define("cl-desk", ReadingDesk);
