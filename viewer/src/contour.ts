/**
 * Lines around the places where values reach a level: marching squares, as camlucida/rendering/contour.py draws
 * them for the PACS.
 *
 * Places are (row, column), centres at integers. Beyond the edge nothing reaches the level, so every line is
 * closed; what a line encloses lies on its left as seen on the screen.
 */

import type { Place } from "./marks";

export interface Field {
  rows: number;
  columns: number;
  values: Float32Array;
}

/** How far, in steps between values, a simplified line may be off. */
const TOLERANCE = 0.25;
const MOST_LINES = 64;

const [TOP, RIGHT, BOTTOM, LEFT] = [0, 1, 2, 3];
type Step = readonly [from: number, to: number];

/** Which of four values reach the level (1, 2, 4, 8 clockwise from the first) → edges from, to. */
const STEPS: Readonly<Record<number, readonly Step[]>> = {
  1: [[LEFT, TOP]],
  2: [[TOP, RIGHT]],
  4: [[RIGHT, BOTTOM]],
  8: [[BOTTOM, LEFT]],
  3: [[LEFT, RIGHT]],
  6: [[TOP, BOTTOM]],
  12: [[RIGHT, LEFT]],
  9: [[BOTTOM, TOP]],
  14: [[TOP, LEFT]],
  13: [[RIGHT, TOP]],
  11: [[BOTTOM, RIGHT]],
  7: [[LEFT, BOTTOM]],
  // Two opposite values: whether they hang together (+ 16) is said by the mean of the four.
  5: [[LEFT, TOP], [RIGHT, BOTTOM]],
  10: [[TOP, RIGHT], [BOTTOM, LEFT]],
  [5 + 16]: [[RIGHT, TOP], [LEFT, BOTTOM]],
  [10 + 16]: [[TOP, LEFT], [BOTTOM, RIGHT]],
}; // biome-ignore format: a table

/** Closed lines around where values reach a level above 0, the first point again as the last; largest first. */
export function contours(field: Field, level: number, tolerance = TOLERANCE): Place[][] {
  return lines(field, level)
    .sort((a, b) => area(b) - area(a))
    .slice(0, MOST_LINES)
    .map((line) => simplified(line, tolerance));
}

/** The area that a closed line encloses. */
export function area(line: readonly Place[]): number {
  let twice = 0;
  for (let i = 1; i < line.length; i++) {
    const [[r0, c0], [r1, c1]] = [line[i - 1] as Place, line[i] as Place];
    twice += r1 * c0 - r0 * c1;
  }
  return Math.abs(twice) / 2;
}

/** The lines with all their points. */
export function lines(field: Field, level: number): Place[][] {
  const around = padded(field);
  const following = followed(around, level);
  const found: Place[][] = [];
  for (const start of following.keys()) {
    const edges = [start];
    for (let at = taken(following, start); at !== start; at = taken(following, at)) edges.push(at);
    found.push([...edges, start].map((edge) => within(crossing(around, edge, level), field)));
  }
  return found;
}

function taken(following: Map<number, number>, edge: number): number {
  const next = following.get(edge) as number;
  following.delete(edge);
  return next;
}

/** One value of nothing all around. */
function padded({ rows, columns, values }: Field): Field {
  const wide = { rows: rows + 2, columns: columns + 2, values: new Float32Array((rows + 2) * (columns + 2)) };
  for (let row = 0; row < rows; row++)
    wide.values.set(values.subarray(row * columns, (row + 1) * columns), (row + 1) * wide.columns + 1);
  return wide;
}

/** For each crossed edge the next one of its line. Edge 2 i goes right from value i, 2 i + 1 down. */
function followed({ rows, columns, values }: Field, level: number): Map<number, number> {
  const following = new Map<number, number>();
  for (let row = 0; row < rows - 1; row++)
    for (let column = 0; column < columns - 1; column++) {
      const first = row * columns + column;
      const four = [first, first + 1, first + columns + 1, first + columns].map((i) => values[i] as number);
      const edges = [2 * first, 2 * first + 3, 2 * (first + columns), 2 * first + 1];
      for (const [from, to] of STEPS[kind(four, level)] ?? [])
        following.set(edges[from] as number, edges[to] as number);
    }
  return following;
}

function kind(four: readonly number[], level: number): number {
  const code = four.reduce((sum, value, i) => sum + (value >= level ? 1 << i : 0), 0);
  const opposite = code === 5 || code === 10;
  return opposite && four.reduce((sum, value) => sum + value, 0) / 4 >= level ? code + 16 : code;
}

/** Where the values reach the level on an edge, by linear interpolation. */
function crossing({ columns, values }: Field, edge: number, level: number): Place {
  const [from, down] = [edge >> 1, edge & 1];
  const here = values[from] as number;
  const there = values[from + (down ? columns : 1)] as number;
  const share = (level - here) / (there - here);
  return [Math.floor(from / columns) + share * down, (from % columns) + share * (1 - down)];
}

/** From the padded field to the field, and no farther than its edge. */
function within([row, column]: Place, { rows, columns }: Field): Place {
  return [Math.min(rows - 0.5, Math.max(-0.5, row - 1)), Math.min(columns - 0.5, Math.max(-0.5, column - 1))];
}

/** The line with fewer points (Douglas and Peucker): a part whose points lie close to its chord becomes it. */
export function simplified(line: readonly Place[], tolerance: number): Place[] {
  const [start] = line;
  if (!start) return [];
  // A closed line has no chord: begin with two parts.
  const far = farthest(line, 0, line.length - 1, ([row, column]) =>
    Math.hypot(row - start[0], column - start[1]),
  );
  const kept = new Set([0, far.at, line.length - 1]);
  const parts = [[0, far.at], [far.at, line.length - 1]]; // biome-ignore format: pairs
  for (let part = parts.pop(); part; part = parts.pop()) {
    const [from = 0, to = 0] = part;
    const chord = [line[from] as Place, line[to] as Place] as const;
    const worst = farthest(line, from, to, (place) => offChord(place, chord));
    if (worst.distance <= tolerance) continue;
    kept.add(worst.at);
    parts.push([from, worst.at], [worst.at, to]);
  }
  return line.filter((_, i) => kept.has(i));
}

/** The point between two of a line that is farthest by some distance. */
function farthest(
  line: readonly Place[],
  from: number,
  to: number,
  distanceOf: (place: Place) => number,
): { at: number; distance: number } {
  let best = { at: from, distance: 0 };
  for (let at = from + 1; at < to; at++) {
    const distance = distanceOf(line[at] as Place);
    if (distance > best.distance) best = { at, distance };
  }
  return best;
}

function offChord([row, column]: Place, [from, to]: readonly [Place, Place]): number {
  const [down, right] = [to[0] - from[0], to[1] - from[1]];
  const length = down * down + right * right;
  const along = length > 0 ? ((row - from[0]) * down + (column - from[1]) * right) / length : 0;
  const share = Math.min(1, Math.max(0, along));
  return Math.hypot(row - from[0] - share * down, column - from[1] - share * right);
}
