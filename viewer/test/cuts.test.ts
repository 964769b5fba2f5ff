import { expect, it } from "vitest";
import { Pixels } from "../src/pixels";
import type { Source } from "../src/source";
import type { ImageHeader } from "../src/types";

const SPACE = [3, 2, 4] as const;
const SIZE = SPACE[1] * SPACE[2];

/** The value at (slice, row, column) is 100·slice + 10·row + column. */
const slab = (slice: number): Int16Array =>
  Int16Array.from({ length: SIZE }, (_, i) => 100 * slice + 10 * Math.floor(i / SPACE[2]) + (i % SPACE[2]));

function pixels(rest: Partial<ImageHeader> = {}): Pixels {
  const header = {
    key: "k",
    space: [...SPACE],
    dtype: "int16",
    colour: false,
    photometric: "MONOCHROME2",
    ...rest,
  } as ImageHeader;
  const source = { pixels: async (_: string, slice: number) => slab(slice).buffer } as unknown as Source;
  return new Pixels(header, source);
}

it("planes across the slices are the stored values at their places", async () => {
  const volume = pixels();
  let told = 0;
  await volume.all(
    () => 1,
    () => told++,
  );
  expect([volume.here, told]).toEqual([3, 3]);
  const row = volume.plane({ axis: 1, at: 1 });
  expect([row?.rows, row?.columns, row?.low, row?.high]).toEqual([3, 4, 0, 213]);
  expect([...(row?.values ?? [])]).toEqual([10, 11, 12, 13, 110, 111, 112, 113, 210, 211, 212, 213]);
  const column = volume.plane({ axis: 2, at: 3 });
  expect([...(column?.values ?? [])]).toEqual([3, 13, 103, 113, 203, 213]);
});

it("grow as slices arrive, and are the same object while none does", async () => {
  const volume = pixels();
  expect(volume.plane({ axis: 1, at: 0 })).toBeUndefined();
  await volume.slice(1);
  const first = volume.plane({ axis: 1, at: 0 });
  expect([...(first?.values ?? [])]).toEqual([100, 100, 100, 100, 100, 101, 102, 103, 100, 100, 100, 100]);
  expect(volume.plane({ axis: 1, at: 0 })).toBe(first);
  await volume.slice(2);
  const second = volume.plane({ axis: 1, at: 0 });
  expect(second).not.toBe(first);
  expect([...(second?.values ?? [])].slice(8)).toEqual([200, 201, 202, 203]);
});

it("what is not here is black in an image whose lowest value is white, too", async () => {
  const volume = pixels({ photometric: "MONOCHROME1" });
  await volume.slice(0);
  expect(volume.plane({ axis: 2, at: 0 })?.values[2]).toBe(13);
});

it("fetching everything ends where there is no place to be near to", async () => {
  const volume = pixels();
  await volume.all(
    () => null,
    () => undefined,
  );
  expect(volume.here).toBe(0);
});
