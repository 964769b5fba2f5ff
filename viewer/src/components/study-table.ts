/**
 * <cl-study-table>: the list as a table of which only the rows in sight exist, however long it is.
 * Rows are equally high, so that a row's place follows from its number.
 */

import { element, fill } from "../element";
import type { StudyList } from "../study-list";
import { type Sort, sortedBy } from "../study-search";
import { overviewTexts } from "../texts-overviews";
import type { StudyRow } from "../types";
import { emptyCells, studyCells } from "./study-row";

const ROW_HEIGHT = 46; // as in worklist.css
const AHEAD = 8; // rows built beyond both edges

const COLUMNS: readonly Sort[] = [
  "patient",
  "date",
  "description",
  "modality",
  "images",
  "findings",
  "state",
];

interface Built {
  row: HTMLTableRowElement;
  study: StudyRow | undefined;
}

/** Says "sort" with the search that a column's head asks for. */
export class StudyTable extends HTMLElement {
  #list: StudyList | null = null;
  /** Which row the keyboard stands on. */
  #active = 0;
  #frame = 0;
  /** Where a list that has not answered yet will be looked at. */
  #begins: number | null = null;
  readonly #built = new Map<number, Built>();
  readonly #head = element("tr", { attributes: { role: "row", "aria-rowindex": 1 } });
  readonly #body = element("tbody", { attributes: { role: "rowgroup" } });
  readonly #table = element(
    "table",
    { attributes: { role: "table", "aria-label": overviewTexts.worklist.title } },
    element("thead", { attributes: { role: "rowgroup" } }, this.#head),
    this.#body,
  );
  readonly #sized = new ResizeObserver(() => this.#draw());
  readonly #changed = (): void => this.#draw();

  connectedCallback(): void {
    fill(this, this.#table);
    this.addEventListener("scroll", () => this.#soon(), { passive: true });
    this.#body.addEventListener("click", (event) => this.#clicked(event));
    this.#sized.observe(this);
  }

  disconnectedCallback(): void {
    this.#sized.disconnect();
    cancelAnimationFrame(this.#frame);
  }

  get active(): number {
    return this.#active;
  }

  /** Shows another list, from a row on. */
  show(list: StudyList, active = 0, scrollTop = 0): void {
    this.#list?.removeEventListener("change", this.#changed);
    this.#list = list;
    list.addEventListener("change", this.#changed);
    this.#active = active;
    this.#begins = scrollTop;
    fill(this.#head, ...COLUMNS.map((sort) => this.#columnHead(sort)));
    this.#draw();
  }

  /** The first answer takes the place of what was shown until then. */
  #begin(total: number): void {
    for (const { row } of this.#built.values()) row.remove();
    this.#built.clear();
    this.#body.style.height = `${total * ROW_HEIGHT}px`;
    this.scrollTop = this.#begins ?? 0;
    this.#begins = null;
  }

  /** Stands on another row and brings it into sight. */
  stand(index: number): void {
    const last = (this.#list?.total ?? 0) - 1;
    if (last < 0) return;
    this.#active = Math.min(Math.max(index, 0), last);
    const top = this.#active * ROW_HEIGHT;
    const height = this.clientHeight - this.#headHeight();
    if (top < this.scrollTop) this.scrollTop = top;
    else if (top + ROW_HEIGHT > this.scrollTop + height) this.scrollTop = top + ROW_HEIGHT - height;
    this.#draw();
    this.#link(this.#active)?.focus({ preventScroll: true });
  }

  /** How many rows are seen at once. */
  get rowsInSight(): number {
    return Math.max(1, Math.floor((this.clientHeight - this.#headHeight()) / ROW_HEIGHT));
  }

  #headHeight(): number {
    return this.#head.offsetHeight;
  }

  #columnHead(sort: Sort): HTMLElement {
    const { search } = this.#list as StudyList;
    const sorted = search.sort === sort ? (search.descending ? "descending" : "ascending") : "none";
    const press = (): boolean =>
      this.dispatchEvent(new CustomEvent("sort", { detail: sortedBy(search, sort) }));
    const name = overviewTexts.worklist.columns[sort];
    return element(
      "th",
      { attributes: { role: "columnheader", scope: "col", "aria-sort": sorted } },
      element(
        "button",
        { attributes: { type: "button", title: overviewTexts.worklist.sortBy(name) }, on: { click: press } },
        name,
      ),
    );
  }

  #soon(): void {
    cancelAnimationFrame(this.#frame);
    this.#frame = requestAnimationFrame(() => this.#draw());
  }

  #draw(): void {
    const list = this.#list;
    if (!list || this.clientHeight === 0) return;
    const { total } = list;
    if (total !== null && this.#begins !== null) this.#begin(total);
    const first = Math.floor((this.#begins ?? this.scrollTop) / ROW_HEIGHT);
    const seen = first + this.rowsInSight + 1;
    if (total !== null) {
      this.#body.style.height = `${total * ROW_HEIGHT}px`;
      this.#table.setAttribute("aria-rowcount", String(total + 1));
      this.#place(Math.max(0, first - AHEAD), Math.min(total, seen + AHEAD));
    } else if (this.#built.size === 0) this.#place(0, this.rowsInSight);
    if (!list.error) list.want(first, seen + AHEAD);
  }

  /** Rows `from` to `to` are in the document, in their order, and no others. */
  #place(from: number, to: number): void {
    for (const [index, { row }] of this.#built)
      if (index < from || index >= to) {
        row.remove();
        this.#built.delete(index);
      }
    let next: Element | null = null;
    for (let index = to - 1; index >= from; index--) {
      const row = this.#row(index);
      if (row.parentNode !== this.#body || row.nextElementSibling !== next)
        this.#body.insertBefore(row, next);
      next = row;
    }
  }

  #row(index: number): HTMLTableRowElement {
    const study = this.#list?.row(index);
    const built = this.#built.get(index) ?? { row: newRow(index), study: undefined };
    if (!this.#built.has(index) || !same(built.study, study)) {
      fill(built.row, ...(study ? studyCells(study) : emptyCells()));
      built.study = study;
      this.#built.set(index, built);
    }
    built.row.querySelector("a")?.setAttribute("tabindex", index === this.#active ? "0" : "-1");
    return built.row;
  }

  #link(index: number): HTMLElement | null {
    return this.#built.get(index)?.row.querySelector("a") ?? null;
  }

  #clicked(event: Event): void {
    const row = event.target instanceof Element ? event.target.closest<HTMLElement>("tr") : null;
    if (!row?.dataset.index) return;
    this.#active = Number(row.dataset.index);
    if (!(event.target instanceof HTMLAnchorElement)) this.#link(this.#active)?.click();
  }
}

/** The place by `top`: a transform would make a layer of each row. */
function newRow(index: number): HTMLTableRowElement {
  const row = element("tr", { attributes: { role: "row", "aria-rowindex": index + 2, "data-index": index } });
  row.style.top = `${index * ROW_HEIGHT}px`;
  return row;
}

const same = (one: StudyRow | undefined, other: StudyRow | undefined): boolean =>
  one === other || JSON.stringify(one) === JSON.stringify(other);

customElements.define("cl-study-table", StudyTable);
