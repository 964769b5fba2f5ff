/** The stored values of an image, slice by slice, as the station sends them (little-endian, C order). */

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

const ARRAYS: Record<PixelType, new (buffer: ArrayBuffer) => Values> = {
  uint8: Uint8Array,
  int16: Int16Array,
  uint16: Uint16Array,
  float32: Float32Array,
};

/** Slices kept in memory; the browser's own cache holds the rest. */
const KEPT_BYTES = 400_000_000;

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

  constructor(
    readonly header: ImageHeader,
    readonly source: Source,
  ) {}

  get slices(): number {
    return this.header.space.length === 3 ? (this.header.space[0] ?? 1) : 1;
  }

  /** The slice, if it is here already. */
  ready(slice: number): PlanePixels | undefined {
    return this.#arrived.get(slice);
  }

  /** A plane, if all that it needs is here already. */
  plane({ axis, at }: Cut): PlanePixels | undefined {
    return axis === 0 ? this.ready(at) : undefined;
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
      (plane) => this.#arrived.set(slice, plane),
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

  close(): void {
    this.#abort.abort();
  }

  /** Drops the slices farthest from this one when memory is full. */
  #forget(slice: number): void {
    const [rows = 1, columns = 1] = this.header.space.slice(-2);
    const room = Math.max(3, Math.floor(KEPT_BYTES / (rows * columns * 4)));
    const farthest = [...this.#arrived.keys()].sort((a, b) => Math.abs(b - slice) - Math.abs(a - slice));
    for (const old of farthest.slice(0, Math.max(0, this.#kept.size + 1 - room))) {
      this.#kept.delete(old);
      this.#arrived.delete(old);
    }
  }
}
