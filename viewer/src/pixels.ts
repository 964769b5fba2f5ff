/** The stored values of an image, slice by slice, as the station sends them (little-endian, C order). */

import { Cuts } from "./cuts";
import type { Cut } from "./plane";
import type { Source } from "./source";
import type { ImageHeader, PixelType } from "./types";

export type Values = Uint8Array | Int16Array | Uint16Array | Float32Array;

/** One slice (or a 2D image): stored values with their range; three values a pixel where `colour`. */
export interface PlanePixels {
  rows: number;
  columns: number;
  colour: boolean;
  values: Values;
  low: number;
  high: number;
}

const ARRAYS: Record<PixelType, (new (buffer: ArrayBuffer) => Values) & { BYTES_PER_ELEMENT: number }> = {
  uint8: Uint8Array,
  int16: Int16Array,
  uint16: Uint16Array,
  float32: Float32Array,
};

/** Slices kept in memory; the browser's own cache holds the rest. */
const KEPT_BYTES = 600_000_000;
/** Requests under way at once where a whole volume is fetched. */
const AT_ONCE = 4;

export function decode(header: ImageHeader, buffer: ArrayBuffer): PlanePixels {
  const [rows = 1, columns = 1] = header.space.slice(-2);
  const values = new ARRAYS[header.dtype](buffer);
  const expected = rows * columns * (header.colour ? 3 : 1);
  if (values.length !== expected)
    throw new Error(`The station sent ${values.length} values where the image has ${expected}.`);
  return { rows, columns, colour: header.colour, values, ...range(values) };
}

/** Smallest and largest value, without NaN and infinities. */
export function range(values: Values): { low: number; high: number } {
  let [low, high] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (const value of values) {
    if (value < low && value > Number.NEGATIVE_INFINITY) low = value;
    if (value > high && value < Number.POSITIVE_INFINITY) high = value;
  }
  return low <= high ? { low, high } : { low: 0, high: 1 };
}

export class Pixels {
  readonly #kept = new Map<number, Promise<PlanePixels>>();
  readonly #arrived = new Map<number, PlanePixels>();
  readonly #abort = new AbortController();
  readonly #cuts: Cuts;
  #arrivals = 0;
  #all: Promise<unknown> | null = null;

  constructor(
    readonly header: ImageHeader,
    readonly source: Source,
  ) {
    this.#cuts = new Cuts(header);
  }

  get slices(): number {
    return this.header.space.length === 3 ? (this.header.space[0] ?? 1) : 1;
  }

  /** The slice, if it is here already. */
  ready(slice: number): PlanePixels | undefined {
    return this.#arrived.get(slice);
  }

  /** How many slices are here. */
  get here(): number {
    return this.#arrived.size;
  }

  /** A slice if it is here already, or a cut across those that are. */
  plane(cut: Cut): PlanePixels | undefined {
    return cut.axis === 0 ? this.ready(cut.at) : this.#cuts.cut(cut, this.#arrived, this.#arrivals);
  }

  /** Fetches a slice once; a failed fetch is forgotten, so that it can be tried again. */
  slice(slice: number): Promise<PlanePixels> {
    const kept = this.#kept.get(slice);
    if (kept) return kept;
    this.#forget(slice);
    const whole = this.header.space.length !== 3;
    const coming = this.source
      .pixels(this.header.key, whole ? null : slice, this.#abort.signal)
      .then((buffer) => decode(this.header, buffer));
    this.#kept.set(slice, coming);
    coming.then(
      (plane) => {
        this.#arrived.set(slice, plane);
        this.#arrivals++;
      },
      () => this.#kept.delete(slice),
    );
    return coming;
  }

  /** Fetches the neighbours of a slice, nearest first, one after the other. */
  async prefetch(slice: number, reach: number): Promise<void> {
    for (let distance = 1; distance <= reach; distance++)
      for (const near of [slice + distance, slice - distance])
        if (near >= 0 && near < this.slices && !this.#abort.signal.aborted) await this.slice(near);
  }

  /** Fetches all slices that memory has room for, nearest first, until there is no place to be near to. */
  all(near: () => number | null, arrived: () => void): Promise<unknown> {
    const fetching = async (): Promise<void> => {
      for (let next = this.#missing(near()); next !== null; next = this.#missing(near())) {
        await this.slice(next);
        arrived();
      }
    };
    this.#all ??= Promise.all(Array.from({ length: AT_ONCE }, fetching)).finally(() => {
      this.#all = null;
    });
    return this.#all;
  }

  close(): void {
    this.#abort.abort();
  }

  /** The nearest slice that has not been asked for. */
  #missing(near: number | null): number | null {
    if (near === null || this.#abort.signal.aborted || this.#kept.size >= this.#room) return null;
    for (let distance = 0; distance < this.slices; distance++)
      for (const slice of [near + distance, near - distance])
        if (slice >= 0 && slice < this.slices && !this.#kept.has(slice)) return slice;
    return null;
  }

  /** How many slices are kept. */
  get #room(): number {
    const { space, colour, dtype } = this.header;
    const [rows = 1, columns = 1] = space.slice(-2);
    const bytes = rows * columns * (colour ? 3 : 1) * ARRAYS[dtype].BYTES_PER_ELEMENT;
    return Math.max(3, Math.floor(KEPT_BYTES / bytes));
  }

  /** Drops the slices farthest from this one when memory is full. */
  #forget(slice: number): void {
    const farthest = [...this.#arrived.keys()].sort((a, b) => Math.abs(b - slice) - Math.abs(a - slice));
    for (const old of farthest.slice(0, Math.max(0, this.#kept.size + 1 - this.#room))) {
      this.#kept.delete(old);
      this.#arrived.delete(old);
    }
  }
}
