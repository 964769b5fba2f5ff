/** Where flags point: their regions over the map of the finding that they are about. */

import { texts } from "./texts";
import { type Drawing, onScreen, svg } from "./vector-layer";

export const flagRegions: Drawing = (scene) => {
  const { reading, cut, withMap } = scene;
  if (!withMap || !reading.mapShown) return [];
  const flags = reading.remarks?.flagsOf(reading.findingName) ?? [];
  return flags.flatMap(({ region, reason }) => {
    if (region?.axis !== cut.axis || region.at !== cut.at) return [];
    const corners = region.places.map(([row, column]) => onScreen(scene, row, column));
    const [left, top] = [Math.min(...corners.map(([x]) => x)), Math.min(...corners.map(([, y]) => y))];
    const label = svg("text", { class: "flag-label", x: left, y: top - 5 });
    label.textContent = texts.flag.regionLabel(texts.flag.reasons[reason].toLowerCase());
    return [svg("polygon", { class: "flag-outline", points: corners.join(" ") }), label];
  });
};
