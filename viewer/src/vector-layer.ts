/**
 * Lines and words over a viewport, in SVG: crisp at every zoom, and not a part of the map's opacity.
 *
 * Each drawing looks at the scene and gives elements in CSS pixels, or none.
 */

import { crosshair } from "./crosshair";
import { directions } from "./directions";
import { evidenceContours } from "./evidence-contours";
import { flagRegions } from "./flag-regions";
import { hatching } from "./hatching";
import { marks } from "./mark-drawing";
import { cross } from "./pen";
import { type Placement, toCanvas } from "./placement";
import type { Cut } from "./plane";
import type { Reading } from "./reading";

export interface Scene {
  reading: Reading;
  cut: Cut;
  placement: Placement;
  /** Whether the viewport shows a map at all. */
  withMap: boolean;
  /** Device pixels per CSS pixel. */
  density: number;
}

export type Drawing = (scene: Scene) => SVGElement[];

/** From the lowest to the uppermost. */
const DRAWINGS: readonly Drawing[] = [
  hatching,
  evidenceContours,
  flagRegions,
  crosshair,
  directions,
  marks,
  cross,
];

const SVG = "http://www.w3.org/2000/svg";

export class VectorLayer {
  readonly svg = svg("svg", { class: "vectors", "aria-hidden": "true" });

  draw(scene: Scene): void {
    this.svg.replaceChildren(...DRAWINGS.flatMap((drawing) => drawing(scene)));
  }
}

/** An SVG element with its attributes. */
export function svg<Tag extends keyof SVGElementTagNameMap>(
  tag: Tag,
  attributes: Record<string, string | number> = {},
  ...children: SVGElement[]
): SVGElementTagNameMap[Tag] {
  const made = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, String(value));
  made.append(...children);
  return made;
}

/** (row, column) of the scene's plane, in CSS pixels. */
export function onScreen({ placement, density }: Scene, row: number, column: number): [number, number] {
  const [x, y] = toCanvas(placement, row, column);
  return [x / density, y / density];
}
