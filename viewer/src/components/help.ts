/** The overlay of keys: a dialog made from a page's table of keys, so that it cannot say anything else. */

import { element } from "../element";
import { texts } from "../texts";

interface Named {
  shown: string;
  meaning: string;
}

/** Opens it in the page or desk that it was asked from, whose styles it has. */
export function openHelp(within: HTMLElement, keys: readonly Named[], mouse: readonly string[] = []): void {
  if (within.querySelector("dialog.help")) return;
  const { help } = texts;
  const dialog = element("dialog", { class: "help", attributes: { "aria-labelledby": "help-title" } });
  const close = element(
    "button",
    { attributes: { type: "button" }, on: { click: () => dialog.close() } },
    help.close,
  );
  dialog.append(
    element(
      "div",
      { class: "section-head" },
      element("h1", { attributes: { id: "help-title" } }, help.title),
      close,
    ),
    element("div", { class: "help-columns" }, keyList(keys), mouse.length > 0 && mouseList(mouse)),
    element("p", { class: "weak" }, texts.notice),
  );
  dialog.addEventListener("close", () => dialog.remove());
  dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
  within.append(dialog);
  dialog.showModal();
}

function keyList(keys: readonly Named[]): HTMLElement {
  const lines = keys.map(({ shown, meaning }) =>
    element(
      "div",
      {},
      element("dt", {}, ...shown.split("  ").flatMap((key) => [element("kbd", {}, key), " "])),
      element("dd", {}, meaning),
    ),
  );
  return element("section", {}, element("h2", {}, texts.help.keyboard), element("dl", {}, ...lines));
}

function mouseList(mouse: readonly string[]): HTMLElement {
  const lines = mouse.map((meaning) => element("li", {}, meaning));
  return element("section", {}, element("h2", {}, texts.help.mouse), element("ul", {}, ...lines));
}
