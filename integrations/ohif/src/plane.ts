/** Where a viewport's canvas lies on the station's image, whatever zoom, pan, rotation and flip it has. */

import { invert, type Matrix, transform } from "../../../viewer/src/geometry";
import type { Geometry } from "../../../viewer/src/types";
import type { CornerstoneViewport, Point2, Point3 } from "./ohif";

/** A place on the canvas, in CSS pixels, to (slice, row, column) on the image. */
export type ToImage = (place: Point2) => number[];

/**
 * For an image that is shown in its own plane: Cornerstone's pixel indices are ours, and the slice is known.
 * For any other plane (reformatted, or a multi-frame volume): through patient coordinates, or null where the
 * image has none.
 */
export function toImage(
  viewport: CornerstoneViewport,
  geometry: Geometry,
  slice: number | null,
): ToImage | null {
  const flat = geometry.pixel_shape.length === 2;
  if (viewport.type === "stack" && (flat || slice !== null)) {
    const image = viewport.getImageData?.()?.imageData;
    if (!image) return null;
    return (place) => {
      const [column = 0, row = 0] = Array.from(image.worldToIndex(viewport.canvasToWorld(place)));
      return [slice ?? 0, row, column];
    };
  }
  if (flat || !geometry.pixel_to_patient) return null;
  const toPixel = invert(geometry.pixel_to_patient);
  return (place) => transform(toPixel, viewport.canvasToWorld(place) satisfies Point3);
}

/**
 * (x, y, 1) in device pixels, `density` to a CSS pixel, to (slice, row, column): 3×3. The way from canvas to
 * image is affine, so three places say all of it; far apart, they say it exactly.
 */
export function canvasToImage(to: ToImage, width: number, height: number, density: number): Matrix {
  const corner = to([0, 0]);
  const right = to([width, 0]);
  const below = to([0, height]);
  return corner.map((start, axis) => [
    ((right[axis] ?? 0) - start) / (width * density),
    ((below[axis] ?? 0) - start) / (height * density),
    start,
  ]);
}
