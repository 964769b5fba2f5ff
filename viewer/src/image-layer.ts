/** The image on its canvas: 32-bit stored values in a texture, one table from stored value to grey. */

import { context, Pass, texture } from "./gl";
import type { PlanePixels } from "./pixels";
import type { Placement } from "./placement";
import { levelFor, pyramid } from "./pyramid";
import type { DisplayTable } from "./window";

const PLACE = `#version 300 es
precision highp float;
precision highp sampler2D;
uniform vec2 origin, scale, size;
uniform float canvasHeight, level;
out vec4 shown;
const vec3 BACKGROUND = vec3(0.0);
// Place on the pixel grid (column, row), corner of the first pixel at 0.
vec2 place() { return (vec2(gl_FragCoord.x, canvasHeight - gl_FragCoord.y) - origin) / scale; }
bool outside(vec2 at) { return any(lessThan(at, vec2(0.0))) || any(greaterThanEqual(at, size)); }
`;

// The value is interpolated before it is looked up, so at 1:1 every pixel has its own grey, exactly.
const GREY = `${PLACE}
uniform sampler2D values, table;
uniform float first, stride, entries;
float stored(ivec2 at, ivec2 last, int lod) { return texelFetch(values, clamp(at, ivec2(0), last), lod).r; }
void main() {
  vec2 at = place();
  if (outside(at)) { shown = vec4(BACKGROUND, 1.0); return; }
  int lod = int(level);
  ivec2 last = textureSize(values, lod) - 1;
  vec2 texel = at / exp2(level) - 0.5;
  ivec2 corner = ivec2(floor(texel));
  vec2 part = texel - vec2(corner);
  float upper = mix(stored(corner, last, lod), stored(corner + ivec2(1, 0), last, lod), part.x);
  float lower = mix(stored(corner + ivec2(0, 1), last, lod), stored(corner + ivec2(1, 1), last, lod), part.x);
  float index = clamp(floor((mix(upper, lower, part.y) - first) / stride + 0.5), 0.0, entries - 1.0);
  ivec2 entry = ivec2(int(index) & 255, int(index) >> 8);
  shown = vec4(vec3(texelFetch(table, entry, 0).r), 1.0);
}`;

const COLOUR = `${PLACE}
uniform sampler2D values;
void main() {
  vec2 at = place();
  shown = vec4(outside(at) ? BACKGROUND : textureLod(values, at / size, level).rgb, 1.0);
}`;

const VALUES = 0;
const TABLE = 1;
const TABLE_WIDTH = 256;

export class ImageLayer {
  readonly #gl: WebGL2RenderingContext;
  readonly #grey: Pass;
  readonly #colour: Pass;
  #plane: PlanePixels | null = null;
  #levels = 1;
  #values: WebGLTexture | null = null;
  #table: DisplayTable | null = null;

  constructor(readonly canvas: HTMLCanvasElement) {
    this.#gl = context(canvas, false);
    this.#grey = new Pass(this.#gl, GREY);
    this.#colour = new Pass(this.#gl, COLOUR);
    texture(this.#gl, TABLE, this.#gl.TEXTURE_2D);
  }

  /** Takes a slice onto the graphics card. */
  load(plane: PlanePixels): void {
    if (plane === this.#plane) return;
    const gl = this.#gl;
    const most: number = gl.getParameter(gl.MAX_TEXTURE_SIZE);
    if (Math.max(plane.rows, plane.columns) > most)
      throw new Error(
        `The image is ${plane.rows} × ${plane.columns}; this graphics card shows at most ${most} a side.`,
      );
    gl.deleteTexture(this.#values);
    this.#values = texture(gl, VALUES, gl.TEXTURE_2D);
    this.#levels = plane.colour ? uploadColour(gl, plane) : uploadGrey(gl, plane);
    this.#plane = plane;
  }

  /** Takes the table from stored value to grey. */
  tone(table: DisplayTable): void {
    if (table === this.#table) return;
    const gl = this.#gl;
    const rows = Math.ceil(table.grey.length / TABLE_WIDTH);
    const padded = new Uint8Array(rows * TABLE_WIDTH);
    padded.set(table.grey);
    gl.activeTexture(gl.TEXTURE0 + TABLE);
    gl.texImage2D(gl.TEXTURE_2D, 0, gl.R8, TABLE_WIDTH, rows, 0, gl.RED, gl.UNSIGNED_BYTE, padded);
    this.#table = table;
  }

  draw(placement: Placement): void {
    const plane = this.#plane;
    if (!plane || (!plane.colour && !this.#table)) return;
    const zoom = Math.min(placement.scaleX, placement.scaleY);
    const common = {
      origin: [placement.originX, placement.originY],
      scale: [placement.scaleX, placement.scaleY],
      size: [plane.columns, plane.rows],
      canvasHeight: placement.height,
      level: levelFor(zoom, this.#levels),
    };
    if (plane.colour || !this.#table) this.#colour.draw(common, { values: VALUES });
    else {
      const { first, step, grey } = this.#table;
      const tone = { first, stride: step, entries: grey.length };
      this.#grey.draw({ ...common, ...tone }, { values: VALUES, table: TABLE });
    }
  }

  /** The pixels on the canvas as they are drawn now, RGBA, top row first. */
  read(placement: Placement): Uint8Array {
    const gl = this.#gl;
    this.draw(placement);
    return readTopDown(gl, placement.width, placement.height);
  }
}

/** A canvas read back in the order of rows that images have. */
export function readTopDown(gl: WebGL2RenderingContext, width: number, height: number): Uint8Array {
  const upward = new Uint8Array(width * height * 4);
  gl.readPixels(0, 0, width, height, gl.RGBA, gl.UNSIGNED_BYTE, upward);
  const result = new Uint8Array(upward.length);
  const stride = width * 4;
  for (let row = 0; row < height; row++)
    result.set(upward.subarray((height - 1 - row) * stride, (height - row) * stride), row * stride);
  return result;
}

function uploadGrey(gl: WebGL2RenderingContext, plane: PlanePixels): number {
  const { rows, columns } = plane;
  const levels = pyramid(finite(plane), rows, columns);
  gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MIN_FILTER, gl.NEAREST_MIPMAP_NEAREST);
  gl.texStorage2D(gl.TEXTURE_2D, levels.length, gl.R32F, columns, rows);
  levels.forEach((level, lod) => {
    gl.texSubImage2D(gl.TEXTURE_2D, lod, 0, 0, level.columns, level.rows, gl.RED, gl.FLOAT, level.values);
  });
  return levels.length;
}

/** As float32; NaN and infinities, which nothing can show, become the lowest value. */
function finite({ values, low }: PlanePixels): Float32Array {
  if (!(values instanceof Float32Array)) return new Float32Array(values);
  return values.map((value) => (Number.isFinite(value) ? value : low));
}

function uploadColour(gl: WebGL2RenderingContext, plane: PlanePixels): number {
  const { rows, columns, values } = plane;
  gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MIN_FILTER, gl.LINEAR_MIPMAP_NEAREST);
  gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MAG_FILTER, gl.LINEAR);
  const bytes = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
  gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGB8, columns, rows, 0, gl.RGB, gl.UNSIGNED_BYTE, bytes);
  gl.generateMipmap(gl.TEXTURE_2D);
  return Math.floor(Math.log2(Math.max(rows, columns))) + 1;
}
