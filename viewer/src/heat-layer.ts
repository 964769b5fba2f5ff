/**
 * The heatmap on its own canvas over the image: the native grid in a small texture, sampled through
 * `geometry.native_to_pixel` (half-pixel centres, edges held, nothing outside the field the network saw).
 *
 * The canvas holds colour × alpha at full opacity; the opacity itself is the canvas's CSS opacity, so the
 * compositor blends as `alpha = opacity * clip(value / scale, 0, 1)` and moving the slider draws nothing.
 */

import { type ColourMap, colourTable, diverging } from "./colour";
import { invert, type Matrix } from "./geometry";
import { context, Pass, readTopDown, texture } from "./gl";
import type { Placement } from "./placement";
import { type Cut, canvasToPixel } from "./plane";
import type { Geometry } from "./types";

const HEAT = `#version 300 es
precision highp float;
precision highp sampler2D;
precision highp sampler3D;
uniform sampler3D values;
uniform sampler2D colours;
uniform float canvasHeight, full, cells, signedColours;
uniform vec3 reach; // half the thickness of a slab, in cells along one axis; 0: the plane alone
uniform mat4 canvasToNative; // (x, y, 0, 1) from the left upper corner to (slice, row, column)
out vec4 heat;
const float EDGE = 1e-4; // the field's edge, in float32
float value(ivec3 cell, ivec3 last) { // (slice, row, column)
  cell = clamp(cell, ivec3(0), last);
  return texelFetch(values, cell.zyx, 0).r;
}
float row(ivec3 at, float part, ivec3 last) {
  return mix(value(at, last), value(at + ivec3(0, 0, 1), last), part);
}
float plane(ivec3 at, vec2 part, ivec3 last) {
  return mix(row(at, part.y, last), row(at + ivec3(0, 1, 0), part.y, last), part.x);
}
float smoothly(vec3 native, ivec3 last) {
  native = clamp(native, vec3(0.0), vec3(last));
  ivec3 at = ivec3(floor(native));
  vec3 part = native - vec3(at);
  return mix(plane(at, part.yz, last), plane(at + ivec3(1, 0, 0), part.yz, last), part.x);
}
float sampled(vec3 native, ivec3 last) {
  return cells > 0.5 ? value(ivec3(floor(native + 0.5)), last) : smoothly(native, last);
}
float stronger(float a, float b) {
  if (signedColours < 0.5) return max(a, b);
  return abs(a) > abs(b) ? a : b;
}
// Linear between the planes of cells, so the strongest lies on one of them or on a face of the slab.
float strongest(vec3 from, vec3 to, vec3 axis, ivec3 last) {
  float found = stronger(sampled(from, last), sampled(to, last));
  float end = dot(floor(to), axis);
  for (float plane = dot(ceil(from), axis); plane <= end; plane++)
    found = stronger(found, sampled(mix(from, vec3(plane), axis), last));
  return found;
}
void main() {
  heat = vec4(0.0);
  vec3 native = (canvasToNative * vec4(gl_FragCoord.x, canvasHeight - gl_FragCoord.y, 0.0, 1.0)).xyz;
  ivec3 last = textureSize(values, 0).zyx - 1;
  vec3 thick = abs(reach);
  vec3 from = native - thick, to = native + thick;
  vec3 first = vec3(-0.5), end = vec3(last) + 0.5;
  if (any(lessThan(to, first - EDGE)) || any(greaterThan(from, end + EDGE))) return;
  vec3 axis = step(vec3(EDGE), thick);
  float evidence = axis == vec3(0.0) ? sampled(native, last)
    : strongest(clamp(from, first, end), clamp(to, first, end), axis, last);
  float strength = clamp(evidence / full, -signedColours, 1.0);
  float entry = signedColours > 0.5 ? (strength + 1.0) / 2.0 : strength;
  vec3 colour = texelFetch(colours, ivec2(int(floor(entry * 255.0 + 0.5)), 0), 0).rgb;
  heat = vec4(colour, 1.0) * abs(strength);
}`;

const VALUES = 0;
const COLOURS = 1;

export interface HeatLook {
  /** Evidence at full colour. */
  scale: number;
  /** Native cells as computed, instead of interpolated. */
  cells: boolean;
  colourMap: ColourMap;
  /** Half the thickness of a slab in pixels (slice, row, column): the strongest within it is seen. */
  reach?: readonly [number, number, number];
}

export class HeatLayer {
  readonly #gl: WebGL2RenderingContext;
  readonly #pass: Pass;
  #values: WebGLTexture | null = null;
  #map: Float32Array | null = null;
  #colourMap: ColourMap | null = null;
  #pixelToNative: Matrix = [];

  constructor(readonly canvas: HTMLCanvasElement) {
    this.#gl = context(canvas, true);
    this.#pass = new Pass(this.#gl, HEAT);
    texture(this.#gl, COLOURS, this.#gl.TEXTURE_2D);
  }

  /** Takes one finding's map (C order on the native grid) onto the graphics card. */
  load(map: Float32Array, geometry: Geometry): void {
    if (map === this.#map) return;
    const gl = this.#gl;
    const [slices = 1, rows = 1, columns = 1] = [1, ...geometry.native_shape].slice(-3);
    gl.deleteTexture(this.#values);
    this.#values = texture(gl, VALUES, gl.TEXTURE_3D);
    gl.texImage3D(gl.TEXTURE_3D, 0, gl.R32F, columns, rows, slices, 0, gl.RED, gl.FLOAT, map);
    this.#pixelToNative = invert(geometry.native_to_pixel);
    this.#map = map;
  }

  draw(placement: Placement, cut: Cut, look: HeatLook): void {
    this.drawThrough(canvasToPixel(placement, cut), look);
  }

  /**
   * Draws on a plane that lies in the image at any angle: `matrix` takes (x, y, 1) in device pixels from the
   * canvas's left upper corner to (slice, row, column) on the pixel grid.
   */
  drawThrough(matrix: Matrix, look: HeatLook): void {
    if (!this.#map) return;
    this.#take(look.colourMap);
    this.#pass.draw(
      {
        canvasHeight: this.canvas.height,
        full: look.scale,
        cells: look.cells ? 1 : 0,
        signedColours: diverging(look.colourMap) ? 1 : 0,
        reach: turned(this.#pixelToNative, look.reach ?? [0, 0, 0]),
        canvasToNative: asMat4(compose(this.#pixelToNative, matrix)),
      },
      { values: VALUES, colours: COLOURS },
    );
  }

  /** The pixels on the canvas as they are drawn now, premultiplied RGBA, top row first. */
  read(placement: Placement, cut: Cut, look: HeatLook): Uint8Array {
    this.draw(placement, cut, look);
    return readTopDown(this.#gl, placement.width, placement.height);
  }

  #take(colourMap: ColourMap): void {
    if (colourMap === this.#colourMap) return;
    const gl = this.#gl;
    gl.activeTexture(gl.TEXTURE0 + COLOURS);
    const table = colourTable(colourMap);
    gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGB8, table.length / 3, 1, 0, gl.RGB, gl.UNSIGNED_BYTE, table);
    this.#colourMap = colourMap;
  }
}

/** A length on the pixel grid (slice, row, column) on the native grid. */
function turned(pixelToNative: Matrix, reach: readonly number[]): number[] {
  const missing = 4 - pixelToNative.length;
  return [0, 1, 2].map((axis) =>
    reach.reduce(
      (sum, size, pixel) => sum + (pixelToNative[axis - missing]?.[pixel - missing] ?? 0) * size,
      0,
    ),
  );
}

/** First to the pixel grid, then to the native grid, of a 2D (3×3) or 3D (4×4) map: 3×3. */
function compose(pixelToNative: Matrix, canvasToPixel: Matrix): number[][] {
  const missing = 4 - pixelToNative.length;
  return [0, 1, 2].map((axis) => {
    const row = pixelToNative[axis - missing];
    return [0, 1, 2].map((column) => {
      if (!row) return 0;
      const constant = column === 2 ? (row[3 - missing] ?? 0) : 0;
      return canvasToPixel.reduce(
        (sum, along, pixel) => sum + (row[pixel - missing] ?? 0) * (along[column] ?? 0),
        constant,
      );
    });
  });
}

/** As WebGL wants it: column by column, (x, y, 0, 1) to (slice, row, column, 1). */
function asMat4(matrix: readonly (readonly number[])[]): number[] {
  const column = (at: number): number[] => matrix.map((row) => row[at] ?? 0);
  return [...column(0), 0, ...column(1), 0, 0, 0, 0, 0, ...column(2), 1];
}
