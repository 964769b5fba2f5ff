/** <cl-explained-by>: which model and which method is looked at, and what is said where there is no map yet. */

import { element, fill } from "../element";
import type { Reading } from "../reading";
import { methodName, texts } from "../texts";
import type { ExplanationRow } from "../types";
import { failure, message } from "./message";

export class ExplainedBy extends HTMLElement {
  readonly #abort = new AbortController();
  #shown = "";

  constructor(readonly reading: Reading) {
    super();
  }

  connectedCallback(): void {
    const { signal } = this.#abort;
    for (const type of ["data", "view"]) this.reading.addEventListener(type, () => this.#build(), { signal });
    this.#build();
  }

  disconnectedCallback(): void {
    this.#abort.abort();
  }

  #build(): void {
    const { explanationRow: chosen, explanationError, imageRow } = this.reading;
    const rows = imageRow?.explanations ?? [];
    const shown = JSON.stringify([rows, chosen?.key, String(explanationError)]);
    if (shown === this.#shown) return;
    this.#shown = shown;
    fill(this, chosen && this.#choosers(rows, chosen), this.#state(chosen));
  }

  #choosers(rows: ExplanationRow[], chosen: ExplanationRow): HTMLElement {
    const models = new Map(rows.map((row) => [modelName(row), row]));
    const methods = rows.filter((row) => modelName(row) === modelName(chosen));
    const model = [...models].map(([name, row]) => {
      const same = rows.find((one) => modelName(one) === name && one.method === chosen.method);
      return { name, key: name === modelName(chosen) ? chosen.key : (same ?? row).key };
    });
    const method = methods.map((row) => ({ name: methodName(row.method), key: row.key }));
    return element(
      "div",
      { class: "choosers" },
      this.#chooser(texts.study.model, model, chosen.key),
      this.#chooser(texts.study.method, method, chosen.key),
    );
  }

  /** A list to choose from; plain text where there is only one. */
  #chooser(label: string, options: { name: string; key: string }[], chosen: string): HTMLElement {
    const [only] = options;
    const select = element(
      "select",
      { on: { change: () => this.reading.chooseExplanation(select.value) } },
      ...options.map(({ name, key }) => element("option", { attributes: { value: key } }, name)),
    );
    select.value = chosen;
    const content = options.length > 1 ? select : element("span", { class: "only" }, only?.name ?? "");
    return element("label", { class: "chooser" }, element("span", { class: "weak" }, label), content);
  }

  #state(chosen: ExplanationRow | undefined): HTMLElement | null {
    const { messages } = texts;
    if (!chosen) return message({ title: messages.noExplanation, how: messages.noExplanationHow });
    if (chosen.state === "waiting")
      return message({ title: messages.waiting, how: messages.waitingHow, busy: true });
    if (chosen.state === "refused") return message({ title: messages.refused, how: chosen.reason ?? "" });
    const { explanationError } = this.reading;
    return explanationError ? failure(explanationError, () => this.reading.retry()) : null;
  }
}

const modelName = (row: ExplanationRow): string => `${row.model} ${row.model_version}`;

customElements.define("cl-explained-by", ExplainedBy);
