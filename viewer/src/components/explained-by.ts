/** <cl-explained-by>: which model and which method is looked at, and what is said where there is no map yet. */

import { element, fill } from "../element";
import { moment } from "../format";
import type { Reading } from "../reading";
import { methodName, texts } from "../texts";
import type { ExplanationRow, PastRow } from "../types";
import { failure, type Message, message } from "./message";
import { openMethods } from "./methods";

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
    const shown = JSON.stringify([
      imageRow?.explanations,
      imageRow?.past,
      chosen?.key,
      String(explanationError),
    ]);
    if (shown === this.#shown) return;
    this.#shown = shown;
    fill(this, chosen && this.#choosers(chosen), this.#state(chosen));
  }

  #choosers(chosen: ExplanationRow): HTMLElement {
    const { imageRow, pastRow, source } = this.reading;
    const rows = [...(imageRow?.explanations ?? []), ...(imageRow?.past ?? [])];
    const models = new Map(rows.map((row) => [modelName(row), row]));
    const model = [...models].map(([name, row]) => {
      const same = rows.find((one) => modelName(one) === name && one.method === chosen.method);
      const key = name === modelName(chosen) ? chosen.key : (same ?? row).key;
      return { name: "replaced_by" in row ? texts.study.pastModel(name) : name, key };
    });
    const methods = rows.filter((row) => modelName(row) === modelName(chosen));
    const method = methods.map((row) => ({ name: methodName(row.method), key: row.key }));
    return element(
      "div",
      { class: "choosers" },
      this.#chooser(texts.study.model, model, chosen.key),
      this.#chooser(texts.study.method, method, chosen.key),
      source.methods && !pastRow && this.#asking(),
    );
  }

  #asking(): HTMLButtonElement {
    // At the desk: what is said here is built anew while something is computed, and would take it away.
    const open = (): void => openMethods(this.closest<HTMLElement>("cl-desk") ?? this, this.reading);
    return element(
      "button",
      { class: "ask", attributes: { type: "button" }, on: { click: open } },
      texts.study.otherMethod,
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
    const { explanationError, imageRow, pastRow } = this.reading;
    if (!chosen) return message(this.#unexplained(imageRow?.past?.[0]));
    if (chosen.state === "waiting") return message(waiting(chosen));
    if (chosen.state === "refused") return message(this.#without(chosen));
    if (explanationError) return failure(explanationError, () => this.reading.retry());
    return pastRow ? element("p", { class: "told", attributes: { role: "status" } }, past(pastRow)) : null;
  }

  #unexplained(kept: PastRow | undefined): Message {
    const { messages } = texts;
    if (!kept) return { title: messages.noExplanation, how: messages.noExplanationHow };
    return {
      title: messages.noCurrent,
      how: messages.noCurrentHow(modelName(kept)),
      action: { text: messages.showPast, run: () => this.reading.chooseExplanation(kept.key) },
    };
  }

  #without({ failed, reason }: ExplanationRow): Message {
    const { messages } = texts;
    const how = reason ?? "";
    if (!failed) return { title: messages.refused, how };
    const run = (): void => {
      // It stays as it is, with its button; the banner tells of a lost connection.
      this.reading.again().catch(() => undefined);
    };
    return {
      title: messages.notComputed,
      how,
      ...(this.reading.source.again ? { action: { text: messages.again, run } } : {}),
    };
  }
}

function waiting({ since, place, begun }: ExplanationRow): Message {
  const { messages } = texts;
  const title = messages.waiting;
  if (!since) return { title, how: messages.waitingHow, busy: true };
  const when = moment(since);
  if (begun) return { title, how: messages.begun(when), busy: true };
  const where = typeof place === "number" ? messages.place(place) : messages.farBack;
  return { title, how: messages.queued(when, where), busy: true };
}

function past(row: PastRow): string {
  const { messages } = texts;
  const { replaced_by } = row;
  return replaced_by === null
    ? messages.retired(modelName(row))
    : messages.replaced(modelName(row), replaced_by);
}

const modelName = (row: ExplanationRow): string => `${row.model} ${row.model_version}`;

customElements.define("cl-explained-by", ExplainedBy);
