/** The slice of a volume on which the strongest cell lies. */

import { transform } from "../../../viewer/src/geometry";
import type { Geometry } from "../../../viewer/src/types";

/** Counted from 0 on the pixel grid; null for a 2D image, and where no cell argues for the finding. */
export function peakSlice(values: Float32Array, geometry: Geometry): number | null {
  const [, rows, columns] = geometry.native_shape;
  if (rows === undefined || columns === undefined) return null;
  let best = 0;
  for (let i = 1; i < values.length; i++) if ((values[i] ?? 0) > (values[best] ?? 0)) best = i;
  if (!((values[best] ?? 0) > 0)) return null;
  const cell = [Math.floor(best / (rows * columns)), Math.floor(best / columns) % rows, best % columns];
  const slice = Math.round(transform(geometry.native_to_pixel, cell)[0] ?? 0);
  return Math.min((geometry.pixel_shape[0] ?? 1) - 1, Math.max(0, slice));
}
