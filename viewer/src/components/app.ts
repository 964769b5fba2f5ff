/** <cl-app>: the frame of every page: which page it is, whether the station answers, and what this is not. */

import { connection } from "../connection";
import { element, fill, write } from "../element";
import { texts } from "../texts";
import { fromAddress, type Place } from "../view";
import { failure, message } from "./message";
import { Navigation } from "./navigation";
import { StudyPage } from "./study";

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
    if (place.page === "study") this.#put(new StudyPage(place.study, place.view));
    else this.#open(place);
  }

  #put(page: Page): void {
    this.#page = page;
    fill(this.#frame, page);
    if (connection.state === "signed-out") this.#tell(); // it is told once, and no page says it
  }

  /** Fetches the overviews' code at their first use; whoever goes on meanwhile is left in peace. */
  async #open(place: Exclude<Place, { page: "study" }>): Promise<void> {
    this.#page = null;
    fill(this.#frame, message({ title: texts.messages.loading, busy: true }));
    const asked = location.hash;
    try {
      const { overview } = await import("./overviews");
      const page = overview(place);
      if (asked === location.hash) this.#put(page);
    } catch (error) {
      if (asked === location.hash)
        fill(
          this.#frame,
          failure(error, () => this.#open(place)),
        );
    }
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

customElements.define("cl-app", App);
