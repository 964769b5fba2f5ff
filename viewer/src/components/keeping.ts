/** Buttons that keep what is seen: as a picture, or on paper; the patient is named only if asked for. */

import { element } from "../element";
import type { Reading } from "../reading";
import { texts } from "../texts";
import { action, group } from "./buttons";

export function keeping(reading: Reading, save: () => void, print: (() => void) | null): HTMLElement {
  const { picture } = texts;
  const named = element("input", {
    attributes: { type: "checkbox" },
    on: {
      change: () => {
        reading.named = named.checked;
      },
    },
  });
  return element(
    "div",
    { class: "keeping" },
    group(
      action({ name: picture.save, title: picture.saveTitle, key: "U" }, save),
      ...(print ? [action({ name: picture.print, title: picture.printTitle, key: "Shift+P" }, print)] : []),
    ),
    element("label", {}, named, picture.named),
  );
}
