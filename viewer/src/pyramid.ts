/** Halved copies of an image, so that a large radiograph is averaged, not skipped through, when it is small. */

import type { Values } from "./pixels";

export interface Level {
  rows: number;
  columns: number;
  values: Values;
}

/** The image and its halvings down to one pixel (sizes rounded down); each is made when it is asked for. */
export class Pyramid {
  readonly #made: Level[];

  constructor(image: Level) {
    this.#made = [image];
  }

  get levels(): number {
    const { rows, columns } = this.level(0);
    return Math.floor(Math.log2(Math.max(rows, columns))) + 1;
  }

  level(halvings: number): Level {
    const made = this.#made[halvings] ?? halved(this.level(halvings - 1));
    this.#made[halvings] = made;
    return made;
  }
}

/** Each pixel is the mean of 2×2 (2×1 where the other side is one pixel already). */
export function halved({ rows, columns, values }: Level): Level {
  const [high, wide] = [Math.max(1, rows >> 1), Math.max(1, columns >> 1)];
  const [down, right] = [rows > 1 ? columns : 0, columns > 1 ? 1 : 0];
  const result = new Float32Array(high * wide);
  for (let row = 0; row < high; row++) {
    let from = row * 2 * columns;
    for (let column = 0; column < wide; column++, from += 2) {
      const upper = (values[from] as number) + (values[from + right] as number);
      const lower = (values[from + down] as number) + (values[from + down + right] as number);
      result[row * wide + column] = (upper + lower) / 4;
    }
  }
  return { rows: high, columns: wide, values: result };
}

/** The level to draw from at this zoom (device pixels per pixel): never finer than every second pixel. */
export function levelFor(zoom: number, levels: number): number {
  return Math.min(levels - 1, Math.max(0, Math.floor(Math.log2(1 / zoom) + 0.25)));
}
