/** From the image to the patient: directions in letters, places in mm, and planes as readers expect them. */

import { type Matrix, transform } from "./geometry";
import { type Orientation, UPRIGHT } from "./placement";
import { type Axis, canvasToPixel } from "./plane";

/** In the patient: to the left, to the back (posterior), to the head. */
type Direction = readonly [number, number, number];

export type PlaneName = "sagittal" | "coronal" | "axial";

const TOWARDS = ["L", "P", "H"] as const;
const AWAY = ["R", "A", "F"] as const;

/** A part of a direction smaller than this (15°) gets no letter. */
const OBLIQUE = 0.26;

/** Which way the right and the lower edge of the screen point, where readers expect it. */
const EXPECTED: Record<PlaneName, readonly [right: Direction, down: Direction]> = {
  sagittal: [
    [0, 1, 0],
    [0, 0, -1],
  ],
  coronal: [
    [1, 0, 0],
    [0, 0, -1],
  ],
  axial: [
    [1, 0, 0],
    [0, 1, 0],
  ],
};
const NAMES = ["sagittal", "coronal", "axial"] as const;

const ORIENTATIONS: readonly Orientation[] = ([0, 1, 2, 3] as const).flatMap((turns) =>
  [false, true].map((mirrored) => ({ turns, mirrored })),
);

/** The letters of a direction, the largest part first: "L", "PH". */
export function letters(direction: Direction): string {
  return direction
    .map((part, i) => ({ part: Math.abs(part), letter: (part < 0 ? AWAY : TOWARDS)[i] ?? "" }))
    .filter(({ part }) => part >= OBLIQUE)
    .sort((a, b) => b.part - a.part)
    .map(({ letter }) => letter)
    .join("");
}

/** Unit vectors in the patient along the screen's right and its lower edge. */
export function screenDirections(
  toPatient: Matrix,
  axis: Axis,
  orientation: Orientation,
): [right: Direction, down: Direction] {
  const unit = { width: 0, height: 0, scaleX: 1, scaleY: 1, originX: 0, originY: 0, orientation };
  const toPixel = canvasToPixel(unit, { axis, at: 0 });
  const along = (i: 0 | 1): Direction =>
    normalised(
      [0, 1, 2].map((mm) =>
        toPixel.reduce((sum, row, pixel) => sum + (toPatient[mm]?.[pixel] ?? 0) * (row[i] ?? 0), 0),
      ),
    );
  return [along(0), along(1)];
}

/** What readers call the planes perpendicular to an axis; oblique ones by what they are nearest to. */
export function planeName(toPatient: Matrix, axis: Axis): PlaneName {
  const normal = cross(...screenDirections(toPatient, axis, UPRIGHT)).map(Math.abs);
  return NAMES[normal.indexOf(Math.max(...normal))] ?? "axial";
}

/** How such a plane is turned so that head or front are above, and the patient's right or front on the left. */
export function upright(toPatient: Matrix, axis: Axis): Orientation {
  const [right, down] = EXPECTED[planeName(toPatient, axis)];
  const agreement = (orientation: Orientation): number => {
    const [toRight, toDown] = screenDirections(toPatient, axis, orientation);
    return dot(toRight, right) + dot(toDown, down);
  };
  return ORIENTATIONS.reduce((best, one) => (agreement(one) > agreement(best) + 1e-9 ? one : best), UPRIGHT);
}

/** A place of the image in the patient, mm: "L 12.3 P 45.0 H 120.2". */
export function placeInPatient(toPatient: Matrix, voxel: readonly number[]): string {
  return transform(toPatient, voxel)
    .map((mm, i) => `${(mm < 0 ? AWAY : TOWARDS)[i] ?? ""} ${Math.abs(mm).toFixed(1)}`)
    .join(" ");
}

const dot = (a: Direction, b: Direction): number => a[0] * b[0] + a[1] * b[1] + a[2] * b[2];

const cross = ([a, b, c]: Direction, [d, e, f]: Direction): number[] => [
  b * f - c * e,
  c * d - a * f,
  a * e - b * d,
];

function normalised([x = 0, y = 0, z = 0]: readonly number[]): Direction {
  const length = Math.hypot(x, y, z) || 1;
  return [x / length, y / length, z / length];
}
