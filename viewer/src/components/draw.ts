/** Drawing with the tool in hand: a length from end to end, a region along its outline. */

import { drawTo, finish } from "../marking";
import { toImage } from "../placement";
import type { Viewport } from "./viewport";

/** CSS pixels between two corners of a region. */
const CORNER_STEP = 3;

/** Follows a pointer from its press to its release. */
export function draw(viewport: Viewport, event: PointerEvent): void {
  const { reading, cut } = viewport;
  const ended = new AbortController();
  const { signal } = ended;
  let [x, y] = [event.clientX, event.clientY];
  viewport.setPointerCapture(event.pointerId);
  mark(viewport, event);
  const move = (moved: PointerEvent): void => {
    const far = Math.hypot(moved.clientX - x, moved.clientY - y) >= CORNER_STEP;
    const still = reading.cut(cut.axis).at === cut.at;
    if (moved.pointerId !== event.pointerId || !still || (reading.tool === "region" && !far)) return;
    [x, y] = [moved.clientX, moved.clientY];
    mark(viewport, moved);
  };
  const end = (): void => {
    ended.abort();
    finish(reading, tolerance(viewport));
  };
  viewport.addEventListener("pointermove", move, { signal });
  viewport.addEventListener("pointerup", end, { signal });
  viewport.addEventListener("pointercancel", end, { signal });
}

function mark(viewport: Viewport, event: PointerEvent): void {
  const { placement, density, reading, cut } = viewport;
  const box = viewport.getBoundingClientRect();
  const place = [(event.clientX - box.left) * density, (event.clientY - box.top) * density] as const;
  if (placement) drawTo(reading, cut, toImage(placement, ...place));
}

/** Three quarters of a CSS pixel, in pixels of the image. */
export function tolerance({ placement, density }: Pick<Viewport, "placement" | "density">): number {
  return (0.75 * density) / (placement?.scaleX ?? 1);
}
