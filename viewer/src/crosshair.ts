/** Where the three planes of a volume meet, drawn on each, and how thick the slabs of evidence are. */

import { ACROSS, type Axis } from "./plane";
import type { Reading } from "./reading";
import { halfSlab, slabShown } from "./slab";
import { onScreen, type Scene, svg } from "./vector-layer";

/** CSS pixels around the place where they meet that stay free: nothing hides a lesion. */
const GAP = 18;

type Line = [x1: number, y1: number, x2: number, y2: number];

export function crosshair(scene: Scene): SVGElement[] {
  const { reading, cut } = scene;
  if (reading.view.layout !== "planes" || reading.slices < 2) return [];
  const [rows, columns] = ACROSS[cut.axis] ?? [1, 2];
  return [
    ...across(scene, rows, (shift) => [at(reading, rows) + shift, at(reading, columns)], "y"),
    ...across(scene, columns, (shift) => [at(reading, rows), at(reading, columns) + shift], "x"),
  ];
}

const at = (reading: Reading, axis: Axis): number => reading.cut(axis).at;

/** A plane seen from the side, and the two faces of its slab. */
function across(
  scene: Scene,
  axis: Axis,
  place: (shift: number) => [number, number],
  along: "x" | "y",
): SVGElement[] {
  const { reading, placement, density } = scene;
  const half = slabShown(reading) ? halfSlab(reading, axis) : 0;
  const turned = placement.orientation.turns % 2 === 1;
  const upDown = (along === "x") !== turned;
  const [width, height] = [placement.width / density, placement.height / density];
  const line = (shift: number, gap: number, kind: string): SVGElement[] => {
    const [x, y] = onScreen(scene, ...place(shift));
    const parts: Line[] = upDown
      ? [
          [x, 0, x, y - gap],
          [x, y + gap, x, height],
        ]
      : [
          [0, y, x - gap, y],
          [x + gap, y, width, y],
        ];
    return parts.map(([x1, y1, x2, y2]) => svg("line", { class: kind, x1, y1, x2, y2 }));
  };
  const faces = half > 0 ? [half, -half].flatMap((shift) => line(shift, 0, "slab-face")) : [];
  return [...line(0, GAP, "crosshair"), ...faces];
}
