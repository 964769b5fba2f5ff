/**
 * The studies that a search finds, as many as there are: pages are asked for where they are looked at.
 * A page is asked for after the last study that is known before it, so that none comes twice.
 */

import type { StudySearch } from "./study-search";
import type { StudyPage, StudyRow } from "./types";

export const PAGE = 50;

/** Asks for a page: a number of studies after the one with this key, some left out. */
export type Ask = (
  search: StudySearch,
  part: { after: string | null; skip: number; limit: number },
) => Promise<StudyPage>;

/** Says "change" when rows or their number have changed, and "failed" with what went wrong. */
export class StudyList extends EventTarget {
  /** Null until the station has answered. */
  total: number | null = null;
  error: unknown = null;
  /** The list on the station begins otherwise by now; what is shown was left as it is. */
  outdated = false;
  readonly #pages = new Map<number, StudyRow[]>();
  #wanted: readonly [number, number] = [0, 0];
  #busy = false;

  constructor(
    readonly search: StudySearch,
    readonly ask: Ask,
  ) {
    super();
  }

  row(index: number): StudyRow | undefined {
    return this.#pages.get(Math.floor(index / PAGE))?.[index % PAGE];
  }

  /** Asks for what is missing of these rows, one request at a time: what was only passed is never asked for. */
  async want(first: number, last: number): Promise<void> {
    this.#wanted = [Math.floor(first / PAGE), Math.floor(last / PAGE)];
    if (this.#busy) return;
    this.#busy = true;
    try {
      for (let page = this.#missing(); page !== null; page = this.#missing()) await this.#load(page);
    } catch (error) {
      this.error = error;
      this.dispatchEvent(new Event("change"));
    }
    this.#busy = false;
  }

  /**
   * Looks what has become of the studies; the first page says whether the list has changed.
   * `follow`: it may move, as its beginning is what is looked at.
   */
  async lookAgain(follow: boolean): Promise<void> {
    if (this.#busy || this.total === null) return;
    const head = await this.ask(this.search, { after: null, skip: 0, limit: PAGE });
    const changed = head.total !== this.total || keys(head.studies) !== keys(this.#pages.get(0) ?? []);
    if (changed && !follow) this.outdated = true;
    else {
      if (changed) this.#pages.clear();
      this.total = head.total;
      this.#pages.set(0, head.studies);
      this.outdated = false;
    }
    const [seen] = this.#wanted;
    if (seen > 0 && this.#pages.has(seen)) await this.#load(seen);
    this.dispatchEvent(new Event("change"));
  }

  #missing(): number | null {
    if (this.total === null) return 0;
    const [first, last] = this.#wanted;
    for (let page = first; page <= last && page * PAGE < this.total; page++)
      if (!this.#pages.has(page)) return page;
    return null;
  }

  async #load(page: number): Promise<void> {
    const { total, studies } = await this.ask(this.search, { ...this.#before(page), limit: PAGE });
    this.#pages.set(page, studies);
    if (total !== null && page === 0) this.total = total;
    this.dispatchEvent(new Event("change"));
  }

  /** The last known study before a page, and how many lie between. */
  #before(page: number): { after: string | null; skip: number } {
    for (let known = page - 1; known >= 0; known--) {
      const last = this.#pages.get(known)?.at(-1);
      if (last) return { after: last.key, skip: (page - known - 1) * PAGE };
    }
    return { after: null, skip: page * PAGE };
  }
}

const keys = (rows: readonly StudyRow[]): string => rows.map((row) => row.key).join();
