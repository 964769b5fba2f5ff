/** Planes across a volume, cut from its slices as they arrive; what is not here yet is black. */

import type { PlanePixels } from "./pixels";
import type { Axis, Cut } from "./plane";
import type { ImageHeader } from "./types";

interface Growing {
  at: number;
  plane: PlanePixels;
  /** Which slices are in it. */
  filled: Uint8Array;
  arrivals: number;
}

export class Cuts {
  readonly #kept = new Map<Axis, Growing>();

  constructor(readonly header: ImageHeader) {}

  /** The same object as long as no further slice has arrived. */
  cut(
    { axis, at }: Cut,
    arrived: ReadonlyMap<number, PlanePixels>,
    arrivals: number,
  ): PlanePixels | undefined {
    const [any] = arrived.values();
    if (!any) return undefined;
    let kept = this.#kept.get(axis);
    if (kept?.at !== at) kept = this.#empty(axis, at, any);
    if (kept.arrivals !== arrivals) this.#fill(kept, axis, arrived);
    kept.arrivals = arrivals;
    this.#kept.set(axis, kept);
    return kept.plane;
  }

  #empty(axis: Axis, at: number, { colour, values }: PlanePixels): Growing {
    const [slices = 1, rows = 1, columns = 1] = this.header.space;
    const across = axis === 1 ? columns : rows;
    const like = values.constructor as new (length: number) => typeof values;
    const empty = new like(slices * across * (colour ? 3 : 1));
    const plane = { rows: slices, columns: across, colour, values: empty, low: 0, high: 1 };
    return { at, plane, filled: new Uint8Array(slices), arrivals: -1 };
  }

  #fill(growing: Growing, axis: Axis, arrived: ReadonlyMap<number, PlanePixels>): void {
    const { at, filled, plane } = growing;
    let [low, high] = growing.arrivals < 0 ? [Infinity, -Infinity] : [plane.low, plane.high];
    for (const [slice, from] of arrived) {
      low = Math.min(low, from.low);
      high = Math.max(high, from.high);
      if (filled[slice]) continue;
      if (axis === 1) copyRow(plane, slice, from, at);
      else copyColumn(plane, slice, from, at);
      filled[slice] = 1;
    }
    // A new object tells whoever draws it that it has changed.
    growing.plane = { ...plane, low, high };
    const black = this.header.photometric === "MONOCHROME1" ? high : low;
    const stride = plane.values.length / plane.rows;
    for (let slice = 0; slice < plane.rows; slice++)
      if (!filled[slice]) plane.values.fill(plane.colour ? 0 : black, slice * stride, (slice + 1) * stride);
  }
}

function copyRow(plane: PlanePixels, slice: number, from: PlanePixels, row: number): void {
  const stride = plane.values.length / plane.rows;
  plane.values.set(from.values.subarray(row * stride, (row + 1) * stride), slice * stride);
}

function copyColumn(plane: PlanePixels, slice: number, from: PlanePixels, column: number): void {
  const channels = plane.colour ? 3 : 1;
  const stride = from.columns * channels;
  let to = slice * plane.columns * channels;
  for (let row = 0, i = column * channels; row < from.rows; row++, i += stride)
    for (let channel = 0; channel < channels; channel++)
      plane.values[to++] = from.values[i + channel] as number;
}
