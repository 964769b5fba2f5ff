/** <cl-app>: the frame of every page: which page it is, whether the station answers, and what this is not. */

import { connection } from "../connection";
import { element, fill, write } from "../element";
import { texts } from "../texts";
import { fromAddress, type Place } from "../view";
import { Jobs } from "./jobs";
import { message } from "./message";
import { Models } from "./models";
import { Navigation } from "./navigation";
import { Sheet } from "./sheet";
import { StudyPage } from "./study";
import { Worklist } from "./worklist";

const TOLD_MS = 2500;

export interface Page extends HTMLElement {
  /** Shows a place without being built again; false: the place is another page's. */
  follow(place: Place): boolean;
}

export class App extends HTMLElement {
  readonly #navigation = new Navigation();
  readonly #frame = element("main", { class: "page" });
  readonly #banner = element("div", { class: "banner", attributes: { role: "status" } });
  #page: Page | null = null;
  #wasLost = false;

  connectedCallback(): void {
    const notice = element(
      "footer",
      { class: "notice" },
      element("span", { class: "product" }, texts.product),
      texts.notice,
    );
    fill(this, this.#banner, this.#navigation, this.#frame, notice);
    window.addEventListener("hashchange", () => this.#show());
    connection.addEventListener("change", () => this.#tell());
    this.#show();
  }

  #show(): void {
    const place = fromAddress(location.hash);
    this.#navigation.show(place.page);
    if (this.#page?.follow(place)) return;
    this.#page = pageOf(place);
    fill(this.#frame, this.#page);
  }

  #tell(): void {
    const { messages } = texts;
    const { state } = connection;
    if (state === "signed-out") {
      this.#page = null;
      fill(this.#frame, message({ title: messages.signedOut, how: messages.signedOutHow }));
    }
    const restored = state === "up" && this.#wasLost;
    this.#wasLost = state === "lost";
    this.#banner.className = `banner ${restored ? "restored" : state}`;
    write(this.#banner, state === "lost" ? messages.lost : restored ? messages.restored : "");
    if (restored) setTimeout(() => connection.state === "up" && write(this.#banner, ""), TOLD_MS);
  }
}

function pageOf(place: Place): Page {
  switch (place.page) {
    case "study":
      return new StudyPage(place.study, place.view);
    case "models":
      return new Models(place.model);
    case "jobs":
      return new Jobs();
    case "sheet":
      return new Sheet(place.query);
    default:
      return new Worklist(place.page === "worklist" ? place.query : "");
  }
}

customElements.define("cl-app", App);
