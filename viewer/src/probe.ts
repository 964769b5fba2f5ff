/** What lies under the cursor: stored value, modality value, evidence of the cell. */

import { cellAt, cellSizeMm, cellSizePixels, offset } from "./geometry";
import { type Cut, toVoxel } from "./plane";
import type { Reading } from "./reading";

export interface Probe {
  /** (slice, row, column) */
  voxel: [number, number, number];
  /** One number, or red, green, blue. */
  stored: number[];
  /** After rescale, where that says more than the stored value. */
  modality: number | null;
  evidence: number | null;
  outsideField: boolean;
}

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
  return { voxel, stored, modality, ...evidenceAt(reading, voxel) };
}

function evidenceAt(reading: Reading, voxel: readonly number[]): Pick<Probe, "evidence" | "outsideField"> {
  const { explanation, view } = reading;
  const map = view.finding === null ? null : reading.map(view.finding);
  if (!explanation || !map) return { evidence: null, outsideField: false };
  const { geometry } = explanation.record.saliency_map;
  const pixel = voxel.slice(-geometry.pixel_shape.length);
  const cell = cellAt(geometry, explanation.pixelToNative, pixel);
  if (!cell) return { evidence: null, outsideField: true };
  return { evidence: map[offset(geometry.native_shape, cell)] ?? null, outsideField: false };
}

/** Size of a native cell: in mm where the image has spacing, else in pixels. */
export function cellSize(reading: Reading): { values: number[]; mm: boolean } | null {
  const geometry = reading.explanation?.record.saliency_map.geometry;
  if (!geometry) return null;
  const mm = cellSizeMm(geometry);
  return { values: mm ?? cellSizePixels(geometry), mm: mm !== null };
}
