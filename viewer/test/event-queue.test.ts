import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Refused } from "../src/api";
import { EventQueue, type Kept, type ReaderEvent } from "../src/event-queue";
import { changes } from "../src/recorder";

class Storage implements Kept {
  readonly items = new Map<string, string>();
  get length(): number {
    return this.items.size;
  }
  key = (index: number): string | null => [...this.items.keys()][index] ?? null;
  getItem = (name: string): string | null => this.items.get(name) ?? null;
  setItem = (name: string, text: string): void => void this.items.set(name, text);
  removeItem = (name: string): void => void this.items.delete(name);
}

/** A station that keeps what it is sent, or fails. */
class Station {
  readonly kept = new Map<string, ReaderEvent>();
  requests: number[] = [];
  error: unknown = null;
  send = async (events: ReaderEvent[]): Promise<void> => {
    this.requests.push(events.length);
    if (this.error) throw this.error;
    for (const event of events) this.kept.set(event.key, event);
  };
  get views(): unknown[] {
    return [...this.kept.values()].map((event) => event.view.n);
  }
}

const tell = (queue: EventQueue, from: number, to: number): void => {
  for (let n = from; n < to; n++) queue.tell({ kind: "changed", view: { n: String(n) } });
};

let storage: Storage;
let station: Station;

beforeEach(() => {
  vi.useFakeTimers();
  storage = new Storage();
  station = new Station();
});

afterEach(() => vi.useRealTimers());

describe("the queue of events", () => {
  it("sends in batches, in their order, and forgets what is kept", async () => {
    const queue = new EventQueue(station.send, storage);
    for (let n = 0; n < 130; n++) {
      tell(queue, n, n + 1);
      vi.setSystemTime(Date.now() + 1);
    }
    expect(station.requests).toEqual([]);
    await vi.advanceTimersByTimeAsync(10_000);
    expect(station.requests).toEqual([100, 30]);
    expect(station.views).toEqual(Array.from({ length: 130 }, (_, n) => String(n)));
    expect([queue.size, storage.length]).toEqual([0, 0]);
  });

  it("keeps what the station did not take, and tries again, ever more rarely", async () => {
    const queue = new EventQueue(station.send, storage);
    station.error = new Refused("The disk is full.", 500);
    tell(queue, 0, 3);
    await vi.advanceTimersByTimeAsync(2000 + 4000 + 8000);
    expect(station.requests).toEqual([3, 3, 3]);
    expect(storage.length).toBe(3);
    station.error = null;
    await queue.flush();
    expect(station.views).toEqual(["0", "1", "2"]);
  });

  it("survives a reload: the next page sends what the last one left", async () => {
    tell(new EventQueue(() => new Promise(() => undefined), storage), 0, 2);
    expect(new EventQueue(station.send, storage).size).toBe(2);
    await vi.advanceTimersByTimeAsync(2000);
    expect(station.views).toEqual(["0", "1"]);
    expect(storage.length).toBe(0);
  });

  it("gives an event that was on its way at a reload the same key again", async () => {
    const first = new EventQueue(async (events) => {
      await station.send(events);
      throw new TypeError("The page was closed before the answer.");
    }, storage);
    tell(first, 0, 1);
    await first.flush();
    await new EventQueue(station.send, storage).flush();
    expect(station.requests).toEqual([1, 1]);
    expect(station.kept.size).toBe(1);
  });

  it("does not send twice what is on its way", async () => {
    let answer = (): void => undefined;
    const queue = new EventQueue((events) => {
      station.requests.push(events.length);
      return new Promise<void>((done) => {
        answer = done;
      });
    }, storage);
    tell(queue, 0, 2);
    queue.flush();
    tell(queue, 2, 3);
    queue.flush();
    expect(station.requests).toEqual([2, 1]);
    answer();
  });

  it("says how many events a station refused for good, and goes on", async () => {
    const queue = new EventQueue(station.send, storage);
    station.error = new Refused("This request cannot be read: view.", 422);
    tell(queue, 0, 3);
    await queue.flush();
    station.error = null;
    await queue.flush();
    expect([...station.kept.values()].map(({ kind, view }) => [kind, view])).toEqual([
      ["lost", { events: "3" }],
    ]);
  });

  it("has a bound, and says how many made room", () => {
    const queue = new EventQueue(() => Promise.reject(new TypeError()), storage);
    tell(queue, 0, 2300);
    expect(queue.size).toBeLessThanOrEqual(2001);
    expect(storage.length).toBe(queue.size);
    const lost = [...storage.items.values()].map((text) => JSON.parse(text) as ReaderEvent);
    const number = lost
      .filter(({ kind }) => kind === "lost")
      .reduce((sum, e) => sum + Number(e.view.events), 0);
    const rest = lost.filter(({ kind }) => kind === "changed").length;
    expect(number + rest).toBe(2300);
  });

  it("works where the browser keeps nothing", async () => {
    const full = { ...storage, length: 0, setItem: () => { throw new Error("QuotaExceededError"); } }; // biome-ignore format: short
    for (const kept of [null, full as Kept]) {
      const queue = new EventQueue(station.send, kept);
      tell(queue, 0, 1);
      await queue.flush();
      expect(queue.size).toBe(0);
    }
  });
});

describe("what is told of a change", () => {
  it("is what differs, and null where it is as at the start again", () => {
    expect(changes({ map: "1", opacity: "55" }, { opacity: "60", layout: "side" })).toEqual({
      map: null,
      opacity: "60",
      layout: "side",
    });
    expect(changes({ map: "1" }, { map: "1" })).toEqual({});
  });
});
