import { expect, it } from "vitest";
import { Reading } from "../src/reading";
import type { Source } from "../src/source";
import type { ImageRow, Study } from "../src/types";
import { DEFAULT_VIEW } from "../src/view";

const row = (key: string): ImageRow =>
  ({
    key,
    frame_number: null,
    series_description: key,
    space: [4, 2, 2],
    explanations: [],
  }) as unknown as ImageRow;

/** A source whose slices come when the test says, or end when they are not wanted any more. */
function station() {
  const coming: { slice: number | null; come: () => void; fail: () => void }[] = [];
  const source = {
    imageHeader: async (key: string) => ({ key, space: [4, 2, 2], dtype: "uint8", colour: false }),
    pixels: (_: string, slice: number | null, signal: AbortSignal) =>
      new Promise<ArrayBuffer>((done, failed) => {
        signal.addEventListener("abort", () => failed(signal.reason));
        coming.push({ slice, come: () => done(new ArrayBuffer(4)), fail: () => failed(new Error("away")) });
      }),
  } as unknown as Source;
  return { source, coming };
}

/** A study of these images, of which the first is open. */
async function opened(...keys: string[]) {
  const { source, coming } = station();
  const reading = new Reading({ key: "s", images: keys.map(row) } as unknown as Study, DEFAULT_VIEW, source);
  reading.open();
  await soon();
  coming[0]?.come();
  await soon();
  return { reading, coming };
}

const soon = (): Promise<void> => new Promise((done) => setTimeout(done));

it("an image that is chosen while a slice of another is on its way is not told to have failed", async () => {
  const { reading, coming } = await opened("a", "b");
  reading.toSlice(0);
  await soon();
  reading.chooseImage("b");
  await soon();
  for (const one of coming) one.come();
  await soon();
  expect(reading.image?.row.key).toBe("b");
  expect(reading.imageError).toBeNull();
});

it("a slice that failed is not told of the next one that comes", async () => {
  const { reading, coming } = await opened("a");
  reading.toSlice(0);
  await soon();
  coming.find((one) => one.slice === 0)?.fail();
  await soon();
  expect(String(reading.imageError)).toContain("away");
  reading.toSlice(1);
  await soon();
  for (const one of coming) one.come();
  await soon();
  expect(reading.imageError).toBeNull();
});
