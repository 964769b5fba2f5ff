/** One finding's maps over many images: asked for, put in an order, drawn small, and averaged. */

import { json, post } from "./api";
import { type ColourMap, colourIndex, colourTable, strength } from "./colour";
import { invert } from "./geometry";
import { trustOf } from "./trust";
import type { Explanation, FindingTrust } from "./types";

/** One model and method with its findings, of which there are maps. */
export interface Available {
  model: string;
  method: string;
  maps: number;
  findings: string[];
}

/** One plane of a map: values (row, column) in base64 as they come, and where its cells lie on the image. */
export interface MapPlane {
  finding: number;
  scale: number;
  /** What is said of this finding's map alone. */
  record: Pick<Explanation, "saliency_map" | "trust">;
  slice: number | null;
  pixels: [number, number];
  shape: [number, number];
  values: string;
  cell_to_pixel: number[][];
}

export interface SheetMap {
  study: string;
  image: string;
  explanation: string;
  modality: string;
  view_position: string;
  phantom: boolean;
  probability: number;
  operating_point: number | null;
  reported: boolean | null;
  flags: number;
  map: MapPlane | null;
}

export const CHOICES = ["newest", "most probable"] as const;
export type Choice = (typeof CHOICES)[number];

export interface Sought {
  model: string;
  method: string;
  finding: string;
  choice: Choice;
}

export const available = async (): Promise<Available[]> =>
  (await json<{ available: Available[] }>("/api/sheet")).available;

export const sheet = (sought: Sought): Promise<{ all: number; maps: SheetMap[] }> =>
  post("/api/sheet", sought);

export function thumbnail({ image, map }: SheetMap): string {
  return `/api/images/${image}/thumbnail${map?.slice ? `?slice=${map.slice}` : ""}`;
}

/** What maps are put in order by: the number that decides, what is to be looked at first the highest. */
export const ORDERS = {
  taken: () => 0,
  probability: (one: SheetMap) => one.probability,
  evidence: ({ map }: SheetMap) => map?.record.saliency_map.evidence_for[0],
  trust: ({ map }: SheetMap) => map && cautions(map),
  outside: ({ map }: SheetMap) => trustIn(map)?.outside_share,
  unexplained: ({ map }: SheetMap) => trustIn(map)?.residual_share,
  causal: ({ map }: SheetMap) => negative(trustIn(map)?.causal?.z),
  stability: ({ map }: SheetMap) => negative(trustIn(map)?.stability?.worst),
  flags: (one: SheetMap) => one.flags,
} as const;
export type Order = keyof typeof ORDERS;

const trustIn = (map: MapPlane | null): FindingTrust | undefined => map?.record.trust.findings[0];

const cautions = ({ record }: MapPlane): number =>
  trustOf(record, 0).filter(({ weight }) => weight === "caution").length;

const negative = (value: number | null | undefined): number | null =>
  typeof value === "number" ? -value : null;

/** In an order; those that have no such number come last, and equal ones stay as they are. */
export function ordered(maps: readonly SheetMap[], by: Order): SheetMap[] {
  const number = (one: SheetMap): number => ORDERS[by](one) ?? Number.NEGATIVE_INFINITY;
  return [...maps].sort((a, b) => (number(a) === number(b) ? 0 : number(b) - number(a)));
}

function decoded(base64: string): Float32Array {
  const bytes = Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
  return new Float32Array(bytes.buffer);
}

/** Evidence at the centres of `rows` × `columns` places that cover the image: 0 outside the map's field. */
export function spread(map: MapPlane, rows: number, columns: number): Float32Array {
  const values = decoded(map.values);
  const toCell = invert(map.cell_to_pixel);
  const along = (axis: 0 | 1, places: number): Between[] =>
    Array.from({ length: places }, (_, i) => {
      const pixel = ((i + 0.5) * map.pixels[axis]) / places - 0.5;
      return between((toCell[axis]?.[axis] ?? 0) * pixel + (toCell[axis]?.[2] ?? 0), map.shape[axis]);
    });
  const [down, across] = [along(0, rows), along(1, columns)];
  const result = new Float32Array(rows * columns);
  const value = (row: number, column: number): number => values[row * map.shape[1] + column] as number;
  down.forEach((r, row) => {
    across.forEach((c, column) => {
      if (!r.inside || !c.inside) return;
      const upper = value(r.low, c.low) * (1 - c.share) + value(r.low, c.high) * c.share;
      const lower = value(r.high, c.low) * (1 - c.share) + value(r.high, c.high) * c.share;
      result[row * columns + column] = upper * (1 - r.share) + lower * r.share;
    });
  });
  return result;
}

/** The two cells that a place lies between, and how far it is on the way to the second; edges are held. */
interface Between {
  low: number;
  high: number;
  share: number;
  inside: boolean;
}

function between(at: number, cells: number): Between {
  const held = Math.min(cells - 1, Math.max(0, at));
  const low = Math.floor(held);
  return {
    low,
    high: Math.min(cells - 1, low + 1),
    share: held - low,
    inside: at >= -0.5 - 1e-6 && at <= cells - 0.5 + 1e-6,
  };
}

/** The mean of maps on one square grid; those without a unit are first divided by their own scale. */
export function average(maps: readonly MapPlane[], side: number): Float32Array {
  const sum = new Float32Array(side * side);
  for (const map of maps) {
    const share = 1 / maps.length / (map.record.saliency_map.unit === "logit" ? 1 : map.scale);
    for (const [i, value] of spread(map, side, side).entries()) sum[i] = (sum[i] as number) + value * share;
  }
  return sum;
}

/** Colours with their transparency, as over a study: alpha = |strength| × opacity. */
export function coloured(
  values: Float32Array,
  scale: number,
  opacity: number,
  colourMap: ColourMap,
): Uint8ClampedArray<ArrayBuffer> {
  const table = colourTable(colourMap);
  const colours = new Uint8ClampedArray(4 * values.length);
  for (const [i, value] of values.entries()) {
    const strong = strength(value, scale, colourMap);
    const entry = 3 * colourIndex(strong, colourMap);
    colours.set(table.subarray(entry, entry + 3), 4 * i);
    colours[4 * i + 3] = Math.round(255 * opacity * Math.abs(strong));
  }
  return colours;
}
