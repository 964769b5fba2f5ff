/** Where along the slices of a volume the evidence is: the same numbers as rendering/legend.py picks a slice by. */

import type { Geometry } from "./types";

/** How far beyond the field, in cells, a slice's centre still counts as seen. */
const EDGE = 1e-6;

/**
 * Supporting evidence at the height of each slice: the positive values of the native grid, summed over rows
 * and columns and interpolated linearly between the planes of cells; 0 where the network saw nothing.
 */
export function evidenceProfile(map: Float32Array, geometry: Geometry): Float64Array {
  const { axis, step, shift } = throughSlices(geometry);
  const planes = planeSums(map, geometry.native_shape, axis);
  return Float64Array.from({ length: geometry.pixel_shape[0] ?? 1 }, (_, slice) =>
    between(planes, (slice - shift) / step),
  );
}

/** The native axis that runs through the slices: plane i of its cells has its centre at slice i · step + shift. */
function throughSlices({ native_shape, native_to_pixel }: Geometry): {
  axis: number;
  step: number;
  shift: number;
} {
  const along = (native_to_pixel[0] ?? []).slice(0, native_shape.length);
  const axis = along.reduce((best, value, i) => (Math.abs(value) > Math.abs(along[best] ?? 0) ? i : best), 0);
  return { axis, step: along[axis] ?? 1, shift: native_to_pixel[0]?.[native_shape.length] ?? 0 };
}

/**
 * Where the evidence that a slice shows was computed, if not there: the slices at which the centres of its
 * cells lie, one where cells are shown as computed, else the two between which it is interpolated. None where
 * cells have their centre on the slice, and where the network saw nothing.
 */
export function borrowedFrom(geometry: Geometry, slice: number, cells: boolean): number[] {
  const { axis, step, shift } = throughSlices(geometry);
  const last = (geometry.native_shape[axis] ?? 1) - 1;
  const place = (slice - shift) / step;
  if (place < -0.5 - EDGE || place > last + 0.5 + EDGE) return [];
  const within = (at: number): number => Math.min(last, Math.max(0, at));
  const nearest = within(Math.round(place));
  if (Math.abs(nearest - place) * Math.abs(step) <= 0.5 + EDGE) return [];
  const planes = cells ? [nearest] : [within(Math.floor(place)), within(Math.ceil(place))];
  return [...new Set(planes)].map((plane) => plane * step + shift).sort((a, b) => a - b);
}

/** Sum of the positive values of each plane of cells across an axis. */
function planeSums(map: Float32Array, shape: readonly number[], axis: number): Float64Array {
  const size = shape[axis] ?? 1;
  const stride = shape.slice(axis + 1).reduce((product, length) => product * length, 1);
  const sums = new Float64Array(size);
  map.forEach((value, i) => {
    const plane = Math.floor(i / stride) % size;
    if (value > 0) sums[plane] = (sums[plane] as number) + value;
  });
  return sums;
}

function between(planes: Float64Array, place: number): number {
  const last = planes.length - 1;
  if (place < -0.5 - EDGE || place > last + 0.5 + EDGE) return 0;
  const inside = Math.min(last, Math.max(0, place));
  const below = Math.floor(inside);
  const [lower = 0, upper = lower] = [planes[below], planes[Math.min(last, below + 1)]];
  return lower + (upper - lower) * (inside - below);
}

/** The slice with most evidence, or null where there is none. */
export function peak(profile: Float64Array): number | null {
  let best: number | null = null;
  profile.forEach((value, slice) => {
    if (value > (best === null ? 0 : (profile[best] as number))) best = slice;
  });
  return best;
}
