/** The dialog of all methods that the model can be asked for, with what is known of each before. */

import { element, fill } from "../element";
import type { Reading } from "../reading";
import { methodName, texts } from "../texts";
import type { OfferedMethod, OfferedModel } from "../types";
import { failure, message } from "./message";

const { asking } = texts;

/** Opens it in an element, whose styles it has. */
export function openMethods(within: HTMLElement, reading: Reading): void {
  if (within.querySelector("dialog.methods")) return;
  const dialog = element("dialog", {
    class: "help methods",
    attributes: { "aria-labelledby": "methods-title" },
  });
  const close = element(
    "button",
    { attributes: { type: "button" }, on: { click: () => dialog.close() } },
    asking.close,
  );
  const title = element("h1", { attributes: { id: "methods-title" } }, asking.title);
  const body = element("div", {});
  dialog.append(element("div", { class: "section-head" }, title, close), body);
  dialog.addEventListener("close", () => dialog.remove());
  dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
  within.append(dialog);
  dialog.showModal();
  list(dialog, body, reading);
}

async function list(dialog: HTMLDialogElement, body: HTMLElement, reading: Reading): Promise<void> {
  const { imageRow, explanationRow, source } = reading;
  fill(body, message({ title: texts.messages.loading, busy: true }));
  try {
    const models = (imageRow && (await source.methods?.(imageRow.key))) || [];
    const chosen = models.find(({ model }) => model === explanationRow?.model) ?? models[0];
    fill(body, ...(chosen ? offered(chosen, dialog, body, reading) : [element("p", {}, asking.none)]));
  } catch (error) {
    fill(
      body,
      failure(error, () => list(dialog, body, reading)),
    );
  }
}

function offered(
  { model, model_version, methods }: OfferedModel,
  dialog: HTMLDialogElement,
  body: HTMLElement,
  reading: Reading,
): HTMLElement[] {
  const ask = async (method: string): Promise<void> => {
    try {
      await reading.ask(model, method);
      dialog.close();
    } catch (error) {
      fill(
        body,
        failure(error, () => list(dialog, body, reading)),
      );
    }
  };
  const lines = methods.map((one) =>
    element(
      "li",
      {},
      choice(one, () => ask(one.method)),
    ),
  );
  return [
    element("p", { class: "weak" }, asking.how(`${model} ${model_version}`)),
    element("ul", { class: "methods-list" }, ...lines),
  ];
}

function choice({ method, explanation, dear, refused }: OfferedMethod, ask: () => void): HTMLButtonElement {
  const known = refused
    ? asking.refusedBefore(refused)
    : explanation
      ? asking.there
      : dear
        ? asking.dear
        : "";
  return element(
    "button",
    { class: "method-choice", attributes: { type: "button" }, on: { click: ask } },
    element("span", {}, methodName(method)),
    element("span", { class: "weak" }, known),
  );
}
