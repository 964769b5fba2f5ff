/** What a map has more, or less, than another one, and when that means nothing. */

import { laidOver } from "./laid-over";
import type { Explanation } from "./types";

/** Why two maps cannot be subtracted. */
export type Hindrance = "model" | "version" | "method" | "layer" | "unit" | "finding" | "scale";

/** What hinders the difference of one finding's maps; null: nothing. Across images all must be the same. */
export function hindranceOf(
  own: Explanation,
  other: Explanation,
  finding: number,
  sameImage: boolean,
): Hindrance | null {
  const [here, there] = [own.provenance, other.provenance];
  if (here.model_name !== there.model_name) return "model";
  if (here.model_digest !== there.model_digest) return "version";
  const sameMethod = here.method === there.method && here.method_variant === there.method_variant;
  if (!sameImage && !sameMethod) return "method";
  if (!sameImage && here.target_layer !== there.target_layer) return "layer";
  if (own.saliency_map.unit !== "logit" || other.saliency_map.unit !== "logit") return "unit";
  const same = sameFinding(own, other, finding);
  if (same < 0) return "finding";
  return own.scales[finding] === other.scales[same] ? null : "scale";
}

/** Where another explanation has the map of the same finding, or -1. */
export const sameFinding = (own: Explanation, other: Explanation, finding: number): number =>
  other.saliency_map.findings.indexOf(own.saliency_map.findings[finding] ?? "");

/** This map less the other one, on this map's cells. */
export function difference(
  [own, values]: readonly [Explanation, Float32Array],
  [other, otherValues]: readonly [Explanation, Float32Array],
): Float32Array {
  const laid = laidOver(otherValues, other.saliency_map.geometry, own.saliency_map.geometry);
  return values.map((value, cell) => value - (laid[cell] ?? 0));
}
