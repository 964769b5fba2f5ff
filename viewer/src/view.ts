/** What is looked at and how: the part of the page's state that a link can hold. No patient data. */

import { COLOUR_MAPS, type ColourMap, DEFAULT_COLOUR_MAP } from "./colour";
import { type Mark, marksFrom, marksText } from "./marks";
import { MAX_ZOOM, MIN_ZOOM, type Orientation } from "./placement";
import type { Axis } from "./plane";
import type { VoiLutFunction, Window } from "./types";

export interface View {
  /** Opaque keys; null takes the first there is. */
  image: string | null;
  explanation: string | null;
  /** Which finding of the explanation's map. */
  finding: number | null;
  map: boolean;
  layout: Layout;
  /** In the layout "swipe": how much of the width shows the image alone, in percent. */
  swipe: number;
  /** The explanation that this one is compared with (of a prior study, or by another method). */
  other: string | null;
  /** Instead of the map: what it has more or less than the other. */
  difference: boolean;
  /** Cells in which the two methods have another sign are hatched. */
  disagreement: boolean;
  cells: boolean;
  contours: boolean;
  /** Full colour is this map's own maximum, instead of the scale that all maps share. */
  ownScale: boolean;
  /** How many mm of a volume's evidence are seen at once, the strongest in front; 0 is one slice. */
  slab: number;
  details: boolean;
  /** Opacity at full colour, in percent. */
  opacity: number;
  colourMap: ColourMap;
  /** Null is what the file asks for; a number is one of the presets. */
  window: Window | number | null;
  inverted: boolean;
  turns: Orientation["turns"];
  mirrored: boolean;
  /** Where the three planes of a volume meet; null is the middle. */
  slice: number | null;
  row: number | null;
  column: number | null;
  /** In the layout "planes": the one that is seen alone, by its axis. */
  alone: Axis | null;
  marks: readonly Mark[];
  zoom: number | null;
  centre: readonly [number, number] | null;
  /** The slice in the middle of the planes across a volume. */
  depth: number | null;
}

const LAYOUTS = ["one", "side", "swipe", "planes"] as const;
export type Layout = (typeof LAYOUTS)[number];

const SWITCHES = [
  "map",
  "difference",
  "disagreement",
  "cells",
  "contours",
  "ownScale",
  "details",
  "inverted",
  "mirrored",
] as const;

/** What of a view belongs to one image only, as it is before anybody has looked. */
export const UNSEEN = {
  explanation: null,
  other: null,
  window: null,
  turns: 0,
  mirrored: false,
  slice: null,
  row: null,
  column: null,
  alone: null,
  marks: [],
  zoom: null,
  centre: null,
  depth: null,
} satisfies Partial<View>;

export const DEFAULT_VIEW: View = {
  ...UNSEEN,
  image: null,
  finding: null,
  map: false,
  layout: "one",
  swipe: 50,
  difference: false,
  disagreement: false,
  cells: false,
  contours: false,
  ownScale: false,
  slab: 0,
  details: false,
  opacity: 60,
  colourMap: DEFAULT_COLOUR_MAP,
  inverted: false,
};

/** Pages of many studies read their own query: what they are filtered and sorted by, no patient data. */
const OVERVIEWS = ["worklist", "sheet", "flags", "jobs"] as const;
export type Overview = (typeof OVERVIEWS)[number];

export type Place =
  | { page: Overview; query: string }
  | { page: "models"; model: string | null }
  | { page: "study"; study: string; view: View };

export const WORKLIST: Place = { page: "worklist", query: "" };

const FUNCTIONS: readonly VoiLutFunction[] = ["LINEAR", "LINEAR_EXACT", "SIGMOID"];
const KEY = /^[0-9a-z-]{1,128}$/i;
const MODEL = /^[a-z0-9][a-z0-9._-]{0,63}@[a-z0-9][a-z0-9._+-]{0,63}$/i;

/** The part of the address after "#". */
export function toAddress(place: Place): string {
  if (place.page === "models") return place.model === null ? "#/models" : `#/models/${place.model}`;
  if (place.page === "study") {
    const query = new URLSearchParams(Object.entries(toQuery(place.view))).toString();
    return `#/study/${encodeURIComponent(place.study)}${query && `?${query}`}`;
  }
  return `#/${place.page === "worklist" ? "" : place.page}${place.query && `?${place.query}`}`;
}

function toQuery(view: View): Record<string, string> {
  const query: Record<string, string> = {};
  if (view.image) query.image = view.image;
  if (view.explanation) query.explanation = view.explanation;
  if (view.finding !== null) query.finding = String(view.finding);
  if (view.other) query.other = view.other;
  if (view.layout !== DEFAULT_VIEW.layout) query.layout = view.layout;
  for (const name of SWITCHES) if (view[name]) query[name] = "1";
  for (const name of ["swipe", "slab", "turns"] as const)
    if (view[name] !== DEFAULT_VIEW[name]) query[name] = String(round(view[name]));
  if (view.opacity !== DEFAULT_VIEW.opacity) query.opacity = String(view.opacity);
  if (view.colourMap !== DEFAULT_VIEW.colourMap) query.colours = view.colourMap;
  if (view.window !== null) query.window = windowText(view.window);
  for (const name of ["slice", "row", "column", "alone"] as const)
    if (view[name] !== null) query[name] = String(view[name]);
  if (view.marks.length > 0) query.marks = marksText(view.marks);
  if (view.zoom !== null) query.zoom = String(round(view.zoom));
  if (view.centre) query.centre = view.centre.map(round).join(",");
  if (view.depth !== null) query.depth = String(round(view.depth));
  return query;
}

/** A view as words of a link, for a flag and for the audit trail; of marks their number only. */
export function viewRecord(view: View): Record<string, string> {
  const { marks, ...rest } = toQuery(view);
  return marks ? { ...rest, marks: String(view.marks.length) } : rest;
}

/** The view of such a record; marks are not in it. */
export const viewOf = (record: Record<string, string>): View => fromQuery(new URLSearchParams(record));

const round = (value: number): number => Math.round(value * 1000) / 1000;

/** As it is: rounded, another grey would be drawn again than was seen. */
const windowText = (window: Window | number): string =>
  typeof window === "number" ? String(window) : [window.center, window.width, window.function].join(",");

/** Reads an address; what is not understood is left at its default. */
export function fromAddress(address: string): Place {
  const [path = "", query = ""] = address.replace(/^#\/?/, "").split("?");
  const [page, which = ""] = path.split("/");
  if (page === "study" && KEY.test(which))
    return { page, study: which, view: fromQuery(new URLSearchParams(query)) };
  if (page === "models") return { page, model: MODEL.test(which) ? which : null };
  const overview = OVERVIEWS.find((one) => one === (page || "worklist"));
  return overview ? { page: overview, query } : WORKLIST;
}

function fromQuery(query: URLSearchParams): View {
  const colours = query.get("colours") as ColourMap;
  const switches = Object.fromEntries(SWITCHES.map((name) => [name, query.get(name) === "1"])) as Record<
    (typeof SWITCHES)[number],
    boolean
  >;
  return {
    image: key(query.get("image")),
    explanation: key(query.get("explanation")),
    finding: index(query.get("finding")),
    layout: LAYOUTS.find((name) => name === query.get("layout")) ?? DEFAULT_VIEW.layout,
    swipe: bounded(query.get("swipe"), 0, 100) ?? DEFAULT_VIEW.swipe,
    other: key(query.get("other")),
    slab: bounded(query.get("slab"), 0, 1000) ?? DEFAULT_VIEW.slab,
    ...switches,
    opacity: bounded(query.get("opacity"), 0, 100) ?? DEFAULT_VIEW.opacity,
    colourMap: COLOUR_MAPS.includes(colours) ? colours : DEFAULT_VIEW.colourMap,
    window: windowFrom(query.get("window")),
    turns: ([1, 2, 3] as const).find((turns) => String(turns) === query.get("turns")) ?? 0,
    slice: index(query.get("slice")),
    row: index(query.get("row")),
    column: index(query.get("column")),
    alone: ([0, 1, 2] as const).find((axis) => String(axis) === query.get("alone")) ?? null,
    marks: marksFrom(query.get("marks")),
    zoom: bounded(query.get("zoom"), MIN_ZOOM, MAX_ZOOM),
    centre: pair(query.get("centre")),
    depth: bounded(query.get("depth"), -1e6, 1e6),
  };
}

const key = (text: string | null): string | null => (text !== null && KEY.test(text) ? text : null);

const index = (text: string | null): number | null =>
  text !== null && /^\d{1,6}$/.test(text) ? Number(text) : null;

function bounded(text: string | null, low: number, high: number): number | null {
  const value = text === null || text === "" ? Number.NaN : Number(text);
  return value >= low && value <= high ? value : null;
}

function pair(text: string | null): [number, number] | null {
  const [row, column] = (text ?? "").split(",").map(Number);
  return text && Number.isFinite(row) && Number.isFinite(column) ? [row as number, column as number] : null;
}

function windowFrom(text: string | null): Window | number | null {
  const preset = index(text);
  if (preset !== null) return preset;
  const [center, width, name] = (text ?? "").split(",");
  const kind = FUNCTIONS.find((one) => one === name);
  const numbers = pair(`${center},${width}`);
  return kind && numbers && numbers[1] > 0
    ? { center: numbers[0], width: numbers[1], function: kind, explanation: "" }
    : null;
}
