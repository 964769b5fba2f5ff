/** A state in words, in the middle of where something would be: loading, waiting, refused, failed. */

import { Refused } from "../api";
import { element } from "../element";
import { NoWebGL } from "../gl";
import { texts } from "../texts";

export interface Message {
  title: string;
  how?: string;
  action?: { text: string; run: () => void };
  busy?: boolean;
}

export function message({ title, how, action, busy }: Message): HTMLElement {
  return element(
    "div",
    { class: `message${busy ? " busy" : ""}`, attributes: { role: "status" } },
    element("p", { class: "message-title" }, title),
    how && element("p", { class: "message-how" }, how),
    action && element("button", { attributes: { type: "button" }, on: { click: action.run } }, action.text),
  );
}

/** What an error means to the reader; a lost connection and a lost session have their own places. */
export function failure(error: unknown, again: () => void): HTMLElement {
  const how = explained(error);
  return message({ title: texts.messages.failed, how, action: { text: texts.messages.again, run: again } });
}

function explained(error: unknown): string {
  if (error instanceof NoWebGL) return texts.messages.noWebGL;
  if (error instanceof Refused && error.status === 404) return texts.messages.notFound;
  return error instanceof Error ? error.message : String(error);
}
