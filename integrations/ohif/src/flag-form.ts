/** <camlucida-flag>: says in one click what is wrong with a map, and that it was kept. */

import { element, fill } from "../../../viewer/src/element";
import { type Evidence, nameOf, type Shown } from "./evidence";
import type { CornerstoneViewport } from "./ohif";
import { SignedOut } from "./station";
import { words } from "./texts";

type Reason = keyof typeof words.flag.reasons;

export interface Flagged {
  evidence: Evidence;
  shown: Shown;
  finding: string;
  viewport: () => CornerstoneViewport | null;
}

const MOST_TEXT = 2000;

export class FlagForm extends HTMLElement {
  #about: Flagged | null = null;
  readonly #text = element("textarea", {
    attributes: {
      maxlength: MOST_TEXT,
      rows: 2,
      placeholder: words.flag.text,
      "aria-label": words.flag.text,
    },
  });

  /** What would be flagged now; null: nothing. */
  about(flagged: Flagged | null): void {
    const same = flagged?.shown === this.#about?.shown && flagged?.finding === this.#about?.finding;
    this.#about = flagged;
    if (!same) this.#close();
  }

  #close(told = ""): void {
    const open = element(
      "button",
      { attributes: { type: "button" }, on: { click: () => this.#open() } },
      words.flag.open,
    );
    fill(
      this,
      this.#about && open,
      told && element("p", { class: "told", attributes: { role: "status" } }, told),
    );
  }

  #open(): void {
    if (!this.#about) return;
    this.#text.value = "";
    const reasons = Object.entries(words.flag.reasons).map(([reason, label]) =>
      element(
        "button",
        {
          attributes: { type: "button", "data-reason": reason },
          on: { click: () => this.#keep(reason as Reason) },
        },
        label,
      ),
    );
    const cancel = { click: () => this.#close() };
    fill(
      this,
      element("h2", {}, words.flag.title(this.#about.finding)),
      this.#text,
      element("div", { class: "reasons" }, ...reasons),
      element("button", { class: "quiet", attributes: { type: "button" }, on: cancel }, words.flag.cancel),
    );
    this.scrollIntoView({ block: "nearest" });
  }

  async #keep(reason: Reason): Promise<void> {
    const about = this.#about;
    const text = this.#text.value.trim();
    if (!about) return;
    if (reason === "other" && !text) {
      this.#text.setCustomValidity(words.flag.needsText);
      this.#text.reportValidity();
      this.#text.setCustomValidity("");
      return;
    }
    for (const button of this.querySelectorAll("button")) button.disabled = true;
    try {
      const { evidence, shown, finding } = about;
      await evidence.station.flag(shown.row.key, { finding, reason, text, view: viewOf(about) });
      this.#close(words.flag.kept);
    } catch (error) {
      for (const button of this.querySelectorAll("button")) button.disabled = false;
      this.querySelector(".told")?.remove();
      const why = error instanceof SignedOut ? words.states.signedOut : (error as Error).message;
      this.append(
        element(
          "p",
          { class: "told", attributes: { role: "alert" } },
          words.flag.notKept(why || words.states.notReached),
        ),
      );
    }
  }
}

/** What the reader looks at: numbers of the display, nothing of a patient. */
function viewOf({ evidence, shown, viewport }: Flagged): Record<string, string | number | boolean | null> {
  const { map, opacity, cells } = evidence.view;
  const at = viewport();
  const camera = at?.getCamera?.();
  return {
    viewer: "OHIF",
    explanation: nameOf(shown.row).slice(0, 100),
    map,
    opacity,
    cells,
    kind: at?.type ?? null,
    rotation: at?.getRotation?.() ?? null,
    zoom: at?.getZoom?.() ?? null,
    flipped_horizontally: camera?.flipHorizontal ?? null,
    flipped_vertically: camera?.flipVertical ?? null,
  };
}

customElements.define("camlucida-flag", FlagForm);
