/** What is seen, as a picture to save: the viewports side by side, and a legend that says what they show. */

import { element } from "../element";
import { pictureWords, type Words } from "../picture-words";
import type { Reading } from "../reading";
import type { Stage } from "./stage";
import type { Viewport } from "./viewport";

/** In CSS pixels. */
const PANEL = 300;
const MARGIN = 18;
const LINE = 17;
const RAMP = { width: 14, height: 150 };

const FONT = '"Liberation Sans", Arial, sans-serif';
const STYLES: Record<Words["kind"], { font: string; colour: string }> = {
  title: { font: `600 17px ${FONT}`, colour: "#ebebeb" },
  line: { font: `13px ${FONT}`, colour: "#dfe3e8" },
  weak: { font: `12px ${FONT}`, colour: "#a5adb6" },
  told: { font: `13px ${FONT}`, colour: "#ffbe50" },
};

/** Saves what is seen; its name holds nothing of the patient. */
export async function savePicture(reading: Reading, stage: Stage): Promise<void> {
  const canvas = await picture(reading, stage);
  const blob = await new Promise<Blob | null>((done) => canvas.toBlob(done));
  if (!blob) return;
  const href = URL.createObjectURL(blob);
  const key = (reading.imageRow?.key ?? "").slice(0, 12);
  element("a", { attributes: { href, download: `camlucida-${key}.png` } }).click();
  setTimeout(() => URL.revokeObjectURL(href));
}

/** The picture on a canvas, in device pixels. */
export async function picture(reading: Reading, stage: Stage): Promise<HTMLCanvasElement> {
  const density = window.devicePixelRatio || 1;
  const box = stage.getBoundingClientRect();
  const canvas = element("canvas");
  const pen = canvas.getContext("2d") as CanvasRenderingContext2D;
  const words = pictureWords(reading, stage.legend?.words ?? []);
  const height = Math.max(box.height, legend(pen, words, stage, 0));
  canvas.width = Math.round((box.width + PANEL) * density);
  canvas.height = Math.round(height * density);
  pen.scale(density, density);
  pen.fillStyle = "#0a0b0d";
  pen.fillRect(0, 0, box.width + PANEL, height);
  for (const viewport of stage.viewports) await paint(pen, viewport, box);
  legend(pen, words, stage, box.width);
  return canvas;
}

/** One viewport: its pixels, its lines, and the words in its corners. */
async function paint(pen: CanvasRenderingContext2D, viewport: Viewport, stage: DOMRect): Promise<void> {
  const { left, top, width, height } = viewport.getBoundingClientRect();
  const [x, y] = [left - stage.left, top - stage.top];
  const pixels = viewport.pixels();
  if (pixels) pen.drawImage(pixels, x, y, width, height);
  pen.drawImage(await drawing(viewport.vectors, width, height), x, y, width, height);
  for (const corner of viewport.corners) {
    const box = corner.getBoundingClientRect();
    write(pen, corner.textContent, box.left - stage.left + 7, box.top - stage.top + 3);
  }
}

function write(pen: CanvasRenderingContext2D, text: string, x: number, y: number): void {
  Object.assign(pen, {
    font: `12px ${FONT}`,
    lineWidth: 3,
    lineJoin: "round",
    strokeStyle: "rgb(0 0 0 / 80%)",
  });
  text.split("\n").forEach((line, i) => {
    pen.strokeText(line, x, y + 12 + i * LINE);
    pen.fillStyle = "#d8dde3";
    pen.fillText(line, x, y + 12 + i * LINE);
  });
}

/** What style sheets say of lines and words; a picture of an SVG knows none. */
const STYLED = [
  "clip-path",
  "fill",
  "stroke",
  "stroke-width",
  "stroke-dasharray",
  "stroke-linejoin",
  "opacity",
  "paint-order",
  "font-family",
  "font-size",
  "font-weight",
  "text-anchor",
  "dominant-baseline",
];

async function drawing(vectors: SVGSVGElement, width: number, height: number): Promise<HTMLImageElement> {
  const copy = vectors.cloneNode(true) as SVGSVGElement;
  const originals = vectors.querySelectorAll("*");
  copy.querySelectorAll<SVGElement>("*").forEach((one, i) => {
    const style = getComputedStyle(originals[i] as Element);
    for (const name of STYLED) one.style.setProperty(name, style.getPropertyValue(name));
  });
  copy.setAttribute("width", String(width));
  copy.setAttribute("height", String(height));
  const image = new Image();
  image.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(new XMLSerializer().serializeToString(copy))}`;
  await image.decode();
  return image;
}

/** Words one below the other, the colours among them; returns how high it all is. */
function legend(pen: CanvasRenderingContext2D, words: readonly Words[], stage: Stage, left: number): number {
  let y = MARGIN;
  for (const { text, kind, ramp } of words) {
    Object.assign(pen, { font: STYLES[kind].font, fillStyle: STYLES[kind].colour });
    for (const line of wrapped(pen, text)) {
      y += LINE;
      pen.fillText(line, left + MARGIN, y);
    }
    y += ramp ? colours(pen, stage, left + MARGIN, y + 10) : 5;
  }
  return y + MARGIN;
}

function wrapped(pen: CanvasRenderingContext2D, text: string): string[] {
  const lines = [""];
  for (const word of text.split(" ")) {
    const longer = `${lines.at(-1)} ${word}`.trim();
    if (pen.measureText(longer).width > PANEL - 2 * MARGIN && lines.at(-1)) lines.push(word);
    else lines[lines.length - 1] = longer;
  }
  return lines;
}

/** The colours as the page's own legend shows them. */
function colours(pen: CanvasRenderingContext2D, { legend }: Stage, x: number, y: number): number {
  if (!legend) return 0;
  pen.drawImage(legend.bar, x, y, RAMP.width, RAMP.height);
  legend.ticks.forEach((tick, i) => {
    const at = y + 5 + (i * (RAMP.height - 5)) / (legend.ticks.length - 1);
    pen.fillText(tick.textContent, x + RAMP.width + 8, at + 4);
  });
  return RAMP.height + 26;
}
