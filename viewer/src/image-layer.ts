/**
 * The image on its canvas: 32-bit stored values in a texture, one table from stored value to grey.
 *
 * Two passes: the first samples the stored values into places in the table, at the canvas's resolution; the
 * second looks them up. Dragging the window repeats only the second.
 */

import { context, Pass, texture, type Uniforms } from "./gl";
import type { PlanePixels } from "./pixels";
import { canvasToPlane, type Placement } from "./placement";
import { levelFor, pyramid } from "./pyramid";
import type { DisplayTable } from "./window";

const PLACE = `#version 300 es
precision highp float;
precision highp sampler2D;
precision highp usampler2D;
uniform vec2 size;
uniform mat4 canvasToPlane; // (x, y, 0, 1) from the left upper corner to (column, row)
uniform float canvasHeight, level;
const vec3 BACKGROUND = vec3(0.0);
// Place on the pixel grid (column, row), corner of the first pixel at 0.
vec2 place() { return (canvasToPlane * vec4(gl_FragCoord.x, canvasHeight - gl_FragCoord.y, 0.0, 1.0)).xy; }
bool outside(vec2 at) { return any(lessThan(at, vec2(0.0))) || any(greaterThanEqual(at, size)); }
`;

// The value is interpolated before it is looked up, so at 1:1 every pixel has its own grey, exactly.
const SAMPLE = `${PLACE}
uniform sampler2D values;
uniform float first, stride, entries;
out uint entry;
float stored(ivec2 at, ivec2 last, int lod) { return texelFetch(values, clamp(at, ivec2(0), last), lod).r; }
void main() {
  vec2 at = place();
  if (outside(at)) { entry = 0u; return; }
  int lod = int(level);
  ivec2 last = textureSize(values, lod) - 1;
  vec2 texel = at / exp2(level) - 0.5;
  ivec2 corner = ivec2(floor(texel));
  vec2 part = texel - vec2(corner);
  float upper = mix(stored(corner, last, lod), stored(corner + ivec2(1, 0), last, lod), part.x);
  float lower = mix(stored(corner + ivec2(0, 1), last, lod), stored(corner + ivec2(1, 1), last, lod), part.x);
  entry = uint(clamp(floor((mix(upper, lower, part.y) - first) / stride + 0.5), 0.0, entries - 1.0));
}`;

const LOOK_UP = `${PLACE}
uniform usampler2D sampled;
uniform sampler2D table;
out vec4 shown;
void main() {
  int entry = int(texelFetch(sampled, ivec2(gl_FragCoord.xy), 0).r);
  vec3 grey = vec3(texelFetch(table, ivec2(entry & 255, entry >> 8), 0).r);
  shown = vec4(outside(place()) ? BACKGROUND : grey, 1.0);
}`;

const COLOUR = `${PLACE}
uniform sampler2D values;
out vec4 shown;
void main() {
  vec2 at = place();
  shown = vec4(outside(at) ? BACKGROUND : textureLod(values, at / size, level).rgb, 1.0);
}`;

const VALUES = 0;
const TABLE = 1;
const SAMPLED = 2;
const TABLE_WIDTH = 256;

export class ImageLayer {
  readonly #gl: WebGL2RenderingContext;
  readonly #sample: Pass;
  readonly #lookUp: Pass;
  readonly #colour: Pass;
  readonly #buffer: WebGLFramebuffer;
  #plane: PlanePixels | null = null;
  #levels = 1;
  #values: WebGLTexture | null = null;
  #table: DisplayTable | null = null;
  #sampled: { texture: WebGLTexture | null; of: string } = { texture: null, of: "" };

  constructor(readonly canvas: HTMLCanvasElement) {
    const gl = context(canvas, false);
    this.#gl = gl;
    this.#sample = new Pass(gl, SAMPLE);
    this.#lookUp = new Pass(gl, LOOK_UP);
    this.#colour = new Pass(gl, COLOUR);
    this.#buffer = gl.createFramebuffer();
    texture(gl, TABLE, gl.TEXTURE_2D);
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
    this.#sampled.of = "";
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
    if (!plane) return;
    const zoom = Math.min(placement.scaleX, placement.scaleY);
    const common = {
      canvasToPlane: fromCorner(placement),
      size: [plane.columns, plane.rows],
      canvasHeight: placement.height,
      level: levelFor(zoom, this.#levels),
    };
    if (plane.colour) this.#colour.draw(common, { values: VALUES });
    else if (this.#table) {
      this.#sampleInto(common, placement, this.#table);
      this.#lookUp.draw(common, { sampled: SAMPLED, table: TABLE });
    }
  }

  /** The first pass, unless nothing has changed but the greys in the table. */
  #sampleInto(common: Uniforms, placement: Placement, { first, step, grey }: DisplayTable): void {
    const tone = { first, stride: step, entries: grey.length };
    const of = JSON.stringify([placement, tone]);
    if (of === this.#sampled.of) return;
    const gl = this.#gl;
    gl.deleteTexture(this.#sampled.texture);
    this.#sampled = { texture: texture(gl, SAMPLED, gl.TEXTURE_2D), of };
    gl.texStorage2D(gl.TEXTURE_2D, 1, gl.R16UI, placement.width, placement.height);
    gl.bindFramebuffer(gl.FRAMEBUFFER, this.#buffer);
    const { texture: target } = this.#sampled;
    gl.framebufferTexture2D(gl.FRAMEBUFFER, gl.COLOR_ATTACHMENT0, gl.TEXTURE_2D, target, 0);
    this.#sample.draw({ ...common, ...tone }, { values: VALUES });
    gl.bindFramebuffer(gl.FRAMEBUFFER, null);
  }

  /** The pixels on the canvas as they are drawn now, RGBA, top row first. */
  read(placement: Placement): Uint8Array {
    const gl = this.#gl;
    this.draw(placement);
    return readTopDown(gl, placement.width, placement.height);
  }
}

/** As WebGL wants it, column by column: the canvas to (column, row), the first pixel's outer corner at 0. */
function fromCorner(placement: Placement): number[] {
  const [row, column] = canvasToPlane(placement);
  const along = (i: number): number[] => [column[i] ?? 0, row[i] ?? 0, 0, 0];
  const [x = 0, y = 0] = along(2).map((shift) => shift + 0.5);
  return [...along(0), ...along(1), 0, 0, 0, 0, x, y, 0, 1];
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
