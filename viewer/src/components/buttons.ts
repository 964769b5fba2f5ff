/** Buttons that name their key: for toolbars and panels. */

import { element } from "../element";
import { type Icon, icon } from "../icons";
import { texts } from "../texts";

interface Face {
  /** What the button is called; shown, or said where there is an icon. */
  name: string;
  title: string;
  key: string;
  icon?: Icon;
}

/** A button that does something once. */
export function action(face: Face, run: () => void): HTMLButtonElement {
  const attributes = {
    type: "button",
    title: texts.tools.withKey(face.title, face.key),
    "aria-keyshortcuts": face.key,
    "aria-label": face.icon ? face.name : null,
  };
  return element("button", { attributes, on: { click: run } }, face.icon ? icon(face.icon) : face.name);
}

/** A button that stays pressed as long as `on()`; it is disabled while not `able()`. */
export interface Switch {
  button: HTMLButtonElement;
  on: () => boolean;
  able: () => boolean;
}

export function toggle(
  face: Face,
  run: () => void,
  on: () => boolean,
  able: () => boolean = () => true,
): Switch {
  const button = action(face, run);
  button.setAttribute("aria-pressed", "false");
  return { button, on, able };
}

/** Shows which are pressed and which can be. */
export function mark(switches: readonly Switch[]): void {
  for (const { button, on, able } of switches) {
    button.setAttribute("aria-pressed", String(on()));
    button.disabled = !able();
  }
}

export const group = (...children: HTMLElement[]): HTMLElement =>
  element("div", { class: "group" }, ...children);
