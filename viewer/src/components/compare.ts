/** <cl-compare>: what the map is held against, and how: its difference, or where signs disagree. */

import { toggleDifference, toggleDisagreement } from "../comparison";
import { comparisonWords, priorHindrance } from "../comparison-words";
import { element, fill, write } from "../element";
import { date, description } from "../format";
import type { Reading } from "../reading";
import { methodName, texts } from "../texts";
import type { Prior } from "../types";
import { group, mark, type Switch, toggle } from "./buttons";

export class Compare extends HTMLElement {
  readonly #abort = new AbortController();
  readonly #select = element("select", {
    attributes: { id: "compare-with" },
    on: { change: () => this.reading.change({ other: this.#select.value || null }) },
  });
  readonly #switches: Switch[];
  readonly #words = element("p", { class: "weak", attributes: { "aria-live": "polite" } });
  readonly #explain = element(
    "button",
    { attributes: { type: "button" }, on: { click: () => this.#explainPrior() } },
    texts.compare.explainPrior,
  );
  #listed = "";

  constructor(readonly reading: Reading) {
    super();
    const { compare } = texts;
    this.#switches = switches(reading);
    this.append(
      element("h2", {}, compare.title),
      element(
        "div",
        { class: "field" },
        element("label", { attributes: { for: "compare-with" } }, compare.with),
        this.#select,
      ),
      group(...this.#switches.map(({ button }) => button)),
      this.#words,
      this.#explain,
    );
  }

  connectedCallback(): void {
    const { signal } = this.#abort;
    for (const type of ["data", "view"])
      this.reading.addEventListener(type, () => this.#update(), { signal });
    this.#update();
  }

  disconnectedCallback(): void {
    this.#abort.abort();
  }

  #update(): void {
    const { comparison, view } = this.reading;
    if (!view.details) return;
    comparison.findPriors();
    this.#list();
    mark(this.#switches);
    write(this.#words, comparisonWords(comparison).join(" "));
    this.#explain.hidden = !this.#unexplained;
  }

  /** The latest prior, where all that is missing is its map. */
  get #unexplained(): Prior | null {
    const latest = this.reading.comparison.priors?.[0];
    return latest?.hindrance === "not explained" && this.reading.source.ask ? latest : null;
  }

  #explainPrior(): void {
    const prior = this.#unexplained;
    if (!prior) return;
    this.#explain.disabled = true;
    this.reading.comparison.explainPrior(prior).finally(() => {
      this.#explain.disabled = false;
    });
  }

  #list(): void {
    const { comparison, view } = this.reading;
    const priors = comparison.priors ?? [];
    const listed = JSON.stringify([comparison.methods, priors]);
    if (listed !== this.#listed) {
      this.#listed = listed;
      const methods = comparison.methods.map(({ key, method }) => option(key, methodName(method)));
      fill(
        this.#select,
        option("", texts.compare.nothing),
        options(texts.compare.methods, methods),
        options(texts.compare.priors, priors.map(priorOption)),
      );
    }
    this.#select.value = view.other ?? "";
  }
}

function switches(reading: Reading): Switch[] {
  const { compare } = texts;
  const able = (): boolean => reading.explanation !== null;
  return [
    toggle(
      { name: compare.difference, title: compare.differenceTitle, key: "N" },
      () => toggleDifference(reading),
      () => reading.view.difference,
      able,
    ),
    toggle(
      { name: compare.disagreement, title: compare.disagreementTitle, key: "Q" },
      () => toggleDisagreement(reading),
      () => reading.view.disagreement,
      able,
    ),
  ];
}

const option = (value: string, text: string): HTMLOptionElement =>
  element("option", { attributes: { value } }, text);

const options = (label: string, all: HTMLOptionElement[]): HTMLElement | false =>
  all.length > 0 && element("optgroup", { attributes: { label } }, ...all);

/** What cannot be compared is there, and says why. */
function priorOption(prior: Prior): HTMLOptionElement {
  const name = [date(prior.study_date), description(prior.description), prior.view_position];
  const made = option(prior.explanation ?? "", name.filter(Boolean).join(" "));
  if (prior.hindrance === null) return made;
  made.disabled = true;
  made.title = priorHindrance(prior);
  return made;
}

customElements.define("cl-compare", Compare);
