/** <cl-study>: the reading desk: findings on the left, the image in the middle, details when asked for. */

import * as api from "../api";
import { connection } from "../connection";
import { element, fill } from "../element";
import { date, description, personName } from "../format";
import { press } from "../keys";
import { Reading } from "../reading";
import { texts } from "../texts";
import type { Study } from "../types";
import { type Place, toAddress, type View, WORKLIST } from "../view";
import { Details } from "./details";
import { ExplainedBy } from "./explained-by";
import { FindingCard } from "./finding-card";
import { Findings } from "./findings";
import { openHelp } from "./help";
import { Images } from "./images";
import { failure, message } from "./message";
import { SliceBar } from "./slice-bar";
import { Stage } from "./stage";
import { Toolbar } from "./toolbar";
import type { Viewport } from "./viewport";
import { phantomBadge } from "./worklist";

/** The address follows the view, but not every pixel of a drag. */
const ADDRESS_DELAY_MS = 250;

export class StudyPage extends HTMLElement {
  reading: Reading | null = null;
  readonly #abort = new AbortController();
  readonly #stage = new Stage();
  readonly #notes = element("ul", { class: "notes" });
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(
    readonly key: string,
    readonly view: View,
  ) {
    super();
  }

  connectedCallback(): void {
    connection.addEventListener("change", () => this.#restored(), { signal: this.#abort.signal });
    this.#load();
  }

  disconnectedCallback(): void {
    this.#abort.abort();
    this.reading?.close();
    clearTimeout(this.#timer);
  }

  /** The same study, looked at as another address says. */
  follow(place: Place): boolean {
    if (place.page !== "study" || place.study !== this.key) return false;
    if (this.reading) this.#lookAt(this.reading, place.view);
    return true;
  }

  #lookAt(reading: Reading, { image, explanation, ...rest }: View): void {
    if (image && image !== reading.imageRow?.key) reading.chooseImage(image);
    else if (explanation && explanation !== reading.explanationRow?.key)
      reading.chooseExplanation(explanation);
    reading.change(rest);
  }

  async #load(): Promise<void> {
    fill(this, message({ title: texts.messages.loading, busy: true }));
    try {
      const study = await api.station.study(this.key, this.#abort.signal);
      if (this.#abort.signal.aborted) return;
      this.#build(study);
    } catch (error) {
      if (error instanceof api.Refused)
        fill(
          this,
          failure(error, () => this.#load()),
          backLink(),
        );
    }
  }

  #build(study: Study): void {
    const reading = new Reading(study, this.view, api.station);
    this.reading = reading;
    const side = element(
      "aside",
      { class: "side", attributes: { "aria-label": texts.study.findings } },
      new Images(reading),
      new ExplainedBy(reading),
      new Findings(reading),
      new FindingCard(reading),
      this.#notes,
    );
    const head = element("header", { class: "head" }, who(study), new Toolbar(reading, openHelp));
    const middle = element("div", { class: "middle" }, this.#stage, new SliceBar(reading));
    fill(this, head, side, middle, new Details(reading));
    this.#listen(reading);
    this.#arrange();
    reading.open();
  }

  #listen(reading: Reading): void {
    const { signal } = this.#abort;
    const update = (): void => {
      this.#arrange();
      this.#remember();
    };
    reading.addEventListener("view", update, { signal });
    reading.addEventListener("data", update, { signal });
    document.addEventListener("keydown", (event) => this.#pressed(event), { signal });
    document.addEventListener("keyup", (event) => event.key === " " && reading.hold(false), { signal });
    window.addEventListener("blur", () => reading.hold(false), { signal });
    // After a click the keys belong to the image again: Space hides the map, and presses no button.
    this.addEventListener("click", (event) => giveBackFocus(event, this.#stage.active), { signal });
  }

  #pressed(event: KeyboardEvent): void {
    if (!this.reading || document.querySelector("dialog[open]")) return;
    press(event, {
      reading: this.reading,
      placement: () => this.#stage.active?.placement ?? null,
      help: openHelp,
      leave: () => {
        location.hash = toAddress(WORKLIST);
      },
    });
  }

  /** One viewport or two; messages in their place where there is no image. */
  #arrange(): void {
    const { reading } = this;
    if (!reading) return;
    this.classList.toggle("with-details", reading.view.details);
    this.#writeNotes(reading);
    const instead = this.#message(reading);
    if (instead) this.#stage.say(instead);
    else this.#stage.show(reading);
  }

  /** What is said where there is no image to show. */
  #message(reading: Reading): HTMLElement | null {
    if (reading.imageError) return failure(reading.imageError, () => reading.retry());
    if (!reading.imageRow) return message({ title: texts.messages.noImage });
    return reading.image ? null : message({ title: texts.messages.loading, busy: true });
  }

  #writeNotes(reading: Reading): void {
    const notes = [
      ...(reading.image?.header.notes ?? []),
      ...(reading.explanation?.record.trust.cautions ?? []),
    ];
    const text = notes.join("\n");
    if (this.#notes.dataset.text === text) return;
    this.#notes.dataset.text = text;
    this.#notes.setAttribute("aria-label", texts.study.notes);
    fill(this.#notes, ...notes.map((note) => element("li", {}, note)));
  }

  #remember(): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      const { reading } = this;
      if (!reading || !this.isConnected) return;
      const address = toAddress({ page: "study", study: this.key, view: reading.view });
      history.replaceState(null, "", address);
    }, ADDRESS_DELAY_MS);
  }

  #restored(): void {
    if (connection.state !== "up") return;
    if (this.reading) this.reading.retry();
    else this.#load();
  }
}

function giveBackFocus(event: MouseEvent, viewport: Viewport | undefined): void {
  const byMouse = event.detail > 0;
  const control = event.target instanceof Element && event.target.closest("button, input[type=range]");
  if (byMouse && control && !document.querySelector("dialog[open]")) viewport?.focus({ preventScroll: true });
}

function backLink(): HTMLElement {
  const href = toAddress(WORKLIST);
  return element("a", { class: "back", attributes: { href } }, texts.messages.back);
}

function who(study: Study): HTMLElement {
  const about = [study.patient_id, date(study.study_date), description(study.description)].filter(Boolean);
  const back = element(
    "a",
    {
      class: "back",
      attributes: {
        href: toAddress(WORKLIST),
        title: texts.tools.withKey(texts.messages.back, "Esc"),
      },
    },
    `‹ ${texts.study.toWorklist}`,
  );
  const name = element("h1", {}, personName(study.patient_name) || texts.worklist.unnamed);
  const rest = element("span", { class: "weak about numbers" }, about.join("  ·  "));
  return element("div", { class: "who" }, back, name, study.phantom && phantomBadge(), rest);
}

customElements.define("cl-study", StudyPage);
