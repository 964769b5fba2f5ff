/** <cl-app>: the frame of every page: which page it is, whether the station answers, and what this is not. */

import { connection } from "../connection";
import { element, fill, write } from "../element";
import { texts } from "../texts";
import { fromAddress } from "../view";
import { message } from "./message";
import { StudyPage } from "./study";
import { Worklist } from "./worklist";

const TOLD_MS = 2500;

export class App extends HTMLElement {
  readonly #page = element("div", { class: "page" });
  readonly #banner = element("div", { class: "banner", attributes: { role: "status" } });
  #study: StudyPage | null = null;
  #wasLost = false;

  connectedCallback(): void {
    const notice = element(
      "footer",
      { class: "notice" },
      element("span", { class: "product" }, texts.product),
      texts.notice,
    );
    fill(this, this.#banner, this.#page, notice);
    window.addEventListener("hashchange", () => this.#show());
    connection.addEventListener("change", () => this.#tell());
    this.#show();
  }

  #show(): void {
    const place = fromAddress(location.hash);
    if (place.page === "worklist") {
      this.#study = null;
      fill(this.#page, new Worklist());
    } else if (this.#study?.key === place.study) this.#study.follow(place.view);
    else {
      this.#study = new StudyPage(place.study, place.view);
      fill(this.#page, this.#study);
    }
  }

  #tell(): void {
    const { messages } = texts;
    const { state } = connection;
    if (state === "signed-out") {
      this.#study = null;
      fill(this.#page, message({ title: messages.signedOut, how: messages.signedOutHow }));
    }
    const restored = state === "up" && this.#wasLost;
    this.#wasLost = state === "lost";
    this.#banner.className = `banner ${restored ? "restored" : state}`;
    write(this.#banner, state === "lost" ? messages.lost : restored ? messages.restored : "");
    if (restored) setTimeout(() => connection.state === "up" && write(this.#banner, ""), TOLD_MS);
  }
}

customElements.define("cl-app", App);
