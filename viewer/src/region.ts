/** What a mark measures: a length, an area, and how much of the map's evidence lies in a region. */

import { area } from "./contour";
import { cellSizePixels, transform } from "./geometry";
import type { Mark, Place } from "./marks";
import { ACROSS, type Cut } from "./plane";
import type { Reading } from "./reading";
import type { Geometry } from "./types";

/** In mm where the image has spacing, else in pixels. */
export interface Measure {
  value: number;
  mm: boolean;
}

/** Size of a pixel of the mark's plane, (row, column). */
function pixelSize({ image }: Reading, { axis }: Mark): { size: [number, number]; mm: boolean } {
  const [rowAxis, columnAxis] = ACROSS[axis] ?? [1, 2];
  const spacing = [0, ...(image?.header.spacing ?? [])].slice(-3);
  const [down = 0, right = 0] = [spacing[rowAxis], spacing[columnAxis]];
  return down > 0 && right > 0 ? { size: [down, right], mm: true } : { size: [1, 1], mm: false };
}

export function length(reading: Reading, mark: Mark): Measure {
  const [[r0, c0] = [0, 0], [r1, c1] = [0, 0]] = mark.places;
  const { size, mm } = pixelSize(reading, mark);
  return { value: Math.hypot((r1 - r0) * size[0], (c1 - c0) * size[1]), mm };
}

/** In mm² or square pixels. */
export function regionArea(reading: Reading, mark: Mark): Measure {
  const { size, mm } = pixelSize(reading, mark);
  return { value: area(closed(mark)) * size[0] * size[1], mm };
}

const closed = ({ places }: Mark): Place[] => (places[0] ? [...places, places[0]] : []);

/** Evidence of the cells that have their centre in a region. */
export interface Held {
  cells: number;
  /** All cells of the map. */
  ofCells: number;
  evidenceFor: number;
  ofFor: number;
  evidenceAgainst: number;
  ofAgainst: number;
}

/**
 * Sums the cells whose centre, seen along the plane's axis, lies in the region. In a volume these are the cells
 * that the plane runs through, with all their depth: a cell's evidence cannot be cut into slices.
 */
export function heldBy(map: Float32Array, geometry: Geometry, mark: Mark): Held {
  const held = { cells: 0, ofCells: map.length, evidenceFor: 0, ofFor: 0, evidenceAgainst: 0, ofAgainst: 0 };
  const corners = closed(mark);
  map.forEach((value, index) => {
    const inside = contains(mark, corners, geometry, cellOf(geometry.native_shape, index));
    held.cells += inside ? 1 : 0;
    held[value > 0 ? "ofFor" : "ofAgainst"] += value;
    if (inside) held[value > 0 ? "evidenceFor" : "evidenceAgainst"] += value;
  });
  return held;
}

function cellOf(shape: readonly number[], index: number): number[] {
  const cell: number[] = [];
  let rest = index;
  for (const size of [...shape].reverse()) {
    cell.unshift(rest % size);
    rest = Math.floor(rest / size);
  }
  return cell;
}

function contains(
  mark: Cut,
  corners: readonly Place[],
  geometry: Geometry,
  cell: readonly number[],
): boolean {
  const missing = 3 - geometry.pixel_shape.length;
  const pixel = transform(geometry.native_to_pixel, cell);
  const at = (axis: number): number => pixel[axis - missing] ?? 0;
  if (mark.axis >= missing) {
    const depth = cellSizePixels(geometry)[mark.axis - missing] ?? 1;
    const off = mark.at - at(mark.axis);
    if (off < -depth / 2 || off >= depth / 2) return false;
  }
  const [rowAxis, columnAxis] = ACROSS[mark.axis] ?? [1, 2];
  return encloses(corners, at(rowAxis), at(columnAxis));
}

/** Whether a closed line encloses a place: a ray to the right crosses it an odd number of times. */
export function encloses(line: readonly Place[], row: number, column: number): boolean {
  let inside = false;
  for (let i = 1; i < line.length; i++) {
    const [[r0, c0], [r1, c1]] = [line[i - 1] as Place, line[i] as Place];
    if (r0 > row === r1 > row) continue;
    if (column < c0 + ((row - r0) * (c1 - c0)) / (r1 - r0)) inside = !inside;
  }
  return inside;
}

/** How deep, in mm, the cells are whose evidence is summed in a volume; null for an image without depth. */
export function cellDepth(geometry: Geometry, mark: Mark): Measure | null {
  if (geometry.pixel_shape.length < 3) return null;
  const pixels = cellSizePixels(geometry)[mark.axis] ?? 1;
  const mm = geometry.spacing?.[mark.axis] ?? 0;
  return mm > 0 ? { value: pixels * mm, mm: true } : { value: pixels, mm: false };
}
