import { describe, expect, it } from "vitest";
import { type Camera, type Orientation, place, toImage } from "../src/placement";
import { Pyramid } from "../src/pyramid";
import { boxOf, sample } from "../src/sample";

const [ROWS, COLUMNS] = [5, 7];
const values = Uint16Array.from({ length: ROWS * COLUMNS }, (_, i) => (i * 37) % 101);
const image = { rows: ROWS, columns: COLUMNS, values };
const ENTRIES = { first: -2, step: 1, entries: 200 };
const ORIENTATIONS = [0, 1, 2, 3].flatMap((turns) =>
  [false, true].map((mirrored) => ({ turns, mirrored }) as Orientation),
);

function placed(camera: Camera, orientation: Orientation): ReturnType<typeof place> {
  return place({ rows: ROWS, columns: COLUMNS, aspect: 1.5 }, camera, [40, 30], [40, 30], orientation);
}

/** The stored value under a place, slowly: the mean of its four neighbours by their distance. */
function under(row: number, column: number): number {
  const at = (r: number, c: number): number =>
    values[Math.min(ROWS - 1, Math.max(0, r)) * COLUMNS + Math.min(COLUMNS - 1, Math.max(0, c))] ?? 0;
  let sum = 0;
  for (const r of [Math.floor(row), Math.floor(row) + 1])
    for (const c of [Math.floor(column), Math.floor(column) + 1])
      sum += at(r, c) * (1 - Math.abs(row - r)) * (1 - Math.abs(column - c));
  return sum;
}

describe("an image at the screen's resolution", () => {
  it.each(ORIENTATIONS)("is interpolated where the placement says: %j", (orientation) => {
    const placement = placed({ zoom: 3.3, centre: [2.2, 3.1] }, orientation);
    const box = boxOf(image, placement);
    const sampled = sample(image, 0, placement, box, ENTRIES);
    for (let y = 0; y < box.height; y++)
      for (let x = 0; x < box.width; x++) {
        const place = toImage(placement, box.x + x + 0.5, box.y + y + 0.5);
        const off = (sampled[y * box.width + x] ?? 0) - 2 - under(...place);
        expect(Math.abs(off)).toBeLessThanOrEqual(0.5 + 1e-9);
      }
  });

  it.each(ORIENTATIONS)("covers the device pixels whose centres lie on it: %j", (orientation) => {
    const placement = placed({ zoom: 2.7, centre: [0.4, 6] }, orientation);
    const { x: left, y: top, width, height } = boxOf(image, placement);
    for (let y = 0; y < placement.height; y++)
      for (let x = 0; x < placement.width; x++) {
        const [row, column] = toImage(placement, x + 0.5, y + 0.5);
        const on = row > -0.5 && row < ROWS - 0.5 && column > -0.5 && column < COLUMNS - 0.5;
        expect(x >= left && x < left + width && y >= top && y < top + height).toBe(on);
      }
  });

  it("has the value of each pixel itself at 1:1", () => {
    const square = place({ rows: ROWS, columns: COLUMNS, aspect: 1 }, { zoom: 1, centre: null }, [20, 20]);
    const sampled = sample(image, 0, square, boxOf(image, square), { ...ENTRIES, first: 0 });
    expect([...sampled]).toEqual([...values]);
  });

  it("holds the ends of the table", () => {
    const square = place({ rows: ROWS, columns: COLUMNS, aspect: 1 }, { zoom: 1, centre: null }, [20, 20]);
    const sampled = sample(image, 0, square, boxOf(image, square), { first: 10, step: 1, entries: 20 });
    expect([...sampled]).toEqual([...values].map((value) => Math.min(19, Math.max(0, value - 10))));
  });

  it("is read from its halved copies where it is small", () => {
    const pyramid = new Pyramid({
      rows: 2,
      columns: 4,
      values: Uint8Array.from([1, 3, 10, 14, 5, 7, 20, 24]),
    });
    const half = place({ rows: 2, columns: 4, aspect: 1 }, { zoom: 0.5, centre: null }, [10, 10]);
    const sampled = sample(pyramid.level(1), 1, half, boxOf({ rows: 2, columns: 4 }, half), {
      first: 0,
      step: 1,
      entries: 256,
    });
    expect([...sampled]).toEqual([4, 17]);
  });
});
