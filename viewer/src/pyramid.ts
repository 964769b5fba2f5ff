/** Halved copies of an image, so that a large radiograph is averaged, not skipped through, when it is small. */

export interface Level {
  rows: number;
  columns: number;
  values: Float32Array;
}

/** The image and its halvings down to one pixel, with the sizes that WebGL asks of mip levels (floor). */
export function pyramid(values: Float32Array, rows: number, columns: number): Level[] {
  const levels: Level[] = [{ rows, columns, values }];
  for (let last = levels[0]; last && (last.rows > 1 || last.columns > 1); last = levels.at(-1))
    levels.push(halved(last));
  return levels;
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
