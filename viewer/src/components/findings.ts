/** <cl-findings>: all findings of the model, strongest first, also those below their operating point. */

import { element, fill } from "../element";
import { evidence, type Row, reported, rows, state } from "../finding-rows";
import { probability } from "../format";
import type { Reading } from "../reading";
import type { Stance } from "../remarks";
import { texts } from "../texts";
import { trustBadge } from "../trust";
import type { Explanation } from "../types";
import { flagMark } from "./flag-mark";
import { probabilityBar } from "./probability";
import { badge } from "./trust-badge";

export class Findings extends HTMLElement {
  readonly #abort = new AbortController();
  #buttons: { button: HTMLButtonElement; marks: HTMLElement; row: Row }[] = [];
  #of: Explanation | null = null;

  constructor(readonly reading: Reading) {
    super();
  }

  connectedCallback(): void {
    const { signal } = this.#abort;
    this.reading.addEventListener("data", () => this.#build(), { signal });
    this.reading.addEventListener("data", () => this.#writeRemarks(), { signal });
    this.reading.addEventListener("view", () => this.#mark(), { signal });
    this.#build();
  }

  disconnectedCallback(): void {
    this.#abort.abort();
  }

  #build(): void {
    const record = this.reading.explanation?.record ?? null;
    if (record === this.#of && record) return;
    this.#of = record;
    this.#buttons = [];
    if (record) fill(this, this.#head(record), this.#list(record));
    else fill(this, this.reading.explanationRow?.state === "explained" && skeleton());
    this.#mark();
  }

  #head(record: Explanation): HTMLElement {
    const all = rows(record);
    const over = all.filter((row) => reported(row) === true).length;
    return element(
      "div",
      { class: "section-head" },
      element("h2", { attributes: { id: "findings-title" } }, texts.study.findings),
      element(
        "span",
        { class: "weak", attributes: { title: texts.study.reportedTitle } },
        texts.study.reported(over, all.length),
      ),
    );
  }

  #list(record: Explanation): HTMLElement {
    const items = rows(record).map((row) => element("li", {}, this.#button(row, record)));
    return element("ol", { attributes: { "aria-labelledby": "findings-title" } }, ...items);
  }

  #button(row: Row, record: Explanation): HTMLButtonElement {
    const marks = element("span", { class: "remark-marks" });
    const trusted = row.map < 0 ? null : trustBadge(record, row.map);
    const button = element(
      "button",
      {
        class: `finding${reported(row) === false ? " below" : ""}`,
        attributes: { type: "button", title: texts.finding.choose(row.name) },
        on: { click: () => this.reading.chooseFinding(row.map) },
      },
      element("span", { class: "finding-name" }, row.name),
      element("span", { class: "finding-marks" }, marks, trusted && badge(trusted)),
      element("span", { class: "finding-probability numbers" }, probability(row.probability)),
      probabilityBar(row.probability, row.operatingPoint),
      element(
        "span",
        { class: "finding-foot" },
        element("span", { class: "numbers" }, evidence(row, record)),
        element("span", {}, state(row)),
      ),
    );
    button.disabled = row.map < 0;
    this.#buttons.push({ button, marks, row });
    return button;
  }

  /** Flags on the map, and what the reader thinks of the finding. */
  #writeRemarks(): void {
    const { remarks } = this.reading;
    if (!remarks) return;
    for (const { marks, row } of this.#buttons) {
      const stance = remarks.ownStance(row.name);
      fill(marks, ...flagMark(remarks.flagsOf(row.name).length), stance && stanceMark(stance));
    }
  }

  #mark(): void {
    for (const { button, row } of this.#buttons) {
      const chosen = row.map >= 0 && row.map === this.reading.view.finding;
      if (chosen && button.ariaPressed !== "true") button.scrollIntoView({ block: "nearest" });
      button.ariaPressed = String(chosen);
    }
  }
}

function stanceMark(stance: Stance): HTMLElement {
  const { own, sign } = texts.opinion;
  const text = own[stance];
  return element(
    "span",
    { class: "stance-mark", attributes: { role: "img", "aria-label": text, title: text } },
    sign[stance],
  );
}

function skeleton(): HTMLElement {
  const bars = Array.from({ length: 5 }, () => element("div", { class: "skeleton-row" }));
  return element(
    "div",
    { attributes: { "aria-busy": "true", "aria-label": texts.messages.loading } },
    ...bars,
  );
}

customElements.define("cl-findings", Findings);
