/** <cl-worklist-filters>: what is wanted of the studies, in one line above them. */

import { element, fill } from "../element";
import { ALL_STUDIES, isFiltered, STATES, type StudySearch } from "../study-search";
import { texts } from "../texts";
import { overviewTexts } from "../texts-overviews";
import type { StudyChoices } from "../types";

const TYPING_MS = 200;
const words = overviewTexts.worklist;

/** Says "search" with what is wanted now. */
export class WorklistFilters extends HTMLElement {
  #search: StudySearch = ALL_STUDIES;
  #choices: StudyChoices = { findings: [], modalities: [] };
  #timer: ReturnType<typeof setTimeout> | undefined;
  readonly #text = this.#field("search", words.search, (value) => this.#typed(value));
  readonly #finding = this.#select(words.finding, "finding");
  readonly #percent = this.#field("number", words.probability, (value) =>
    this.#change({ probability: Math.min(100, Math.max(0, Number(value) || 0)) / 100 }),
  );
  readonly #reported = this.#toggle(words.reported, words.reportedTitle, "reported");
  readonly #flagged = this.#toggle(words.flagged, words.flaggedTitle, "flagged");
  readonly #from = this.#field("date", words.firstDate, (value) =>
    this.#change({ first_date: value.replaceAll("-", "") }),
  );
  readonly #to = this.#field("date", words.lastDate, (value) =>
    this.#change({ last_date: value.replaceAll("-", "") }),
  );
  readonly #modality = this.#select(words.modality, "modality");
  readonly #state = this.#select(words.state, "state");
  readonly #clear = element(
    "button",
    { class: "plain", attributes: { type: "button" }, on: { click: () => this.#change(ALL_STUDIES) } },
    words.clear,
  );

  connectedCallback(): void {
    this.setAttribute("role", "search");
    this.#text.placeholder = words.searchIn;
    this.#text.title = texts.tools.withKey(words.searchIn, "/");
    for (const [name, value] of Object.entries({ min: 0, max: 100, step: 5 }))
      this.#percent.setAttribute(name, String(value));
    fill(
      this,
      this.#text,
      group(this.#finding, element("span", { class: "weak" }, "≥"), this.#percent, "%"),
      group(this.#reported, this.#flagged),
      group(this.#from, element("span", { class: "weak" }, "–"), this.#to),
      this.#modality,
      this.#state,
      this.#clear,
    );
    this.#write();
  }

  disconnectedCallback(): void {
    clearTimeout(this.#timer);
  }

  get search(): StudySearch {
    return this.#search;
  }

  /** Shows what is searched for; says nothing. */
  set search(search: StudySearch) {
    this.#search = search;
    this.#write();
  }

  set choices(choices: StudyChoices) {
    this.#choices = choices;
    this.#offer();
  }

  /** The keyboard goes to the text. */
  type(): void {
    this.#text.focus();
    this.#text.select();
  }

  #change(part: Partial<StudySearch>): void {
    clearTimeout(this.#timer);
    this.search = { ...this.#search, text: this.#text.value, ...part };
    this.dispatchEvent(new Event("search"));
  }

  #typed(text: string): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#change({ text }), TYPING_MS);
  }

  #write(): void {
    const search = this.#search;
    set(this.#text, search.text);
    set(this.#percent, search.probability > 0 ? String(Math.round(search.probability * 100)) : "");
    set(this.#from, dashed(search.first_date));
    set(this.#to, dashed(search.last_date));
    this.#offer();
    this.#reported.setAttribute("aria-pressed", String(search.reported));
    this.#flagged.setAttribute("aria-pressed", String(search.flagged));
    this.#clear.disabled = !isFiltered(search);
  }

  #offer(): void {
    const { finding, modality, state } = this.#search;
    const { findings, modalities } = this.#choices;
    options(this.#finding, words.anyFinding, finding, named(findings));
    options(this.#modality, words.anyModality, modality, named(modalities));
    options(
      this.#state,
      words.anyState,
      state,
      STATES.map((one) => [one, words.states[one]]),
    );
  }

  #field(type: string, label: string, changed: (value: string) => void): HTMLInputElement {
    const made: HTMLInputElement = element("input", {
      attributes: { type, "aria-label": label, title: label, maxlength: type === "search" ? 200 : null },
      on: { [type === "search" ? "input" : "change"]: () => changed(made.value) },
    });
    return made;
  }

  #select(label: string, name: "finding" | "modality" | "state"): HTMLSelectElement {
    const made: HTMLSelectElement = element("select", {
      attributes: { "aria-label": label, title: label },
      on: { change: () => this.#change({ [name]: made.value }) },
    });
    return made;
  }

  #toggle(text: string, title: string, name: "reported" | "flagged"): HTMLButtonElement {
    const press = (): void => this.#change({ [name]: !this.#search[name] });
    return element("button", { attributes: { type: "button", title }, on: { click: press } }, text);
  }
}

const group = (...parts: (HTMLElement | string)[]): HTMLElement =>
  element("span", { class: "filter-group" }, ...parts);

const named = (values: readonly string[]): [string, string][] => values.map((value) => [value, value]);

/** Leaves what is being typed in peace. */
function set(field: HTMLInputElement, value: string): void {
  if (field.value !== value && document.activeElement !== field) field.value = value;
  else if (value === "") field.value = "";
}

/** A choice that is not there by now is offered all the same: it is what is searched for. */
function options(
  select: HTMLSelectElement,
  any: string,
  chosen: string,
  values: readonly (readonly [string, string])[],
): void {
  const all = values.some(([value]) => value === chosen) || !chosen ? values : [...values, [chosen, chosen]];
  fill(select, ...[["", any], ...all].map(([value, text]) => new Option(text, value)));
  select.value = chosen;
}

const dashed = (day: string): string => day.replace(/^(\d{4})(\d{2})(\d{2})$/, "$1-$2-$3");

customElements.define("cl-worklist-filters", WorklistFilters);
