/** The frames of one object, each an image with an explanation of its own, gone through like slices. */

import type { Reading } from "./reading";
import type { ImageRow } from "./types";

/** The frames of the chosen image's object, in their order; the image alone where it is no frame. */
export function framesOf({ study, imageRow }: Reading): ImageRow[] {
  return runs(study.images).find((run) => imageRow && run.includes(imageRow)) ?? [];
}

/** Images in groups: the frames of one object together, every other image alone. */
export function runs(images: readonly ImageRow[]): ImageRow[][] {
  const found: ImageRow[][] = [];
  for (const row of images) {
    const run = found.at(-1);
    const before = run?.at(-1);
    if (run && before && follows(row, before)) run.push(row);
    else found.push([row]);
  }
  return found;
}

/** As far as a study tells of objects: the next frame number, in the same series, at the same size. */
function follows(row: ImageRow, before: ImageRow): boolean {
  return (
    before.frame_number !== null &&
    row.frame_number === before.frame_number + 1 &&
    row.series_description === before.series_description &&
    row.space.join() === before.space.join()
  );
}

/** Where the chosen image stands among its frames. */
export function frameIndex(reading: Reading): number {
  return framesOf(reading).findIndex((row) => row.key === reading.imageRow?.key);
}

/** Goes to a frame, to the first or the last where there is none so far. */
export function toFrame(reading: Reading, index: number): void {
  const frames = framesOf(reading);
  const frame = frames[Math.min(frames.length - 1, Math.max(0, index))];
  if (frame) reading.chooseImage(frame.key);
}
