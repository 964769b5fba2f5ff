/** What lies under the cursor: stored value, modality value, evidence of the cell. */

import { diverging } from "./colour";
import { cellAt, cellSizeMm, cellSizePixels, offset } from "./geometry";
import { type Axis, type Cut, toVoxel } from "./plane";
import type { Reading } from "./reading";
import { halfSlab, slabShown } from "./slab";

export interface Probe {
  /** (slice, row, column) */
  voxel: [number, number, number];
  /** One number, or red, green, blue. */
  stored: number[];
  /** After rescale, where that says more than the stored value. */
  modality: number | null;
  evidence: number | null;
  /** What the cell has more than that of the map it is held against. */
  difference: number | null;
  outsideField: boolean;
  /** What is drawn where a slab is: the strongest evidence of the cells within it. */
  inSlab: number | null;
}

type Evidence = Pick<Probe, "evidence" | "difference" | "outsideField" | "inSlab">;

/** The probe at (row, column) of a plane, or null beside the image. */
export function probe(reading: Reading, cut: Cut, place: readonly [number, number]): Probe | null {
  const plane = reading.image?.pixels.plane(cut);
  const [row, column] = place.map((value) => Math.floor(value + 0.5)) as [number, number];
  if (!reading.image || !plane || row < 0 || column < 0 || row >= plane.rows || column >= plane.columns)
    return null;
  const voxel = toVoxel(cut, row, column);
  if (!reading.image.pixels.ready(voxel[0])) return null;
  const channels = plane.colour ? 3 : 1;
  const first = (row * plane.columns + column) * channels;
  const stored = [...plane.values.subarray(first, first + channels)];
  const { slope, intercept, unit } = reading.image.header;
  const rescaled = !plane.colour && (slope !== 1 || intercept !== 0 || unit !== "");
  const modality = rescaled ? (stored[0] as number) * slope + intercept : null;
  return { voxel, stored, modality, ...evidenceAt(reading, voxel, cut.axis) };
}

function evidenceAt(reading: Reading, voxel: readonly number[], axis: Axis): Evidence {
  const { explanation, view } = reading;
  const map = view.finding === null || !reading.imageHere ? null : reading.map(view.finding);
  if (!explanation || !map) return { evidence: null, difference: null, outsideField: false, inSlab: null };
  const { geometry } = explanation.record.saliency_map;
  const of =
    (values: Float32Array) =>
    (place: readonly number[]): number | null => {
      const cell = cellAt(geometry, explanation.pixelToNative, place.slice(-geometry.pixel_shape.length));
      return cell && (values[offset(geometry.native_shape, cell)] ?? null);
    };
  const read = of(map);
  const evidence = read(voxel);
  const differences = reading.comparison.difference;
  const difference = differences && of(differences)(voxel);
  const inSlab = slabShown(reading)
    ? strongest(along(voxel, axis, halfSlab(reading, axis)).map(read), reading)
    : null;
  return { evidence, difference, outsideField: evidence === null, inSlab };
}

/** The places from face to face of a slab, one in each voxel. */
function along(voxel: readonly number[], axis: Axis, half: number): number[][] {
  const whole = Math.floor(half);
  const steps = Array.from({ length: 2 * whole + 1 }, (_, i) => i - whole);
  return [-half, ...steps, half].map((step) => voxel.map((at, i) => (i === axis ? at + step : at)));
}

/** As the colours have it: the largest, or the farthest from 0 where they show evidence against, too. */
function strongest(found: (number | null)[], { view }: Reading): number | null {
  const size = diverging(view.colourMap) ? Math.abs : (value: number): number => value;
  return found.reduce((best, value) =>
    value !== null && (best === null || size(value) > size(best)) ? value : best,
  );
}

/** Size of a native cell: in mm where the image has spacing, else in pixels. */
export function cellSize(reading: Reading): { values: number[]; mm: boolean } | null {
  const geometry = reading.explanation?.record.saliency_map.geometry;
  if (!geometry) return null;
  const mm = cellSizeMm(geometry);
  return { values: mm ?? cellSizePixels(geometry), mm: mm !== null };
}
