/** The little WebGL2 that both layers share. */

const CORNERS = `#version 300 es
void main() {
  vec2 corner = vec2(gl_VertexID & 1, gl_VertexID >> 1);
  gl_Position = vec4(corner * 4.0 - 1.0, 0.0, 1.0);
}`;

/** This browser or machine cannot draw. */
export class NoWebGL extends Error {}

export function context(canvas: HTMLCanvasElement, alpha: boolean): WebGL2RenderingContext {
  const gl = canvas.getContext("webgl2", { alpha, antialias: false, depth: false, premultipliedAlpha: true });
  if (!gl) throw new NoWebGL();
  gl.pixelStorei(gl.UNPACK_ALIGNMENT, 1);
  return gl;
}

/** Numbers for a shader, by name: scalars, vectors, 4×4 matrices by column. */
export type Uniforms = Record<string, number | readonly number[]>;

/** A program that runs the fragment shader on every pixel of the canvas. */
export class Pass {
  readonly #program: WebGLProgram;
  readonly #places = new Map<string, WebGLUniformLocation | null>();

  constructor(
    readonly gl: WebGL2RenderingContext,
    fragment: string,
  ) {
    this.#program = gl.createProgram();
    for (const [kind, source] of [
      [gl.VERTEX_SHADER, CORNERS],
      [gl.FRAGMENT_SHADER, fragment],
    ] as const)
      gl.attachShader(this.#program, compiled(gl, kind, source));
    gl.linkProgram(this.#program);
    if (!gl.getProgramParameter(this.#program, gl.LINK_STATUS) && !gl.isContextLost())
      throw new Error(gl.getProgramInfoLog(this.#program) ?? "The shader does not link.");
  }

  /** Draws over the whole canvas, or the whole framebuffer of the same size. */
  draw(uniforms: Uniforms, samplers: Record<string, number>): void {
    const { gl } = this;
    gl.useProgram(this.#program);
    for (const [name, value] of Object.entries(uniforms)) this.#set(name, value);
    for (const [name, unit] of Object.entries(samplers)) gl.uniform1i(this.#place(name), unit);
    gl.viewport(0, 0, gl.drawingBufferWidth, gl.drawingBufferHeight);
    gl.drawArrays(gl.TRIANGLES, 0, 3);
  }

  #set(name: string, value: number | readonly number[]): void {
    const { gl } = this;
    const place = this.#place(name);
    if (typeof value === "number") gl.uniform1f(place, value);
    else if (value.length === 2) gl.uniform2fv(place, value);
    else if (value.length === 3) gl.uniform3fv(place, value);
    else gl.uniformMatrix4fv(place, false, value);
  }

  #place(name: string): WebGLUniformLocation | null {
    if (!this.#places.has(name)) this.#places.set(name, this.gl.getUniformLocation(this.#program, name));
    return this.#places.get(name) ?? null;
  }
}

function compiled(gl: WebGL2RenderingContext, kind: number, source: string): WebGLShader {
  const shader = gl.createShader(kind);
  if (!shader) throw new NoWebGL();
  gl.shaderSource(shader, source);
  gl.compileShader(shader);
  if (!gl.getShaderParameter(shader, gl.COMPILE_STATUS) && !gl.isContextLost())
    throw new Error(gl.getShaderInfoLog(shader) ?? "The shader does not compile.");
  return shader;
}

/** A new texture on this unit, read by whole texels unless `smooth`. */
export function texture(gl: WebGL2RenderingContext, unit: number, target: number): WebGLTexture {
  const made = gl.createTexture();
  gl.activeTexture(gl.TEXTURE0 + unit);
  gl.bindTexture(target, made);
  for (const filter of [gl.TEXTURE_MIN_FILTER, gl.TEXTURE_MAG_FILTER])
    gl.texParameteri(target, filter, gl.NEAREST);
  for (const wrap of [gl.TEXTURE_WRAP_S, gl.TEXTURE_WRAP_T, gl.TEXTURE_WRAP_R])
    gl.texParameteri(target, wrap, gl.CLAMP_TO_EDGE);
  return made;
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
