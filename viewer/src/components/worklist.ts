/** <cl-worklist>: the studies, searched, sorted, and found again as they were left. */

import * as api from "../api";
import { connection } from "../connection";
import { element, fill, write } from "../element";
import { LIST_KEYS, type Walked, walk } from "../list-keys";
import { StudyList } from "../study-list";
import { ALL_STUDIES, fromQuery, isFiltered, type StudySearch, toQuery } from "../study-search";
import { texts } from "../texts";
import { overviewTexts } from "../texts-overviews";
import { type Place, toAddress } from "../view";
import { action } from "./buttons";
import { openHelp } from "./help";
import { failure, message } from "./message";
import { signedIn } from "./signed-in";
import { StudyTable } from "./study-table";
import { WorklistFilters } from "./worklist-filters";

const LOOK_AGAIN_MS = 4000;

/** How the list was left, in this window's memory only: its text may name a patient. */
let left: { search: StudySearch; active: number; scrollTop: number } | null = null;

export class Worklist extends HTMLElement {
  #list: StudyList | null = null;
  #timer: ReturnType<typeof setInterval> | undefined;
  readonly #abort = new AbortController();
  readonly #filters = new WorklistFilters();
  readonly #table = new StudyTable();
  readonly #count = element("span", { class: "weak numbers", attributes: { role: "status" } });
  readonly #again = element(
    "button",
    { class: "plain", attributes: { type: "button" }, on: { click: () => this.#open(this.#filters.search) } },
    overviewTexts.worklist.outdated,
  );
  readonly #help = (): void => openHelp(this, LIST_KEYS);
  readonly #instead = element("div", { class: "instead" });

  constructor(readonly query: string) {
    super();
  }

  connectedCallback(): void {
    const { signal } = this.#abort;
    const title = element(
      "div",
      { class: "worklist-title" },
      element("h1", {}, overviewTexts.worklist.title),
    );
    const { help, helpTitle } = texts.tools;
    const helping = action({ name: help, title: helpTitle, key: "?" }, this.#help);
    title.append(this.#count, this.#again, signedIn(), helping);
    fill(this, title, this.#filters, this.#instead, this.#table);
    this.#filters.addEventListener("search", () => this.#open(this.#filters.search), { signal });
    this.#table.addEventListener("sort", (event) => this.#open((event as CustomEvent).detail), { signal });
    connection.addEventListener("change", () => this.#restored(), { signal });
    document.addEventListener("keydown", (event) => this.#pressed(event), { signal });
    this.#timer = setInterval(() => this.#lookAgain(), LOOK_AGAIN_MS); // studies arrive by themselves
    const back = left !== null && (this.query === "" || this.query === toQuery(left.search)) ? left : null;
    this.#open(back?.search ?? fromQuery(this.query), back?.active, back?.scrollTop);
    this.#choose();
  }

  disconnectedCallback(): void {
    this.#abort.abort();
    clearInterval(this.#timer);
  }

  /** Another address of this page: a link to it, or the way back. */
  follow(place: Place): boolean {
    if (place.page !== "worklist") return this.#leave();
    if (place.query !== toQuery(this.#filters.search)) this.#open(fromQuery(place.query));
    return true;
  }

  #leave(): false {
    const { active, scrollTop } = this.#table;
    left = { search: this.#filters.search, active, scrollTop };
    return false;
  }

  #open(search: StudySearch, active = 0, scrollTop = 0): void {
    this.#filters.search = search;
    this.#list = new StudyList(search, api.searchStudies);
    this.#list.addEventListener("change", () => this.#tell());
    this.#table.hidden = false;
    fill(this.#instead);
    this.#table.show(this.#list, active, scrollTop);
    const address = toAddress({ page: "worklist", query: toQuery(search) });
    if (location.hash !== address) history.replaceState(history.state, "", address);
  }

  /** What can be chosen from; without it the list is there all the same. */
  async #choose(): Promise<void> {
    const choices = await api.studyChoices().catch(() => null);
    if (choices) this.#filters.choices = choices;
  }

  async #lookAgain(): Promise<void> {
    if (document.hidden || connection.state !== "up" || !this.#list) return;
    // A lost connection is told by the banner; whatever else is wrong shows itself when the list is asked.
    await this.#list.lookAgain(this.#table.scrollTop === 0).catch(() => null);
  }

  #restored(): void {
    if (connection.state !== "up") return;
    const { active, scrollTop } = this.#table;
    this.#open(this.#filters.search, active, scrollTop);
    this.#choose();
  }

  #tell(): void {
    const list = this.#list as StudyList;
    this.#again.hidden = !list.outdated;
    write(this.#count, list.total === null ? "" : overviewTexts.worklist.count(list.total));
    const instead = this.#messageFor(list);
    this.#table.hidden = instead !== null;
    if (instead?.textContent !== this.#instead.textContent) fill(this.#instead, instead);
  }

  #messageFor(list: StudyList): HTMLElement | null {
    const { worklist } = overviewTexts;
    if (list.error instanceof api.Refused) return failure(list.error, () => this.#open(list.search));
    if (list.total !== 0) return null;
    if (!isFiltered(list.search)) return message({ title: worklist.empty, how: worklist.emptyHow });
    const action = { text: worklist.clear, run: (): void => this.#open(ALL_STUDIES) };
    return message({ title: worklist.nothingFound, how: worklist.nothingFoundHow, action });
  }

  #pressed(event: KeyboardEvent): void {
    if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
    const inField = event.target instanceof HTMLInputElement || event.target instanceof HTMLSelectElement;
    if (inField ? event.key !== "Escape" : !walk(event.key, this.#walked)) return;
    event.preventDefault();
    if (inField) this.#table.stand(this.#table.active);
  }

  get #walked(): Walked {
    const table = this.#table;
    const onRow = table.contains(document.activeElement);
    return {
      search: () => this.#filters.type(),
      by: (rows) => table.stand(onRow ? table.active + rows : table.active),
      to: (row) => table.stand(row),
      rowsInSight: () => table.rowsInSight,
      help: this.#help,
    };
  }
}

customElements.define("cl-worklist", Worklist);
