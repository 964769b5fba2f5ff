/**
 * The evidence over OHIF's viewports: a canvas on each, drawn anew whenever Cornerstone has drawn the image.
 *
 * All are drawn by one WebGL context, as browsers keep only a few and Cornerstone needs its own; what it has
 * drawn is copied. The opacity is the canvas's CSS opacity, so that moving it draws nothing.
 */

import { element, write } from "../../../viewer/src/element";
import { number } from "../../../viewer/src/format";
import { HeatLayer } from "../../../viewer/src/heat-layer";
import { ramp, STEPS } from "../../../viewer/src/ramp";
import { texts } from "../../../viewer/src/texts";
import { COLOUR_MAP, type Evidence, type Shown } from "./evidence";
import { type CornerstoneViewport, IMAGE_RENDERED, type Ohif } from "./ohif";
import { canvasToImage, toImage } from "./plane";
import { words } from "./texts";

interface Overlay {
  viewport: CornerstoneViewport;
  canvas: HTMLCanvasElement;
  caption: HTMLElement;
  colours: HTMLCanvasElement;
  text: HTMLElement;
}

export class Overlays {
  readonly #overlays = new Map<HTMLElement, Overlay>();
  #heat: HeatLayer | null = null;
  #unable = false;

  constructor(
    readonly ohif: Ohif,
    readonly evidence: Evidence,
  ) {}

  start(): void {
    // Cornerstone's events do not bubble; while they are captured, they pass the document.
    document.addEventListener(IMAGE_RENDERED, (event) => this.#rendered(event), true);
    this.evidence.addEventListener("change", () => this.drawAll());
  }

  drawAll(): void {
    for (const [place, overlay] of this.#overlays) {
      if (place.isConnected) this.#draw(overlay);
      else this.#overlays.delete(place);
    }
  }

  #rendered(event: Event): void {
    const { viewportId } = (event as CustomEvent<{ viewportId?: string }>).detail ?? {};
    const viewport = this.ohif.viewport(viewportId ?? null);
    if (!viewport?.canvas) return;
    this.#draw(this.#overlay(viewport, viewport.canvas));
  }

  #overlay(viewport: CornerstoneViewport, below: HTMLCanvasElement): Overlay {
    const known = this.#overlays.get(viewport.element);
    const overlay = known ?? made(viewport);
    overlay.viewport = viewport;
    // Directly above the image, so that measurements and OHIF's words stay on top.
    if (overlay.canvas.previousElementSibling !== below) below.after(overlay.canvas, overlay.caption);
    this.#overlays.set(viewport.element, overlay);
    return overlay;
  }

  #draw(overlay: Overlay): void {
    const { canvas, caption, viewport } = overlay;
    const instance = this.evidence.view.map ? this.ohif.shown(viewport) : null;
    const known = instance && this.evidence.of(instance, () => this.ohif.instances(viewport));
    const explained = known?.state === "explained" ? known : null;
    const drawn = explained && this.#drawMap(overlay, explained.shown, explained.slice);
    show(canvas, drawn === true);
    canvas.style.opacity = String(this.evidence.view.opacity);
    show(caption, explained !== null && this.evidence.view.finding !== null);
    if (explained) this.#describe(overlay, explained.shown, drawn === true);
  }

  /** Whether the map lies on the canvas now. */
  #drawMap({ canvas, viewport }: Overlay, shown: Shown, slice: number | null): boolean {
    const map = this.evidence.map(shown);
    const { geometry } = shown.record.saliency_map;
    const to = map && toImage(viewport, geometry, slice);
    const heat = this.#heatLayer();
    const { clientWidth, clientHeight } = viewport.canvas ?? canvas;
    if (!map || !to || !heat || clientWidth === 0 || clientHeight === 0) return false;
    const density = window.devicePixelRatio || 1;
    for (const one of [canvas, heat.canvas])
      resize(one, Math.round(clientWidth * density), Math.round(clientHeight * density));
    canvas.style.width = `${clientWidth}px`;
    canvas.style.height = `${clientHeight}px`;
    heat.load(map.values, geometry);
    const { cells } = this.evidence.view;
    heat.drawThrough(canvasToImage(to, clientWidth, clientHeight, canvas.width / clientWidth), {
      cells,
      colourMap: COLOUR_MAP,
      scale: map.scale,
    });
    const context = canvas.getContext("2d");
    context?.clearRect(0, 0, canvas.width, canvas.height);
    context?.drawImage(heat.canvas, 0, 0);
    return true;
  }

  /** What is over the image, in words: also that there is nothing, and why. */
  #describe({ text, colours }: Overlay, shown: Shown, drawn: boolean): void {
    const map = this.evidence.map(shown);
    const supported = map !== null && shown.record.saliency_map.supported[map.index] === true;
    show(colours, drawn && supported);
    if (drawn && supported)
      colours
        .getContext("2d")
        ?.putImageData(lying(ramp(0, map.scale, this.evidence.view.opacity, COLOUR_MAP)), 0, 0);
    write(text, this.#caption(shown, drawn, supported));
  }

  #caption({ record }: Shown, drawn: boolean, supported: boolean): string {
    const { finding } = this.evidence.view;
    const scale = record.scales[record.saliency_map.findings.indexOf(finding ?? "")];
    if (finding === null || scale === undefined) return words.noMap;
    if (this.#unable) return words.noWebGL;
    if (!drawn) return words.cannotBePlaced;
    if (!supported) return words.noSupport(finding);
    const { legend } = texts;
    const unit = record.saliency_map.unit === "relative" ? legend.relativeTitle : legend.title;
    return words.caption(finding, number(scale), unit);
  }

  #heatLayer(): HeatLayer | null {
    if (this.#heat || this.#unable) return this.#heat;
    try {
      const canvas = document.createElement("canvas");
      canvas.addEventListener("webglcontextlost", (event) => event.preventDefault());
      canvas.addEventListener("webglcontextrestored", () => {
        this.#heat = null;
        this.drawAll();
      });
      this.#heat = new HeatLayer(canvas);
    } catch {
      this.#unable = true; // said on the image, in words
    }
    return this.#heat;
  }
}

function made(viewport: CornerstoneViewport): Overlay {
  const canvas = element("canvas", { attributes: { "data-camlucida": "map", "aria-hidden": "true" } });
  const colours = element("canvas", { attributes: { width: STEPS, height: 1, "aria-hidden": "true" } });
  const text = element("span");
  const caption = element("div", { attributes: { "data-camlucida": "caption" } }, colours, text);
  // By hand: a style sheet of ours would reach into OHIF's page, and one of OHIF's into our canvas.
  Object.assign(canvas.style, { position: "absolute", top: "0", left: "0", pointerEvents: "none" });
  Object.assign(colours.style, { width: "72px", height: "8px", borderRadius: "2px" });
  Object.assign(caption.style, CAPTION);
  return { viewport, canvas, caption, colours, text };
}

const CAPTION = {
  position: "absolute",
  bottom: "8px",
  left: "50%",
  transform: "translateX(-50%)",
  alignItems: "center",
  columnGap: "8px",
  width: "max-content",
  maxWidth: "calc(100% - 16px)",
  flexWrap: "wrap",
  justifyContent: "center",
  padding: "2px 8px",
  borderRadius: "4px",
  background: "rgb(10 11 13 / 75%)",
  color: "#dfe3e8",
  font: "12px / 1.5 system-ui, sans-serif",
  textAlign: "center",
  pointerEvents: "none",
};

/** Shown or not, whatever a style sheet of the page says of `hidden`. */
function show(target: HTMLElement, shown: boolean): void {
  target.style.display = shown ? (target instanceof HTMLCanvasElement ? "block" : "flex") : "none";
}

function resize(canvas: HTMLCanvasElement, width: number, height: number): void {
  if (canvas.width !== width) canvas.width = width;
  if (canvas.height !== height) canvas.height = height;
}

/** A ramp from top to bottom as one from left to right, the lowest value at the left. */
function lying(standing: Uint8ClampedArray): ImageData {
  const picture = new ImageData(STEPS, 1);
  for (let step = 0; step < STEPS; step++)
    picture.data.set(standing.subarray(4 * step, 4 * step + 4), 4 * (STEPS - 1 - step));
  return picture;
}
