/** Watches how a study is read, and tells it: what was opened, every change of the view, when it was left. */

import * as api from "./api";
import { connection } from "./connection";
import { EventQueue, type Kept, type ReaderEvent } from "./event-queue";
import type { Reading } from "./reading";
import { type Seen, seenIn } from "./seen";

/** What is dragged or scrolled is told this often at most; all else at once. */
const CONTINUOUS_MS = 250;
const CONTINUOUS = new Set([
  "opacity", "window", "slice", "row", "column", "zoom", "centre", "swipe", "slab", "marks",
]); // biome-ignore format: one thing

/** What differs; null where it is as at the start again. */
export function changes(before: Seen, after: Seen): Record<string, string | null> {
  const names = [...new Set([...Object.keys(before), ...Object.keys(after)])];
  const differing = names.filter((name) => before[name] !== after[name]);
  return Object.fromEntries(differing.map((name) => [name, after[name] ?? null]));
}

/** Records a reading until the signal ends it. */
export function record(reading: Reading, queue: EventQueue, ended: AbortSignal): void {
  let told = seenIn(reading);
  let timer: ReturnType<typeof setTimeout> | undefined;
  const tell = (kind: ReaderEvent["kind"], view: ReaderEvent["view"]): void =>
    queue.tell({ kind, view, ...keysOf(reading) });
  const tellChanges = (): void => {
    clearTimeout(timer);
    timer = undefined;
    const seen = seenIn(reading);
    const view = changes(told, seen);
    told = seen;
    if (Object.keys(view).length > 0) tell("changed", view);
  };
  const changed = (): void => {
    const names = Object.keys(changes(told, seenIn(reading)));
    if (names.some((name) => !CONTINUOUS.has(name))) tellChanges();
    else if (names.length > 0) timer ??= setTimeout(tellChanges, CONTINUOUS_MS);
  };
  const opened = (): void => {
    told = seenIn(reading);
    tell("opened", told);
  };
  const left = (): void => {
    tellChanges();
    tell("left", {});
  };
  const leave = (): void => {
    left();
    queue.flush();
  };
  opened();
  // A map that has come is seen from then on.
  for (const what of ["view", "data"]) reading.addEventListener(what, changed, { signal: ended });
  // A page that comes back out of the browser's cache was left when it went there.
  window.addEventListener("pageshow", (event) => event.persisted && opened(), { signal: ended });
  window.addEventListener("pagehide", leave, { signal: ended });
  ended.addEventListener("abort", left);
}

function keysOf({ study, imageRow, explanationRow }: Reading): Partial<ReaderEvent> {
  return {
    study: study.key,
    ...(imageRow ? { image: imageRow.key } : {}),
    ...(explanationRow ? { explanation: explanationRow.key } : {}),
  };
}

/** The queue of this page: it sends by itself, at once when the page is put away or the station is back. */
export function stationQueue(): EventQueue {
  const send = (events: ReaderEvent[]): Promise<unknown> =>
    api.post("/api/events", { events }, { keepalive: true });
  const queue = new EventQueue(send, storage());
  connection.addEventListener("change", () => connection.state === "up" && queue.flush());
  document.addEventListener("visibilitychange", () => document.visibilityState === "hidden" && queue.flush());
  return queue;
}

function storage(): Kept | null {
  try {
    return window.localStorage;
  } catch {
    return null; // forbidden by the browser's settings
  }
}
