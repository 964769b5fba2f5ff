/** The letters at a viewport's edges: which way is left, back, head (L P H), and which the other. */

import { letters, screenDirections } from "./patient";
import { type Scene, svg } from "./vector-layer";

const MARGIN = 12;

export function directions({ reading, cut, placement, density }: Scene): SVGElement[] {
  const toPatient = reading.image?.header.pixel_to_patient;
  if (!toPatient) return [];
  const [right, down] = screenDirections(toPatient, cut.axis, placement.orientation);
  const [left, up] = [right, down].map(([x, y, z]) => [-x, -y, -z] as const);
  const [width, height] = [placement.width / density, placement.height / density];
  const edges = [
    [right, width - MARGIN, height / 2],
    [left, MARGIN, height / 2],
    [down, width / 2, height - MARGIN],
    [up, width / 2, MARGIN],
  ] as const;
  return edges.flatMap(([direction, x, y]) => {
    if (!direction) return [];
    const text = svg("text", { class: "direction", x, y });
    text.textContent = letters(direction);
    return [text];
  });
}
