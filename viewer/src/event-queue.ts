/**
 * What a reader does, told to the station for the audit trail: in batches, none doubled, none lost on the way.
 *
 * Each event lies in the browser's storage from when it happened until the station has said that it keeps it:
 * a reload, a crash or a lost connection leaves it there for the next page. It has a key of its own, so that
 * the station knows one that arrives twice.
 */

import { Refused } from "./api";

export interface ReaderEvent {
  key: string;
  kind: "opened" | "changed" | "left" | "lost";
  /** ISO 8601, by this computer's clock. */
  happened: string;
  /** Tells open pages apart. */
  tab: string;
  study?: string;
  image?: string;
  explanation?: string;
  view: Record<string, string | null>;
}

/** The part of Web Storage that is used. */
export type Kept = Pick<Storage, "getItem" | "setItem" | "removeItem" | "key" | "length">;

/** Goes on although the page is closed. */
export type Send = (events: ReaderEvent[]) => Promise<unknown>;

const PREFIX = "camlucida.event.";
/** Bounds of a request: of what goes on after a page was closed, browsers take 64 kB in all. */
const MOST_EVENTS = 100;
const MOST_CHARACTERS = 30_000;
/** Beyond this many the oldest make room, and an event says how many did. */
const MOST_WAITING = 2000;
const MADE_ROOM = 200;
const SEND_AFTER_MS = 2000;
const LONGEST_PAUSE_MS = 60_000;
/** Answers after which sending the same again may succeed. */
const LATER = [401, 408, 425, 429];

export class EventQueue {
  readonly #tab = newKey();
  /** By name in the storage, which begins with the time: oldest first. */
  readonly #waiting = new Map<string, string>();
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** Events of this page until now: their order within a millisecond. */
  #told = 0;
  readonly #onTheirWay = new Set<string>();
  #pause = SEND_AFTER_MS;

  constructor(
    readonly send: Send,
    /** Null where the browser gives none: events then last as long as the page. */
    readonly storage: Kept | null,
  ) {
    for (const name of leftIn(storage)) this.#waiting.set(name, storage?.getItem(name) ?? "");
    if (this.#waiting.size > 0) this.#schedule();
  }

  get size(): number {
    return this.#waiting.size;
  }

  tell(event: Pick<ReaderEvent, "kind" | "view"> & Partial<ReaderEvent>): void {
    this.#makeRoom();
    const made = { key: newKey(), happened: new Date().toISOString(), tab: this.#tab, ...event };
    const name = `${PREFIX}${made.happened}.${String(this.#told++).padStart(6, "0")}.${made.key}`;
    const text = JSON.stringify(made);
    this.#waiting.set(name, text);
    try {
      this.storage?.setItem(name, text);
    } catch {
      // The storage is full: this one lasts as long as the page.
    }
    this.#schedule();
  }

  /** Sends the oldest that wait; what fails waits on. */
  async flush(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const names = this.#batch();
    if (names.length === 0) return;
    for (const name of names) this.#onTheirWay.add(name);
    try {
      await this.#sendThese(names);
      this.#pause = SEND_AFTER_MS;
    } catch {
      this.#pause = Math.min(2 * this.#pause, LONGEST_PAUSE_MS);
    }
    for (const name of names) this.#onTheirWay.delete(name);
    if (this.#waiting.size > 0) this.#schedule();
  }

  async #sendThese(names: string[]): Promise<void> {
    const events = names.map((name) => read(this.#waiting.get(name))).filter((event) => event !== null);
    try {
      if (events.length > 0) await this.send(events);
      this.#forget(names);
    } catch (error) {
      if (!refusedForGood(error)) throw error;
      this.#forget(names);
      this.tell({ kind: "lost", view: { events: String(events.length) } });
    }
  }

  /** Names of the oldest events that go into one request. */
  #batch(): string[] {
    const names: string[] = [];
    let characters = 0;
    for (const [name, text] of this.#waiting) {
      if (this.#onTheirWay.has(name)) continue;
      characters += text.length;
      if (names.length === MOST_EVENTS || (names.length > 0 && characters > MOST_CHARACTERS)) break;
      names.push(name);
    }
    return names;
  }

  #makeRoom(): void {
    if (this.#waiting.size < MOST_WAITING) return;
    const oldest = [...this.#waiting.keys()].slice(0, MADE_ROOM);
    const counts = oldest.map((name) => lostIn(read(this.#waiting.get(name))));
    this.#forget(oldest);
    this.tell({ kind: "lost", view: { events: String(counts.reduce((a, b) => a + b, 0)) } });
  }

  #forget(names: readonly string[]): void {
    for (const name of names) {
      this.#waiting.delete(name);
      this.storage?.removeItem(name);
    }
  }

  #schedule(): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      this.flush();
    }, this.#pause);
  }
}

/** What earlier pages left, oldest first. */
function leftIn(storage: Kept | null): string[] {
  const names = Array.from({ length: storage?.length ?? 0 }, (_, i) => storage?.key(i) ?? "");
  return names.filter((name) => name.startsWith(PREFIX)).sort();
}

function read(text: string | undefined): ReaderEvent | null {
  try {
    return JSON.parse(text ?? "") as ReaderEvent;
  } catch {
    return null;
  }
}

/** How many events are lost with this one. */
const lostIn = (event: ReaderEvent | null): number =>
  event?.kind === "lost" ? Number(event.view.events) || 1 : 1;

const refusedForGood = (error: unknown): boolean =>
  error instanceof Refused && error.status >= 400 && error.status < 500 && !LATER.includes(error.status);

/** 128 random bits, in hexadecimal. */
function newKey(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
