/** The values of an explanation's maps, as they came: (finding, *native), C order. */

import { texts } from "./texts";
import type { Explanation } from "./types";

/** One finding's values among those of all findings. */
export function mapOf(record: Explanation, values: Float32Array, finding: number): Float32Array {
  const { native_shape } = record.saliency_map.geometry;
  const size = native_shape.reduce((product, axis) => product * axis, 1);
  return values.subarray(finding * size, (finding + 1) * size);
}

/** The values, where there are as many as the maps have cells. */
export function checked(record: Explanation, values: Float32Array): Float32Array {
  const { findings, geometry } = record.saliency_map;
  const expected = geometry.native_shape.reduce((product, axis) => product * axis, findings.length);
  if (values.length !== expected)
    throw new Error(`The station sent ${values.length} evidence values where the map has ${expected}.`);
  if (!values.every(Number.isFinite)) throw new Error(texts.messages.notNumbers);
  return values;
}
