/** Every key of the study page: what it is called, what it means, what it does. The overlay is this table. */

import { COMPARE_KEYS } from "./compare-keys";
import { changeOpacity, reset } from "./components/gestures";
import { toPeak } from "./components/slice-bar";
import { rows } from "./finding-rows";
import { PEN_KEYS } from "./pen";
import { type Camera, clampZoom, type Placement, panBy, zoomAround } from "./placement";
import type { Cut } from "./plane";
import type { Reading } from "./reading";
import { REMARK_KEYS } from "./remark-keys";
import { step } from "./scrolling";
import { stepSlab } from "./slab";
import { texts } from "./texts";
import { TOOL_KEYS } from "./tool-keys";
import type { Layout } from "./view";

/** What a key acts on. */
export interface Desk {
  reading: Reading;
  /** The viewport that keys act on: its plane, where the image lies on it, and how it is moved. */
  active: () => { cut: Cut; placement: Placement | null; look: (camera: Camera) => void } | undefined;
  /** Saves what is seen. */
  picture: () => void;
  /** Puts it on paper; null in a notebook, which prints itself. */
  print: (() => void) | null;
  help: () => void;
  leave: () => void;
}

export interface Key {
  shown: string;
  meaning: string;
  /** By `KeyboardEvent.key`, letters in lower case. */
  keys: Record<string, (desk: Desk) => void>;
}

const PAN_STEP = 60;
const ZOOM_STEP = 1.25;
const OPACITY_STEP = 5;
const WINDOW_STEP = 20;
const { help } = texts;

export const KEYS: readonly Key[] = [
  { shown: "H", meaning: help.map, keys: { h: ({ reading }) => reading.toggleMap() } },
  { shown: "Space", meaning: help.hold, keys: { " ": ({ reading }) => reading.hold(true) } },
  { shown: "1 … 9", meaning: help.chooseFinding, keys: digits() },
  {
    shown: "J  K",
    meaning: help.nextFinding,
    keys: { j: ({ reading }) => stepFinding(reading, 1), k: ({ reading }) => stepFinding(reading, -1) },
  },
  { shown: "S", meaning: help.side, keys: { s: ({ reading }) => arrange(reading, "side") } },
  { shown: "P", meaning: help.planes, keys: { p: ({ reading }) => arrange(reading, "planes") } },
  { shown: "C", meaning: help.cells, keys: { c: ({ reading }) => flip(reading, "cells") } },
  {
    shown: "]  [",
    meaning: help.opacity,
    keys: {
      "]": (desk) => changeOpacity(desk, OPACITY_STEP),
      "[": (desk) => changeOpacity(desk, -OPACITY_STEP),
    },
  },
  { shown: "W", meaning: help.window, keys: { w: ({ reading }) => reading.nextPreset() } },
  {
    shown: "Shift + ,  .",
    meaning: help.width,
    keys: {
      "<": ({ reading }) => reading.dragWindow(-WINDOW_STEP, 0),
      ">": ({ reading }) => reading.dragWindow(WINDOW_STEP, 0),
    },
  },
  {
    shown: ",  .",
    meaning: help.level,
    keys: {
      ",": ({ reading }) => reading.dragWindow(0, -WINDOW_STEP),
      ".": ({ reading }) => reading.dragWindow(0, WINDOW_STEP),
    },
  },
  {
    shown: "R",
    meaning: help.reset,
    keys: { r: reset },
  },
  {
    shown: "F",
    meaning: help.fit,
    keys: { f: ({ reading }) => reading.change({ zoom: null, centre: null }) },
  },
  { shown: "O", meaning: help.oneToOne, keys: { o: ({ reading }) => reading.change({ zoom: 1 }) } },
  {
    shown: "+  −",
    meaning: help.zoom,
    keys: {
      "+": (desk) => zoom(desk, ZOOM_STEP),
      "=": (desk) => zoom(desk, ZOOM_STEP),
      "-": (desk) => zoom(desk, 1 / ZOOM_STEP),
    },
  },
  {
    shown: "Shift + arrows",
    meaning: help.pan,
    keys: {
      "shift arrowleft": (desk) => pan(desk, PAN_STEP, 0),
      "shift arrowright": (desk) => pan(desk, -PAN_STEP, 0),
      "shift arrowup": (desk) => pan(desk, 0, PAN_STEP),
      "shift arrowdown": (desk) => pan(desk, 0, -PAN_STEP),
    },
  },
  ...COMPARE_KEYS,
  ...TOOL_KEYS,
  {
    shown: "B  Shift + B",
    meaning: help.slab,
    keys: { b: ({ reading }) => stepSlab(reading, 1), "shift b": ({ reading }) => stepSlab(reading, -1) },
  },
  { shown: "↑  ↓", meaning: help.slice, keys: { arrowup: stepSlice(-1), arrowdown: stepSlice(1) } },
  {
    shown: "Page ↑  Page ↓",
    meaning: help.tenSlices,
    keys: { pageup: stepSlice(-10), pagedown: stepSlice(10) },
  },
  {
    shown: "Home  End",
    meaning: help.endSlices,
    keys: {
      home: stepSlice(Number.NEGATIVE_INFINITY),
      end: stepSlice(Number.POSITIVE_INFINITY),
    },
  },
  { shown: "E", meaning: help.peak, keys: { e: ({ reading }) => toPeak(reading) } },
  { shown: "←  →", meaning: help.image, keys: { arrowleft: stepImage(-1), arrowright: stepImage(1) } },
  { shown: "D", meaning: help.details, keys: { d: ({ reading }) => flip(reading, "details") } },
  ...REMARK_KEYS,
  { shown: "Esc", meaning: help.worklist, keys: { escape: (desk) => desk.leave() } },
  { shown: "?", meaning: help.help, keys: { "?": (desk) => desk.help() } },
];

export const MOUSE: readonly string[] = [
  help.dragWindow,
  help.cross,
  help.doubleClick,
  help.wheel,
  help.dragPan,
  help.wheelOpacity,
];

const actions = new Map(KEYS.flatMap(({ keys }) => Object.entries(keys)));

/** Runs what a key means; false where it means nothing here. */
export function press(event: KeyboardEvent, desk: Desk): boolean {
  if (event.ctrlKey || event.metaKey || event.altKey || inField(event.target, event.key)) return false;
  const key = event.key.toLowerCase();
  const shifted = event.shiftKey && /^(arrow.*|[a-z])$/.test(key);
  const pressed = shifted ? `shift ${key}` : key;
  const action = (desk.reading.tool && PEN_KEYS.get(pressed)) || actions.get(pressed);
  if (!action) return false;
  event.preventDefault();
  action(desk);
  return true;
}

const isField = (target: EventTarget | null): boolean =>
  target instanceof HTMLInputElement ||
  target instanceof HTMLSelectElement ||
  target instanceof HTMLTextAreaElement;

/** Whether the element with the focus wants this key itself. */
function inField(target: EventTarget | null, key: string): boolean {
  if (target instanceof HTMLInputElement && target.type === "range")
    return /^(arrow|page|home|end)/i.test(key);
  if (isField(target)) return key !== "Escape";
  return (target instanceof HTMLButtonElement || target instanceof HTMLAnchorElement) && key === " ";
}

function digits(): Key["keys"] {
  const choose = (place: number) => (desk: Desk) => chooseRow(desk.reading, place);
  return Object.fromEntries(Array.from({ length: 9 }, (_, i) => [String(i + 1), choose(i)]));
}

/** Maps of the findings in the order of the list. */
function listed(reading: Reading): number[] {
  const record = reading.explanation?.record;
  return record ? rows(record).map((row) => row.map) : [];
}

function chooseRow(reading: Reading, place: number): void {
  const map = listed(reading)[place] ?? -1;
  if (map >= 0) reading.chooseFinding(map);
}

function stepFinding(reading: Reading, by: number): void {
  const maps = listed(reading).filter((map) => map >= 0);
  const now = maps.indexOf(reading.view.finding ?? -1);
  const next = now < 0 ? (by > 0 ? 0 : maps.length - 1) : now + by;
  const map = maps[next];
  if (map !== undefined) reading.chooseFinding(map);
}

/** A layout on, or back to one viewport. */
function arrange(reading: Reading, layout: Layout): void {
  reading.change({ layout: reading.view.layout === layout ? "one" : layout });
}

function flip(reading: Reading, name: "cells" | "details"): void {
  reading.change({ [name]: !reading.view[name] });
}

function zoom({ reading, active }: Desk, factor: number): void {
  const viewport = active();
  const placed = viewport?.placement;
  if (viewport && placed) {
    const plane = reading.plane(viewport.cut.axis);
    viewport.look(zoomAround(plane, placed, factor, placed.width / 2, placed.height / 2));
  } else reading.change({ zoom: clampZoom(factor) });
}

function pan({ active }: Desk, dx: number, dy: number): void {
  const viewport = active();
  if (viewport?.placement) viewport.look(panBy(viewport.placement, dx, dy));
}

/** Along the slices, or in the plane across them that was last pointed at. */
function stepSlice(by: number): (desk: Desk) => void {
  return ({ reading, active }) => step(reading, active()?.cut ?? reading.cut(0), by);
}

function stepImage(by: number): (desk: Desk) => void {
  return ({ reading }) => {
    const { images } = reading.study;
    const next = images[images.findIndex((row) => row.key === reading.imageRow?.key) + by];
    if (next) reading.chooseImage(next.key);
  };
}
