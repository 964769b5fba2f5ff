/** <cl-study>: the page of a study: it is fetched, read at a desk, and the address follows. */

import * as api from "../api";
import { connection } from "../connection";
import { element, fill } from "../element";
import { date, description, personName } from "../format";
import { Reading } from "../reading";
import { record, stationQueue } from "../recorder";
import { texts } from "../texts";
import type { Study } from "../types";
import { type Place, toAddress, type View, WORKLIST } from "../view";
import { ReadingDesk } from "./desk";
import { failure, message } from "./message";
import { phantomBadge } from "./phantom-badge";

/** The address follows the view, but not every pixel of a drag. */
const ADDRESS_DELAY_MS = 250;

/** One for all studies that are opened on this page; what an earlier page left is sent at once. */
const queue = stationQueue();

export class StudyPage extends HTMLElement {
  reading: Reading | null = null;
  readonly #abort = new AbortController();
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
    const { signal } = this.#abort;
    const reading = new Reading(study, this.view, api.station);
    this.reading = reading;
    for (const type of ["view", "data"]) reading.addEventListener(type, () => this.#remember(), { signal });
    record(reading, queue, signal);
    const leave = (): void => {
      location.hash = toAddress(WORKLIST);
    };
    fill(this, new ReadingDesk(reading, { title: who(study), keys: document, leave }));
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
  const name = element("h1", {}, personName(study.patient_name) || texts.study.unnamed);
  const words = about.join("  ·  ");
  const rest = element("span", { class: "weak about numbers", attributes: { title: words } }, words);
  return element("div", { class: "who" }, back, name, study.phantom && phantomBadge(), rest);
}

customElements.define("cl-study", StudyPage);
