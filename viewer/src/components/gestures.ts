/** Mouse and wheel on a viewport: window, pan, zoom, slices, opacity. */

import { panBy, toImage, zoomAround } from "../placement";
import { crossAt } from "../planes";
import { scrolls, step } from "../scrolling";
import { draw } from "./draw";
import type { Viewport } from "./viewport";

const ZOOM_PER_NOTCH = 1.15;
const OPACITY_PER_NOTCH = 5;
/** Wheel travel (CSS pixels) that counts as one slice. */
const TRAVEL_PER_SLICE = 40;

export function drags(viewport: Viewport, signal: AbortSignal): void {
  viewport.addEventListener("pointerdown", (event) => begin(viewport, event), { signal });
  viewport.addEventListener("dblclick", () => doubleClick(viewport), { signal });
  // The right button drags the window.
  viewport.addEventListener("contextmenu", (event) => event.preventDefault(), { signal });
  viewport.addEventListener("wheel", wheel(viewport), { signal, passive: false });
  // The middle button would scroll the page.
  viewport.addEventListener("mousedown", (event) => event.button === 1 && event.preventDefault(), { signal });
}

/** Window and view as at the start. */
export function reset({ reading }: Pick<Viewport, "reading">): void {
  const asItCame = { inverted: false, turns: 0, mirrored: false } as const;
  reading.change({ window: null, zoom: null, centre: null, ...asItCame });
}

/** Of three planes, the one that is clicked twice is seen alone, and then all three again. */
function doubleClick(viewport: Viewport): void {
  const { reading, pane } = viewport;
  const { layout, alone } = reading.view;
  if (layout === "planes" && reading.slices > 1) reading.change({ alone: alone === null ? pane.axis : null });
  else reset(viewport);
}

type Drag = "panning" | "windowing" | "crossing";

function dragOf({ reading }: Viewport, { button, shiftKey }: PointerEvent): Drag | null {
  if (button === 1 || (button === 0 && shiftKey)) return "panning";
  if (button === 0 && reading.view.layout === "planes" && reading.slices > 1) return "crossing";
  return button === 0 || button === 2 ? "windowing" : null;
}

function begin(viewport: Viewport, event: PointerEvent): void {
  if (event.pointerType === "touch") return;
  if (viewport.reading.tool && event.button === 0 && !event.shiftKey) {
    draw(viewport, event);
    return;
  }
  const drag = dragOf(viewport, event);
  if (!drag) return;
  viewport.setPointerCapture(event.pointerId);
  viewport.classList.add(drag);
  const ended = new AbortController();
  const { signal } = ended;
  let [x, y] = [event.clientX, event.clientY];
  const move = (moved: PointerEvent): void => {
    if (drag === "crossing") cross(viewport, moved);
    else (drag === "panning" ? dragPan : dragWindow)(viewport, moved.clientX - x, moved.clientY - y);
    [x, y] = [moved.clientX, moved.clientY];
  };
  if (drag === "crossing") cross(viewport, event);
  const end = (): void => {
    viewport.classList.remove(drag);
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
  const { placement, density } = viewport;
  if (placement) viewport.look(panBy(placement, dx * density, dy * density));
}

/** The other planes meet this one under the pointer. */
function cross(viewport: Viewport, event: PointerEvent): void {
  const { placement, reading, cut } = viewport;
  if (placement) crossAt(reading, cut, toImage(placement, ...under(viewport, event)));
}

/** Where the pointer is, in device pixels of the canvas. */
function under(viewport: Viewport, event: MouseEvent): [number, number] {
  const box = viewport.getBoundingClientRect();
  return [(event.clientX - box.left) * viewport.density, (event.clientY - box.top) * viewport.density];
}

function wheel(viewport: Viewport): (event: WheelEvent) => void {
  let travel = 0;
  return (event) => {
    event.preventDefault();
    const { reading } = viewport;
    const notches = -Math.sign(event.deltaY || event.deltaX);
    if (event.altKey) changeOpacity(viewport, notches * OPACITY_PER_NOTCH);
    else if (scrolls(reading) && !event.ctrlKey) {
      travel +=
        event.deltaMode === WheelEvent.DOM_DELTA_PIXEL ? event.deltaY : event.deltaY * TRAVEL_PER_SLICE;
      const steps = Math.trunc(travel / TRAVEL_PER_SLICE);
      travel -= steps * TRAVEL_PER_SLICE;
      if (steps !== 0) step(reading, viewport.cut, steps);
    } else zoomAt(viewport, event, ZOOM_PER_NOTCH ** notches);
  };
}

export function changeOpacity({ reading }: Pick<Viewport, "reading">, by: number): void {
  reading.change({ opacity: Math.min(100, Math.max(0, reading.view.opacity + by)) });
}

function zoomAt(viewport: Viewport, event: WheelEvent, factor: number): void {
  const { placement, reading } = viewport;
  if (!placement || !reading.image) return;
  const plane = reading.plane(viewport.pane.axis);
  viewport.look(zoomAround(plane, placement, factor, ...under(viewport, event)));
}
