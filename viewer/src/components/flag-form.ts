/** <cl-flag-form>: says in one click what is wrong with the map; a region and words go with it if wanted. */

import { element, fill, write } from "../element";
import { takeTool } from "../marking";
import { drawnRegion, type Reason, type Remarks } from "../remarks";
import { texts } from "../texts";
import { action } from "./buttons";

const MOST_TEXT = 2000;
const TOLD_MS = 4000;
const REASONS = Object.keys(texts.flag.reasons) as Reason[];

export class FlagForm extends HTMLElement {
  readonly #abort = new AbortController();
  readonly #title = element("h2", { attributes: { id: "flag-title" } });
  readonly #reasons = REASONS.map((reason, i) => this.#reason(reason, i));
  readonly #text = element("textarea", {
    attributes: {
      maxlength: MOST_TEXT,
      rows: 2,
      placeholder: texts.flag.text,
      "aria-label": texts.flag.text,
    },
  });
  readonly #withRegion = element("input", {
    attributes: { type: "checkbox", id: "flag-region", checked: "" },
  });
  readonly #regionWords = element("label", { attributes: { for: "flag-region" } }, texts.flag.region);
  readonly #draw = action({ name: texts.flag.drawRegion, title: texts.marks.regionTitle, key: "G" }, () =>
    takeTool(this.remarks.reading, "region"),
  );
  readonly #form: HTMLElement;
  readonly #told = element("p", { class: "told", attributes: { role: "status" } });

  constructor(readonly remarks: Remarks) {
    super();
    const cancel = { name: texts.flag.cancel, title: texts.flag.cancel, key: "Escape" };
    this.#form = element(
      "div",
      { class: "flag-form", attributes: { role: "group", "aria-labelledby": "flag-title", tabindex: -1 } },
      this.#title,
      element("div", { class: "reasons" }, ...this.#reasons),
      this.#text,
      element(
        "div",
        { class: "flag-foot" },
        element("span", { class: "flag-region" }, this.#withRegion, this.#regionWords, this.#draw),
        action(cancel, () => this.remarks.toggleForm(false)),
      ),
    );
    fill(this, this.#form, this.#told);
  }

  connectedCallback(): void {
    const { signal } = this.#abort;
    for (const type of ["data", "view"])
      this.remarks.reading.addEventListener(type, () => this.#update(), { signal });
    // Before the page's own keys, wherever the focus is: a region may be drawn meanwhile.
    document.addEventListener("keydown", (event) => this.#pressed(event), { signal, capture: true });
    this.#update();
  }

  disconnectedCallback(): void {
    this.#abort.abort();
  }

  #reason(reason: Reason, index: number): HTMLButtonElement {
    const button = action(
      { name: texts.flag.reasons[reason], title: texts.flag.reasonTitles[reason], key: String(index + 1) },
      () => this.#keep(reason),
    );
    button.dataset.reason = reason;
    return button;
  }

  #update(): void {
    const { flagging, reading } = this.remarks;
    const opens = flagging && this.#form.hidden;
    this.#form.hidden = !flagging;
    if (!flagging) return;
    const region = drawnRegion(reading.view);
    write(this.#title, texts.flag.title(reading.findingName ?? ""));
    for (const part of [this.#withRegion, this.#regionWords]) part.hidden = region === null;
    this.#draw.hidden = region !== null;
    this.#draw.ariaPressed = String(reading.tool === "region");
    if (!opens) return;
    this.#text.value = "";
    this.#withRegion.checked = true;
    write(this.#told, "");
    this.#form.scrollIntoView({ block: "nearest" });
    // Not a button: Space still hides the map.
    this.#form.focus({ preventScroll: true });
  }

  /** While the form is open, numbers are reasons and Escape closes it. */
  #pressed(event: KeyboardEvent): void {
    if (!this.remarks.flagging || event.ctrlKey || event.metaKey || event.altKey) return;
    const written = event.target === this.#text;
    const reason = written ? undefined : REASONS[Number(event.key) - 1];
    if (reason) this.#keep(reason);
    else if (event.key === "Escape" && !this.remarks.reading.tool) this.remarks.toggleForm(false);
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  async #keep(reason: Reason): Promise<void> {
    const { flag } = texts;
    const text = this.#text.value.trim();
    if (reason === "other" && !text) {
      write(this.#told, flag.needsText);
      this.#text.focus();
      return;
    }
    const region = this.#withRegion.checked ? drawnRegion(this.remarks.reading.view) : null;
    for (const button of this.#reasons) button.disabled = true;
    try {
      await this.remarks.flag(reason, text, region);
      this.#tell(flag.kept(flag.reasons[reason].toLowerCase()));
    } catch (error) {
      write(this.#told, flag.notKept(error instanceof Error ? error.message : String(error)));
    }
    for (const button of this.#reasons) button.disabled = false;
  }

  #tell(words: string): void {
    write(this.#told, words);
    setTimeout(() => this.#told.textContent === words && write(this.#told, ""), TOLD_MS);
  }
}

customElements.define("cl-flag-form", FlagForm);
