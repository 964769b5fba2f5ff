/** Where the image lies on the canvas: zoom and centre to device pixels, and back. */

export interface Placement {
  /** Canvas size in device pixels. */
  width: number;
  height: number;
  /** Device pixels per column and per row. */
  scaleX: number;
  scaleY: number;
  /** Left upper corner of the image on the canvas, in whole device pixels (so that 1:1 is exact). */
  originX: number;
  originY: number;
}

export interface Camera {
  /** Device pixels per image column; null fits the image into the viewport. */
  zoom: number | null;
  /** Image place (row, column) in the middle of the viewport; null is the middle of the image. */
  centre: readonly [number, number] | null;
}

export interface Plane {
  rows: number;
  columns: number;
  /** Height of a pixel divided by its width. */
  aspect: number;
}

const MARGIN = 8;
export const MIN_ZOOM = 0.02;
export const MAX_ZOOM = 64;

export function planeOf(space: readonly number[], spacing: readonly number[] | null): Plane {
  const [rows = 1, columns = 1] = space.slice(-2);
  const [rowMm = 1, columnMm = 1] = spacing?.slice(-2) ?? [];
  return { rows, columns, aspect: rowMm > 0 && columnMm > 0 ? rowMm / columnMm : 1 };
}

/** The zoom at which the whole image is seen. */
export function fitZoom(plane: Plane, width: number, height: number): number {
  const room = [width - 2 * MARGIN, height - 2 * MARGIN].map((size) => Math.max(size, 16));
  const zoom = Math.min((room[0] ?? 16) / plane.columns, (room[1] ?? 16) / (plane.rows * plane.aspect));
  return clampZoom(zoom);
}

export function clampZoom(zoom: number): number {
  return Math.min(MAX_ZOOM, Math.max(MIN_ZOOM, zoom));
}

/** `room` is the size that a fitted image has: that of the smallest of several linked viewports. */
export function place(
  plane: Plane,
  camera: Camera,
  [width, height]: readonly [number, number],
  room: readonly [number, number] = [width, height],
): Placement {
  const scaleX = camera.zoom ?? fitZoom(plane, ...room);
  const scaleY = scaleX * plane.aspect;
  const [row, column] = camera.centre ?? [(plane.rows - 1) / 2, (plane.columns - 1) / 2];
  return {
    width,
    height,
    scaleX,
    scaleY,
    originX: Math.round(width / 2 - (column + 0.5) * scaleX),
    originY: Math.round(height / 2 - (row + 0.5) * scaleY),
  };
}

/** Canvas place (device pixels, continuous) to (row, column) on the pixel grid, centres at integers. */
export function toImage(placement: Placement, x: number, y: number): [number, number] {
  return [(y - placement.originY) / placement.scaleY - 0.5, (x - placement.originX) / placement.scaleX - 0.5];
}

/** The camera after a zoom that keeps the image place under (x, y) where it is. */
export function zoomAround(plane: Plane, placement: Placement, factor: number, x: number, y: number): Camera {
  const zoom = clampZoom(placement.scaleX * factor);
  const [row, column] = toImage(placement, x, y);
  return {
    zoom,
    centre: [
      row + (placement.height / 2 - y) / (zoom * plane.aspect),
      column + (placement.width / 2 - x) / zoom,
    ],
  };
}

/** The camera after a pan by (dx, dy) device pixels. */
export function panBy(placement: Placement, dx: number, dy: number): Camera {
  const [row, column] = toImage(placement, placement.width / 2 - dx, placement.height / 2 - dy);
  return { zoom: placement.scaleX, centre: [row, column] };
}
