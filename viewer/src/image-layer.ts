/**
 * The image on its canvas: stored values sampled at the screen's resolution, then looked up in one table from
 * stored value to grey. Dragging the window repeats only the second.
 *
 * Both are done by the processor: a look-up a pixel is less work than handing the picture to a graphics card,
 * and many reading rooms have none, where WebGL is drawn by the processor in twenty times the time.
 */

import type { PlanePixels, Values } from "./pixels";
import type { Placement } from "./placement";
import { type Level, levelFor, Pyramid } from "./pyramid";
import { type Box, boxOf, type Entries, sample } from "./sample";
import type { DisplayTable } from "./window";

/** Colours are 8 bits each and shown as they are. */
const COLOUR: Entries = { first: 0, step: 1, entries: 256 };
const OPAQUE = 0xff000000;

export class ImageLayer {
  readonly #context: CanvasRenderingContext2D;
  #plane: PlanePixels | null = null;
  /** One of stored values, or red, green, blue. */
  #channels: Pyramid[] = [];
  #table: DisplayTable | null = null;
  /** The table as the four bytes of a canvas's pixel. */
  #greys = new Uint32Array();
  #sampled: { of: string; box: Box; channels: Uint16Array[] } | null = null;
  #picture: ImageData | null = null;

  constructor(readonly canvas: HTMLCanvasElement) {
    const context = canvas.getContext("2d", { alpha: false });
    if (!context) throw new Error("This browser gives no canvas to draw on.");
    this.#context = context;
  }

  /** Takes a slice. */
  load(plane: PlanePixels): void {
    if (plane === this.#plane) return;
    this.#plane = plane;
    this.#channels = channels(plane).map((level) => new Pyramid(level));
    this.#sampled = null;
  }

  /** Takes the table from stored value to grey. */
  tone(table: DisplayTable): void {
    if (table === this.#table) return;
    this.#table = table;
    this.#greys = Uint32Array.from(table.grey, (grey) => OPAQUE + grey * 0x010101);
  }

  draw(placement: Placement): void {
    const { box, channels } = this.#sample(placement);
    if (box.width === 0 || box.height === 0) return;
    if (this.#picture?.width !== box.width || this.#picture.height !== box.height)
      this.#picture = new ImageData(box.width, box.height);
    const pixels = new Uint32Array(this.#picture.data.buffer);
    const [red, green, blue] = channels;
    if (red && green && blue) colours(red, green, blue, pixels);
    else if (red) lookUp(red, this.#greys, pixels);
    this.#context.putImageData(this.#picture, box.x, box.y);
  }

  /** The first step, unless nothing has changed but the greys in the table. */
  #sample(placement: Placement): { box: Box; channels: Uint16Array[] } {
    const { first, step, grey } = this.#table ?? { first: 0, step: 1, grey: [] };
    const entries = this.#plane?.colour ? COLOUR : { first, step, entries: grey.length };
    const of = JSON.stringify([placement, entries]);
    if (this.#sampled?.of === of) return this.#sampled;
    const { rows, columns } = this.#plane ?? { rows: 0, columns: 0 };
    const box = boxOf({ rows, columns }, placement);
    const zoom = Math.min(placement.scaleX, placement.scaleY);
    const sampled = this.#channels.map((channel) => {
      const halvings = levelFor(zoom, channel.levels);
      return sample(channel.level(halvings), halvings, placement, box, entries);
    });
    this.#context.fillRect(0, 0, placement.width, placement.height);
    this.#sampled = { of, box, channels: sampled };
    return this.#sampled;
  }

  /** The pixels on the canvas as they are drawn now, RGBA, top row first. */
  read(placement: Placement): Uint8Array {
    this.draw(placement);
    const { data } = this.#context.getImageData(0, 0, placement.width, placement.height);
    return new Uint8Array(data.buffer);
  }
}

function lookUp(entries: Uint16Array, greys: Uint32Array, pixels: Uint32Array): void {
  for (let i = 0; i < entries.length; i++) pixels[i] = greys[entries[i] as number] as number;
}

function colours(red: Uint16Array, green: Uint16Array, blue: Uint16Array, pixels: Uint32Array): void {
  for (let i = 0; i < red.length; i++)
    pixels[i] = OPAQUE + ((blue[i] as number) << 16) + ((green[i] as number) << 8) + (red[i] as number);
}

/** NaN and infinities, which nothing can show, become the lowest value. */
function channels({ rows, columns, values, colour, low }: PlanePixels): Level[] {
  if (values instanceof Float32Array)
    return [{ rows, columns, values: values.map((value) => (Number.isFinite(value) ? value : low)) }];
  if (!colour) return [{ rows, columns, values }];
  return [0, 1, 2].map((channel) => ({ rows, columns, values: everyThird(values, channel) }));
}

function everyThird(values: Values, from: number): Uint8Array {
  const taken = new Uint8Array(values.length / 3);
  for (let i = 0; i < taken.length; i++) taken[i] = values[3 * i + from] as number;
  return taken;
}
