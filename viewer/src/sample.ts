/** An image sampled at the resolution of the screen: places in the table from stored value to grey. */

import { canvasToPlane, type Placement, toCanvas } from "./placement";
import type { Level } from "./pyramid";

/** The part of the canvas that an image covers, in device pixels. */
export interface Box {
  x: number;
  y: number;
  width: number;
  height: number;
}

/** Where a value lies in a table of `entries`. */
export interface Entries {
  first: number;
  step: number;
  entries: number;
}

/** The device pixels whose centres lie on the image. */
export function boxOf({ rows, columns }: { rows: number; columns: number }, placement: Placement): Box {
  const corners = [toCanvas(placement, -0.5, -0.5), toCanvas(placement, rows - 0.5, columns - 0.5)];
  const along = (axis: 0 | 1, size: number): [number, number] => {
    const ends = corners.map((corner) => Math.min(size, Math.max(0, Math.ceil(corner[axis] - 0.5))));
    return [Math.min(...ends), Math.max(...ends)];
  };
  const [[left, right], [top, bottom]] = [along(0, placement.width), along(1, placement.height)];
  return { x: left, y: top, width: right - left, height: bottom - top };
}

/**
 * Interpolates the stored value under the centre of each device pixel of the box, and says where it lies in
 * the table: the value is interpolated before it is looked up, so at 1:1 every pixel has its own grey, exactly.
 * `halvings` says how often the level was halved.
 */
export function sample(
  level: Level,
  halvings: number,
  placement: Placement,
  box: Box,
  { first, step, entries }: Entries,
): Uint16Array {
  const { values } = level;
  const [across, down] = taps(level, halvings, placement, box);
  const [{ low: left, high: right, part: along }, { low: upper, high: lower, part: below }] = [across, down];
  const result = new Uint16Array(box.width * box.height);
  const last = entries - 1;
  let to = 0;
  for (let y = 0; y < box.height; y++) {
    const [top, bottom, share] = [upper[y] as number, lower[y] as number, below[y] as number];
    for (let x = 0; x < box.width; x++) {
      const [from, next, part] = [left[x] as number, right[x] as number, along[x] as number];
      const above = mix(values[top + from] as number, values[top + next] as number, part);
      const under = mix(values[bottom + from] as number, values[bottom + next] as number, part);
      const entry = Math.floor((mix(above, under, share) - first) / step + 0.5);
      result[to++] = entry < 0 ? 0 : entry > last ? last : entry;
    }
  }
  return result;
}

const mix = (a: number, b: number, part: number): number => a + (b - a) * part;

/** For each device pixel along one side: the two values it lies between, as places in the array, and where. */
interface Taps {
  low: Int32Array;
  high: Int32Array;
  part: Float64Array;
}

/** Turned by quarters, an image has its columns along one side of the canvas and its rows along the other. */
function taps(level: Level, halvings: number, placement: Placement, box: Box): [Taps, Taps] {
  const [row, column] = canvasToPlane(placement);
  const { rows, columns } = level;
  const sideways = placement.orientation.turns % 2 === 1;
  const [alongX, alongY] = sideways ? [row, column] : [column, row];
  const [sizeX, sizeY] = sideways ? [rows, columns] : [columns, rows];
  const [strideX, strideY] = sideways ? [columns, 1] : [1, columns];
  const { x, y, width, height } = box;
  const [scaleX = 1, , shiftX = 0] = alongX;
  const [, scaleY = 1, shiftY = 0] = alongY;
  return [
    tapsAlong({ from: x, count: width, scale: scaleX, shift: shiftX }, sizeX, strideX, halvings),
    tapsAlong({ from: y, count: height, scale: scaleY, shift: shiftY }, sizeY, strideY, halvings),
  ];
}

function tapsAlong(
  { from, count, scale, shift }: { from: number; count: number; scale: number; shift: number },
  size: number,
  stride: number,
  halvings: number,
): Taps {
  const made = { low: new Int32Array(count), high: new Int32Array(count), part: new Float64Array(count) };
  const inside = (index: number): number => stride * Math.min(size - 1, Math.max(0, index));
  for (let i = 0; i < count; i++) {
    const place = (scale * (from + i + 0.5) + shift + 0.5) / 2 ** halvings - 0.5;
    const index = Math.floor(place);
    made.low[i] = inside(index);
    made.high[i] = inside(index + 1);
    made.part[i] = place - index;
  }
  return made;
}
