/** Mouse and wheel on a viewport: window, pan, zoom, slices, opacity. */

import { panBy, zoomAround } from "../placement";
import type { Viewport } from "./viewport";

const ZOOM_PER_NOTCH = 1.15;
const OPACITY_PER_NOTCH = 5;
/** Wheel travel (CSS pixels) that counts as one slice. */
const TRAVEL_PER_SLICE = 40;

export function drags(viewport: Viewport, signal: AbortSignal): void {
  viewport.addEventListener("pointerdown", (event) => begin(viewport, event), { signal });
  viewport.addEventListener("dblclick", () => reset(viewport), { signal });
  viewport.addEventListener("wheel", wheel(viewport), { signal, passive: false });
  // The middle button would scroll the page.
  viewport.addEventListener("mousedown", (event) => event.button === 1 && event.preventDefault(), { signal });
}

/** Window and view as at the start. */
export function reset({ reading }: Pick<Viewport, "reading">): void {
  const asItCame = { inverted: false, turns: 0, mirrored: false } as const;
  reading.change({ window: null, zoom: null, centre: null, ...asItCame });
}

function begin(viewport: Viewport, event: PointerEvent): void {
  const pan = event.button === 1 || (event.button === 0 && event.shiftKey);
  if (!pan && event.button !== 0) return;
  viewport.setPointerCapture(event.pointerId);
  viewport.classList.add(pan ? "panning" : "windowing");
  const ended = new AbortController();
  const { signal } = ended;
  let [x, y] = [event.clientX, event.clientY];
  const move = (moved: PointerEvent): void => {
    (pan ? dragPan : dragWindow)(viewport, moved.clientX - x, moved.clientY - y);
    [x, y] = [moved.clientX, moved.clientY];
  };
  const end = (): void => {
    viewport.classList.remove("panning", "windowing");
    ended.abort();
  };
  viewport.addEventListener("pointermove", move, { signal });
  viewport.addEventListener("pointerup", end, { signal });
  viewport.addEventListener("pointercancel", end, { signal });
}

function dragWindow({ reading }: Viewport, dx: number, dy: number): void {
  reading.dragWindow(dx, dy);
}

function dragPan(viewport: Viewport, dx: number, dy: number): void {
  const { placement, density, reading } = viewport;
  if (placement) reading.change(panBy(placement, dx * density, dy * density));
}

function wheel(viewport: Viewport): (event: WheelEvent) => void {
  let travel = 0;
  return (event) => {
    event.preventDefault();
    const { reading } = viewport;
    const notches = -Math.sign(event.deltaY || event.deltaX);
    if (event.altKey) changeOpacity(viewport, notches * OPACITY_PER_NOTCH);
    else if (reading.slices > 1 && !event.ctrlKey) {
      travel +=
        event.deltaMode === WheelEvent.DOM_DELTA_PIXEL ? event.deltaY : event.deltaY * TRAVEL_PER_SLICE;
      const steps = Math.trunc(travel / TRAVEL_PER_SLICE);
      travel -= steps * TRAVEL_PER_SLICE;
      if (steps !== 0) reading.toSlice(reading.slice + steps);
    } else zoomAt(viewport, event, ZOOM_PER_NOTCH ** notches);
  };
}

export function changeOpacity({ reading }: Pick<Viewport, "reading">, by: number): void {
  reading.change({ opacity: Math.min(100, Math.max(0, reading.view.opacity + by)) });
}

function zoomAt(viewport: Viewport, event: WheelEvent, factor: number): void {
  const { placement, density, reading } = viewport;
  if (!placement || !reading.image) return;
  const box = viewport.getBoundingClientRect();
  const [x, y] = [(event.clientX - box.left) * density, (event.clientY - box.top) * density];
  reading.change(zoomAround(reading.plane(viewport.pane.axis), placement, factor, x, y));
}
