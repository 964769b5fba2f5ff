/** The drawing of disagreement: cells in which two methods have another sign are hatched. */

import { cellSizePixels, transform } from "./geometry";
import { cells } from "./laid-over";
import { ACROSS, type Cut } from "./plane";
import type { Geometry } from "./types";
import { onScreen, type Scene, svg } from "./vector-layer";

const STEP = 6; // CSS pixels between two lines
const PATTERN = "cl-hatching"; // as styles/compare.css says

export function hatching(scene: Scene): SVGElement[] {
  const { reading, cut, withMap } = scene;
  const found = withMap && reading.mapShown ? reading.comparison.agreement : null;
  if (!found || found.differ === 0) return [];
  const corners = rectangles(found.geometry, found.differing, cut);
  const path = corners.map((rectangle) => outline(scene, rectangle)).join("");
  if (!path) return [];
  return [svg("defs", {}, pattern()), svg("path", { d: path, class: "of-map hatched" })];
}

/** Dark beside light, so that it is seen over every colour and every grey. */
function pattern(): SVGElement {
  const line = (x: number, fill: string): SVGElement => svg("rect", { x, width: 1, height: STEP, fill });
  return svg(
    "pattern",
    {
      id: PATTERN,
      width: STEP,
      height: STEP,
      patternUnits: "userSpaceOnUse",
      patternTransform: "rotate(45)",
    },
    line(0, "#000"),
    line(1, "#fff"),
  );
}

type Rectangle = readonly [top: number, left: number, bottom: number, right: number];

/** The cells of a plane that are marked, in rows and columns of the plane. */
function rectangles(geometry: Geometry, marked: Uint8Array, { axis, at }: Cut): Rectangle[] {
  const missing = 3 - geometry.native_shape.length;
  const half = [...Array(missing).fill(0.5), ...cellSizePixels(geometry).map((size) => size / 2)] as number[];
  const [rows, columns] = ACROSS[axis] ?? [1, 2];
  const found: Rectangle[] = [];
  let cell = 0;
  for (const index of cells(geometry.native_shape)) {
    if (!marked[cell++]) continue;
    const middle = [...Array(missing).fill(0), ...transform(geometry.native_to_pixel, index)] as number[];
    const span = (along: number): [number, number] => [
      (middle[along] ?? 0) - (half[along] ?? 0),
      (middle[along] ?? 0) + (half[along] ?? 0),
    ];
    const [low, high] = missing > axis ? [-1, 1] : span(axis);
    if (at < low || at >= high) continue;
    const [[top, bottom], [left, right]] = [span(rows), span(columns)];
    found.push([top, left, bottom, right]);
  }
  return found;
}

function outline(scene: Scene, [top, left, bottom, right]: Rectangle): string {
  const corners = [
    [top, left],
    [top, right],
    [bottom, right],
    [bottom, left],
  ] as const;
  const places = corners.map(([row, column]) => onScreen(scene, row, column).map((one) => one.toFixed(1)));
  return `M${places.map((place) => place.join(" ")).join("L")}Z`;
}
