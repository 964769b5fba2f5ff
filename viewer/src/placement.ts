/** Where a plane of the image lies on the canvas: zoom, centre and orientation to device pixels, and back. */

/** How a plane is turned on the screen: first mirrored left to right, then turned clockwise. */
export interface Orientation {
  /** Quarter turns clockwise. */
  turns: 0 | 1 | 2 | 3;
  mirrored: boolean;
}

export const UPRIGHT: Orientation = { turns: 0, mirrored: false };

export interface Placement {
  /** Canvas size in device pixels. */
  width: number;
  height: number;
  /** Device pixels per column and per row of the plane. */
  scaleX: number;
  scaleY: number;
  /** The outer corner of the plane's first pixel on the canvas, in whole device pixels (so that 1:1 is exact). */
  originX: number;
  originY: number;
  orientation: Orientation;
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

/** The zoom at which the whole image is seen. */
export function fitZoom(
  plane: Plane,
  width: number,
  height: number,
  { turns }: Orientation = UPRIGHT,
): number {
  const room = [width - 2 * MARGIN, height - 2 * MARGIN].map((size) => Math.max(size, 16));
  const [across = 16, down = 16] = turns % 2 ? room.reverse() : room;
  return clampZoom(Math.min(across / plane.columns, down / (plane.rows * plane.aspect)));
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
  orientation: Orientation = UPRIGHT,
): Placement {
  const scaleX = camera.zoom ?? fitZoom(plane, ...room, orientation);
  const scaleY = scaleX * plane.aspect;
  const [row, column] = camera.centre ?? [(plane.rows - 1) / 2, (plane.columns - 1) / 2];
  const atCorner: Placement = { width, height, scaleX, scaleY, originX: 0, originY: 0, orientation };
  const [x, y] = toCanvas(atCorner, row, column);
  return { ...atCorner, originX: Math.round(width / 2 - x), originY: Math.round(height / 2 - y) };
}

/** What a quarter turn clockwise makes of a direction (x to the right, y downwards), by number of turns. */
const TURNED = [
  [1, 0, 0, 1],
  [0, -1, 1, 0],
  [-1, 0, 0, -1],
  [0, 1, -1, 0],
] as const;

/**
 * (x, y, 1) in device pixels from the canvas's left upper corner to (row, column) of the plane, centres at
 * integers: 2 × 3, row by row.
 */
export function canvasToPlane(placement: Placement): [number[], number[]] {
  const { originX, originY, scaleX, scaleY, orientation } = placement;
  // Turns and mirrors are their own inverses' transposes.
  const [xx, xy, yx, yy] = TURNED[orientation.turns];
  const side = orientation.mirrored ? -1 : 1;
  const column = [(side * xx) / scaleX, (side * yx) / scaleX];
  const row = [xy / scaleY, yy / scaleY];
  const shift = ([x = 0, y = 0]: number[]): number => -(x * originX + y * originY) - 0.5;
  return [
    [...row, shift(row)],
    [...column, shift(column)],
  ];
}

/** Canvas place (device pixels, continuous) to (row, column) of the plane, centres at integers. */
export function toImage(placement: Placement, x: number, y: number): [number, number] {
  const [row, column] = canvasToPlane(placement).map(([a = 0, b = 0, c = 0]) => a * x + b * y + c);
  return [row ?? 0, column ?? 0];
}

/** (row, column) of the plane to the canvas, in device pixels. */
export function toCanvas(placement: Placement, row: number, column: number): [number, number] {
  const { originX, originY, scaleX, scaleY, orientation } = placement;
  const [xx, xy, yx, yy] = TURNED[orientation.turns];
  const across = (column + 0.5) * scaleX * (orientation.mirrored ? -1 : 1);
  const down = (row + 0.5) * scaleY;
  return [originX + xx * across + xy * down, originY + yx * across + yy * down];
}

/** The camera after a zoom that keeps the image place under (x, y) where it is. */
export function zoomAround(plane: Plane, placement: Placement, factor: number, x: number, y: number): Camera {
  const zoom = clampZoom(placement.scaleX * factor);
  const [row, column] = toImage(placement, x, y);
  const zoomed = { ...placement, scaleX: zoom, scaleY: zoom * plane.aspect };
  const [nowX, nowY] = toCanvas(zoomed, row, column);
  const centre = toImage(zoomed, placement.width / 2 + nowX - x, placement.height / 2 + nowY - y);
  return { zoom, centre };
}

/** The camera after a pan by (dx, dy) device pixels. */
export function panBy(placement: Placement, dx: number, dy: number): Camera {
  const [row, column] = toImage(placement, placement.width / 2 - dx, placement.height / 2 - dy);
  return { zoom: placement.scaleX, centre: [row, column] };
}
