/** <cl-worklist>: the studies, one row each. */

import * as api from "../api";
import { connection } from "../connection";
import { element, fill } from "../element";
import { date, description, personName, probability } from "../format";
import { texts } from "../texts";
import type { FindingSummary, StudyRow } from "../types";
import { DEFAULT_VIEW, type Place, toAddress } from "../view";
import { failure, message } from "./message";
import { probabilityBar } from "./probability";

const LOOK_AGAIN_MS = 4000;
const SHOWN_FINDINGS = 3;

export class Worklist extends HTMLElement {
  #timer: ReturnType<typeof setTimeout> | undefined;
  #shown = "";
  readonly #reload = () => connection.state === "up" && this.#load();

  connectedCallback(): void {
    connection.addEventListener("change", this.#reload);
    fill(this, skeleton());
    this.#load();
  }

  disconnectedCallback(): void {
    connection.removeEventListener("change", this.#reload);
    clearTimeout(this.#timer);
  }

  follow(place: Place): boolean {
    return place.page === "worklist";
  }

  async #load(): Promise<void> {
    clearTimeout(this.#timer);
    try {
      const studies = await api.studies();
      if (!this.isConnected) return;
      this.#show(studies);
      this.#timer = setTimeout(() => this.#load(), LOOK_AGAIN_MS); // studies arrive by themselves
    } catch (error) {
      if (error instanceof api.Refused)
        fill(
          this,
          failure(error, () => this.#load()),
        );
    }
  }

  #show(studies: StudyRow[]): void {
    const content = JSON.stringify(studies);
    if (content === this.#shown) return;
    this.#shown = content;
    fill(
      this,
      studies.length > 0
        ? page(studies)
        : message({ title: texts.worklist.empty, how: texts.worklist.emptyHow }),
    );
  }
}

function page(studies: StudyRow[]): HTMLElement {
  return element(
    "div",
    { class: "worklist" },
    element(
      "div",
      { class: "worklist-title" },
      element("h1", {}, texts.worklist.title),
      element("span", { class: "weak" }, texts.worklist.count(studies.length)),
    ),
    table(element("tbody", {}, ...studies.map(row))),
  );
}

function table(body: HTMLElement): HTMLElement {
  const words = texts.worklist;
  const named = [words.patient, words.date, words.description, words.modality, words.images, words.findings];
  const heads = named.map((text) => element("th", { attributes: { scope: "col" } }, text));
  return element("table", {}, element("thead", {}, element("tr", {}, ...heads)), body);
}

function row(study: StudyRow): HTMLElement {
  const { worklist } = texts;
  const address = toAddress({ page: "study", study: study.key, view: DEFAULT_VIEW });
  const patient = personName(study.patient_name) || worklist.unnamed;
  const link = element(
    "a",
    { attributes: { href: address, "aria-label": worklist.open(patient, description(study.description)) } },
    patient,
  );
  const who = element(
    "td",
    { class: "who" },
    element("span", { class: "name" }, link, study.phantom && phantomBadge()),
    element("span", { class: "weak" }, study.patient_id),
  );
  return element(
    "tr",
    { on: { click: () => link.click() } },
    who,
    element("td", { class: "numbers" }, date(study.study_date) || weak(worklist.noDate)),
    element("td", {}, description(study.description) || weak(worklist.noDescription)),
    element("td", {}, study.modality),
    element("td", { class: "numbers" }, String(study.images)),
    element("td", { class: "strongest" }, strongest(study)),
  );
}

const weak = (text: string): HTMLElement => element("span", { class: "weak" }, text);

export function phantomBadge(): HTMLElement {
  return element("span", { class: "badge", attributes: { title: texts.phantomTitle } }, texts.phantom);
}

function strongest(study: StudyRow): HTMLElement {
  if (study.state !== "explained" && study.findings.length === 0)
    return element("span", { class: `state ${study.state}` }, texts.states[study.state]);
  const shown = study.findings.slice(0, SHOWN_FINDINGS);
  return element("ul", {}, ...shown.map(finding));
}

function finding(one: FindingSummary): HTMLElement {
  const below = one.reported === false;
  return element(
    "li",
    { class: below ? "below" : "", attributes: { title: below ? texts.finding.belowOperatingPoint : null } },
    element("span", { class: "finding-name" }, one.name),
    probabilityBar(one.probability, one.operating_point),
    element("span", { class: "numbers" }, probability(one.probability)),
  );
}

function skeleton(): HTMLElement {
  const bars = Array.from({ length: 6 }, () => element("div", { class: "skeleton-row" }));
  return element(
    "div",
    { class: "worklist", attributes: { "aria-busy": "true", "aria-label": texts.messages.loading } },
    element("div", { class: "worklist-title" }, element("h1", {}, texts.worklist.title)),
    ...bars,
  );
}

customElements.define("cl-worklist", Worklist);
