/** Every key of the list of studies: what it is called, what it means, what it does. The overlay is this table. */

import { texts } from "./texts";
import { overviewTexts } from "./texts-overviews";

/** What a key acts on. */
export interface Walked {
  search: () => void;
  /** As many rows on from the one with the focus. */
  by: (rows: number) => void;
  to: (row: number) => void;
  rowsInSight: () => number;
  help: () => void;
}

interface ListKey {
  shown: string;
  meaning: string;
  /** By `KeyboardEvent.key`; none where the element with the focus knows the key itself. */
  keys: Record<string, (list: Walked) => void>;
}

const { keys } = overviewTexts.worklist;

export const LIST_KEYS: readonly ListKey[] = [
  { shown: "/", meaning: keys.search, keys: { "/": (list) => list.search() } },
  { shown: "Esc", meaning: keys.back, keys: {} },
  {
    shown: "↑  ↓",
    meaning: keys.row,
    keys: { ArrowUp: (list) => list.by(-1), ArrowDown: (list) => list.by(1) },
  },
  {
    shown: "Page ↑  Page ↓",
    meaning: keys.page,
    keys: { PageUp: (list) => list.by(-list.rowsInSight()), PageDown: (list) => list.by(list.rowsInSight()) },
  },
  {
    shown: "Home  End",
    meaning: keys.ends,
    keys: { Home: (list) => list.to(0), End: (list) => list.to(Number.MAX_SAFE_INTEGER) },
  },
  { shown: "Enter", meaning: keys.open, keys: {} },
  { shown: "?", meaning: texts.help.help, keys: { "?": (list) => list.help() } },
];

const actions = new Map(LIST_KEYS.flatMap(({ keys }) => Object.entries(keys)));

/** Does what a key means; false where it means nothing here. */
export function walk(key: string, list: Walked): boolean {
  const action = actions.get(key);
  action?.(list);
  return action !== undefined;
}
