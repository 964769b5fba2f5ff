/** A table with a head: what the overviews are made of. */

import { element } from "../element";

export type Cell = Node | string | false | null;

export interface Column {
  name: string;
  /** Numbers stand under each other. */
  numbers?: boolean;
  /** A name for screen readers only. */
  silent?: boolean;
}

export function table(columns: readonly Column[], rows: readonly (readonly Cell[])[]): HTMLElement {
  const heads = columns.map(({ name, numbers, silent }) =>
    element(
      "th",
      { class: numbers ? "numbers" : "", attributes: { scope: "col", "aria-label": silent ? name : null } },
      silent ? "" : name,
    ),
  );
  const body = rows.map((cells) =>
    element(
      "tr",
      {},
      ...cells.map((cell, i) => element("td", { class: columns[i]?.numbers ? "numbers" : "" }, cell)),
    ),
  );
  return element(
    "table",
    { class: "overview-table" },
    element("thead", {}, element("tr", {}, ...heads)),
    element("tbody", {}, ...body),
  );
}

/** A heading with what is beside it, and what it is the heading of. */
export function section(title: string, beside: Cell, ...content: Cell[]): HTMLElement {
  const head = element("div", { class: "section-head" }, element("h2", {}, title), beside);
  return element("section", {}, head, ...content);
}

/** Names with their values. */
export function facts(lines: readonly (readonly [string, Cell])[]): HTMLElement {
  return element(
    "dl",
    { class: "facts" },
    ...lines
      .filter(([, value]) => value)
      .flatMap(([name, value]) => [element("dt", {}, name), element("dd", {}, value)]),
  );
}
