/** Fingers on a viewport: one drags the window or the slices, two zoom and pan, one that rests hides the map. */

import { panBy, zoomAround } from "../placement";
import { toPlane } from "../planes";
import { draw } from "./draw";
import type { Viewport } from "./viewport";

type Point = readonly [x: number, y: number];

/** A finger that moves less than this (CSS pixels) rests. */
const RESTS = 8;
const LONG_PRESS_MS = 500;
/** Travel (CSS pixels) that counts as one slice. */
const TRAVEL_PER_SLICE = 14;

export function touches(viewport: Viewport, signal: AbortSignal): void {
  const fingers = new Fingers(viewport);
  const listen = (type: "pointerdown" | "pointermove" | "pointerup" | "pointercancel"): void => {
    const heard = (event: PointerEvent): void => {
      if (event.pointerType === "touch") fingers[type](event);
    };
    viewport.addEventListener(type, heard, { signal });
  };
  for (const type of ["pointerdown", "pointermove", "pointerup", "pointercancel"] as const) listen(type);
  signal.addEventListener("abort", () => fingers.lift());
}

class Fingers {
  readonly #down = new Map<number, Point>();
  #press: ReturnType<typeof setTimeout> | undefined;
  #began: Point = [0, 0];
  #moving = false;
  #travel = 0;

  constructor(readonly viewport: Viewport) {}

  pointerdown(event: PointerEvent): void {
    const { reading } = this.viewport;
    if (reading.tool && event.isPrimary) {
      draw(this.viewport, event);
      return;
    }
    this.viewport.setPointerCapture(event.pointerId);
    this.#down.set(event.pointerId, [event.clientX, event.clientY]);
    clearTimeout(this.#press);
    if (this.#down.size > 1) reading.hold(false);
    else {
      this.#began = [event.clientX, event.clientY];
      [this.#moving, this.#travel] = [false, 0];
      this.#press = setTimeout(() => reading.hold(true), LONG_PRESS_MS);
    }
  }

  pointermove(event: PointerEvent): void {
    const before = this.#down.get(event.pointerId);
    if (!before) return;
    const now: Point = [event.clientX, event.clientY];
    if (this.#down.size > 1) this.#two(event.pointerId, now);
    else this.#one(before, now);
    this.#down.set(event.pointerId, now);
  }

  pointerup(event: PointerEvent): void {
    this.#down.delete(event.pointerId);
    this.lift();
    // The finger that stays begins nothing: a pinch does not end in a drag of the window.
    this.#moving = false;
    this.#began = [Number.POSITIVE_INFINITY, 0];
  }

  pointercancel(event: PointerEvent): void {
    this.pointerup(event);
  }

  lift(): void {
    clearTimeout(this.#press);
    this.viewport.reading.hold(false);
  }

  #one(before: Point, now: Point): void {
    const { reading } = this.viewport;
    if (!Number.isFinite(this.#began[0]) || reading.held) return;
    this.#moving ||= distance(this.#began, now) > RESTS;
    if (!this.#moving) return;
    clearTimeout(this.#press);
    const [dx, dy] = [now[0] - before[0], now[1] - before[1]];
    if (reading.slices > 1) this.#slices(dy);
    else reading.dragWindow(dx, dy);
  }

  #slices(dy: number): void {
    const { reading, cut } = this.viewport;
    this.#travel += dy;
    const steps = Math.trunc(this.#travel / TRAVEL_PER_SLICE);
    this.#travel -= steps * TRAVEL_PER_SLICE;
    if (steps !== 0) toPlane(reading, cut.axis, cut.at + steps);
  }

  /** Zooms around the middle of two fingers, and goes with it. */
  #two(moved: number, now: Point): void {
    const { viewport } = this;
    const [mine, other] = [this.#down.get(moved), [...this.#down].find(([id]) => id !== moved)?.[1]];
    const { placement, density, reading } = viewport;
    if (!mine || !other || !placement) return;
    const [from, to] = [middle(mine, other), middle(now, other)];
    const factor = distance(now, other) / Math.max(1, distance(mine, other));
    const box = viewport.getBoundingClientRect();
    const [x, y] = [(from[0] - box.left) * density, (from[1] - box.top) * density];
    viewport.look(zoomAround(reading.plane(viewport.pane.axis), placement, factor, x, y));
    const zoomed = viewport.placement;
    const [dx, dy] = [(to[0] - from[0]) * density, (to[1] - from[1]) * density];
    if (zoomed) viewport.look(panBy(zoomed, dx, dy));
  }
}

const middle = (a: Point, b: Point): Point => [(a[0] + b[0]) / 2, (a[1] + b[1]) / 2];
const distance = (a: Point, b: Point): number => Math.hypot(a[0] - b[0], a[1] - b[1]);
