/** <cl-judgement>: whether the reader agrees with the chosen finding, and the way to flag its map. */

import { element, fill, write } from "../element";
import type { Remarks, Stance } from "../remarks";
import { texts } from "../texts";
import { action, mark, type Switch } from "./buttons";

export class Judgement extends HTMLElement {
  readonly #abort = new AbortController();
  readonly #switches: Switch[];
  readonly #others = element("p", { class: "weak" });
  readonly #told = element("p", { class: "told", attributes: { role: "status" } });

  constructor(readonly remarks: Remarks) {
    super();
    const { opinion, flag } = texts;
    this.#switches = [
      this.#stance("agree", opinion.agree, opinion.agreeTitle),
      this.#stance("disagree", opinion.disagree, opinion.disagreeTitle),
    ];
    const open = action({ name: flag.open, title: flag.openTitle, key: "Y" }, () => remarks.toggleForm());
    this.setAttribute("role", "group");
    this.setAttribute("aria-label", opinion.label);
    fill(
      this,
      element("div", { class: "judgement" }, ...this.#switches.map(({ button }) => button), open),
      this.#others,
      this.#told,
    );
  }

  connectedCallback(): void {
    const { signal } = this.#abort;
    for (const type of ["data", "view"])
      this.remarks.reading.addEventListener(type, () => this.#update(), { signal });
    this.#update();
  }

  disconnectedCallback(): void {
    this.#abort.abort();
  }

  #stance(stance: Stance, name: string, title: string): Switch {
    const { remarks } = this;
    const button = element("button", { attributes: { type: "button", title } }, name);
    const chosen = (): string => remarks.reading.findingName ?? "";
    button.addEventListener("click", () => this.#judge(stance));
    return { button, on: () => remarks.ownStance(chosen()) === stance, able: () => true };
  }

  async #judge(stance: Stance): Promise<void> {
    const { findingName } = this.remarks.reading;
    if (findingName === null) return;
    try {
      await this.remarks.judge(findingName, stance);
      write(this.#told, "");
    } catch (error) {
      write(this.#told, texts.opinion.notKept(error instanceof Error ? error.message : String(error)));
    }
  }

  #update(): void {
    const { remarks } = this;
    const { findingName } = remarks.reading;
    this.hidden = findingName === null || remarks.flagging;
    if (findingName === null) return;
    mark(this.#switches);
    const [agree, disagree] = [remarks.count(findingName, "agree"), remarks.count(findingName, "disagree")];
    const said = [
      agree > 0 ? texts.opinion.agrees(agree) : "",
      disagree > 0 ? texts.opinion.disagrees(disagree) : "",
    ];
    write(this.#others, said.filter(Boolean).join(", "));
  }
}

customElements.define("cl-judgement", Judgement);
