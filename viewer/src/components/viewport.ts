/** <cl-viewport>: one image, alone or with the map over it: two canvases and what is written in the corners. */

import { element, write } from "../element";
import { HeatLayer, type HeatLook } from "../heat-layer";
import { ImageLayer } from "../image-layer";
import type { PlanePixels } from "../pixels";
import { type Camera, fitZoom, type Placement, place, toImage } from "../placement";
import type { Axis, Cut } from "../plane";
import { moved } from "../planes";
import { probe } from "../probe";
import type { Reading } from "../reading";
import { halfSlab, slabShown } from "../slab";
import { texts } from "../texts";
import { VectorLayer } from "../vector-layer";
import type { Voi } from "../window";
import { drags } from "./gestures";
import { touches } from "./touch";
import { cornerText, mapWords, probeText, titleText } from "./viewport-words";

/** What a viewport shows: planes perpendicular to an axis, alone or with the map. */
export interface Pane {
  axis: Axis;
  content: "image" | "map";
}

export class Viewport extends HTMLElement {
  readonly #imageCanvas = element("canvas", { class: "image", attributes: { "aria-hidden": "true" } });
  readonly #heatCanvas = element("canvas", { class: "heat", attributes: { "aria-hidden": "true" } });
  readonly #vectors = new VectorLayer();
  readonly #title = element("div", { class: "corner top-left" });
  readonly #window = element("div", { class: "corner bottom-left numbers" });
  readonly #probe = element("div", { class: "corner bottom-right numbers" });
  readonly #words = element("div", { class: "words", attributes: { role: "status" } });
  readonly #abort = new AbortController();
  #imageLayer: ImageLayer | null = null;
  #heatLayer: HeatLayer | null = null;
  #drawn = { image: "", heat: "" };
  #plane: PlanePixels | null = null;
  #frame = 0;
  #cursor: [number, number] | null = null;
  #size: [number, number] = [0, 0];

  constructor(
    readonly reading: Reading,
    readonly pane: Pane,
    /** The viewports side by side, this one too. */
    readonly peers: () => Viewport[],
  ) {
    super();
    const canvases = [this.#imageCanvas, this.#heatCanvas, this.#vectors.svg];
    this.append(...canvases, this.#title, this.#window, this.#probe, this.#words);
    this.tabIndex = 0;
    this.setAttribute("role", "group");
  }

  connectedCallback(): void {
    const { signal } = this.#abort;
    this.reading.addEventListener("view", () => this.refresh(), { signal });
    this.reading.addEventListener("data", () => this.refresh(), { signal });
    this.#survive();
    drags(this, signal);
    touches(this, signal);
    this.addEventListener("pointermove", (event) => this.#point(event), { signal });
    this.addEventListener("pointerleave", () => this.#point(null), { signal });
    const observer = new ResizeObserver(([entry]) => entry && this.#resize(entry));
    observer.observe(this);
    signal.addEventListener("abort", () => observer.disconnect());
    this.refresh();
  }

  disconnectedCallback(): void {
    cancelAnimationFrame(this.#frame);
    this.#abort.abort();
    // Browsers keep only a few contexts: give this back at once.
    this.#heatCanvas.getContext("webgl2")?.getExtension("WEBGL_lose_context")?.loseContext();
  }

  /** Device pixels per CSS pixel. */
  get density(): number {
    return window.devicePixelRatio || 1;
  }

  /** Whether this viewport shows the map at all. */
  get withMap(): boolean {
    return this.pane.content === "map";
  }

  get placement(): Placement | null {
    const { reading, pane } = this;
    const [width, height] = this.#size;
    if (!reading.image || width === 0 || height === 0) return null;
    const { zoom, centre } = reading.camera(pane.axis);
    const camera = { zoom: zoom && zoom * this.#magnification, centre };
    return place(reading.plane(pane.axis), camera, this.#size, this.#room, reading.orientation(pane.axis));
  }

  /** Moves what is seen, here and in the viewports that are linked. */
  look({ zoom, centre }: Camera): void {
    const { reading, pane } = this;
    reading.change(moved(reading, pane.axis, { zoom: zoom && zoom / this.#magnification, centre }));
  }

  /** How much larger a plane is drawn than the slices beside it: each fits its own viewport, and they zoom alike. */
  get #magnification(): number {
    const { axis } = this.pane;
    if (axis === 0) return 1;
    const fitted = ({ reading }: Viewport, of: Axis, room: [number, number]): number =>
      fitZoom(reading.plane(of), ...room, reading.orientation(of));
    const slices = this.peers().find(({ pane }) => pane.axis === 0) ?? this;
    return fitted(this, axis, this.#room) / fitted(slices, 0, slices.#room);
  }

  /** The smallest of the viewports on the same planes, so that all show the image at the same zoom. */
  get #room(): [number, number] {
    const sizes = this.peers()
      .filter(({ pane }) => pane.axis === this.pane.axis)
      .map((peer) => peer.#size)
      .filter(([width]) => width > 0);
    return [Math.min(...sizes.map(([width]) => width)), Math.min(...sizes.map(([, height]) => height))];
  }

  /** The plane that is seen. */
  get cut(): Cut {
    return this.reading.cut(this.pane.axis);
  }

  /** Draws what has changed, at the next frame. */
  refresh(): void {
    this.#frame ||= requestAnimationFrame(() => {
      this.#frame = 0;
      this.#draw();
    });
  }

  /** The pixels of both canvases as they are now, RGBA, top row first; the heat is premultiplied. */
  readPixels(): {
    width: number;
    height: number;
    placement: Placement;
    image: Uint8Array;
    heat: Uint8Array;
  } | null {
    const { placement } = this;
    if (!placement || !this.#imageLayer) return null;
    const heat = this.#heatLayer?.read(placement, this.cut, this.#look()) ?? new Uint8Array();
    const image = this.#imageLayer.read(placement);
    return { width: placement.width, height: placement.height, placement, image, heat };
  }

  /** Image and map as they are seen, on one canvas: WebGL keeps nothing once a frame is shown. */
  pixels(): HTMLCanvasElement | null {
    if (!this.placement) return null;
    this.#drawn = { image: "", heat: "" };
    this.#draw();
    const [width, height] = this.#size;
    const canvas = element("canvas", { attributes: { width, height } });
    const pen = canvas.getContext("2d") as CanvasRenderingContext2D;
    pen.drawImage(this.#imageCanvas, 0, 0);
    if (this.#heatCanvas.hidden) return canvas;
    const { layout, swipe } = this.reading.view;
    const from = layout === "swipe" ? (width * swipe) / 100 : 0;
    pen.globalAlpha = Number(this.#heatCanvas.style.opacity);
    pen.drawImage(this.#heatCanvas, from, 0, width - from, height, from, 0, width - from, height);
    return canvas;
  }

  /** The lines over the image. */
  get vectors(): SVGSVGElement {
    return this.#vectors.svg;
  }

  /** What is written in the corners, but for what is under the cursor. */
  get corners(): HTMLElement[] {
    return [this.#title, this.#window];
  }

  // ---- drawing ----

  #draw(): void {
    const { placement } = this;
    if (placement) {
      this.#drawImage(placement);
      this.#drawHeat(placement);
      const { reading, withMap, density } = this;
      this.#vectors.draw({ reading, cut: this.cut, placement, withMap, density });
    }
    this.#write();
  }

  #drawImage(placement: Placement): void {
    const { reading } = this;
    const plane = reading.image?.pixels.plane(this.cut);
    if (!plane) return;
    const table = plane.colour ? null : reading.table(plane.low, plane.high);
    const tone = [voiKey(reading.voi), reading.view.inverted];
    const wanted = JSON.stringify([reading.image?.row.key, this.cut, placement, tone]);
    if (wanted === this.#drawn.image && plane === this.#plane) return;
    this.#imageLayer ??= new ImageLayer(this.#imageCanvas);
    this.#imageLayer.load(plane);
    if (table) this.#imageLayer.tone(table);
    this.#imageLayer.draw(placement);
    this.#drawn.image = wanted;
    this.#plane = plane;
  }

  #drawHeat(placement: Placement): void {
    const { reading, withMap } = this;
    const { opacity } = reading.view;
    const shown = withMap && reading.mapShown;
    this.#heatCanvas.hidden = !shown;
    this.#heatCanvas.style.opacity = String(opacity / 100);
    const map = shown ? reading.shown : null;
    // Never the heat of one slice over the image of another.
    if (!reading.image?.pixels.plane(this.cut)) return;
    const geometry = reading.explanation?.record.saliency_map.geometry;
    if (!map || !geometry || reading.explanationError) return;
    const look = this.#look();
    const what = [reading.explanation?.row.key, reading.view.finding, map.difference && reading.view.other];
    const wanted = JSON.stringify([what, this.cut, placement, look]);
    if (wanted === this.#drawn.heat) return;
    try {
      this.#heatLayer ??= new HeatLayer(this.#heatCanvas);
    } catch (error) {
      reading.cannotDraw(error);
      return;
    }
    this.#heatLayer.load(map.values, geometry);
    this.#heatLayer.draw(placement, this.cut, look);
    this.#drawn.heat = wanted;
  }

  #look(): HeatLook {
    const { reading, pane } = this;
    const { shown, view } = reading;
    const reach: [number, number, number] = [0, 0, 0];
    if (slabShown(reading)) reach[pane.axis] = halfSlab(reading, pane.axis);
    const { colourMap = view.colourMap, scale = 1 } = shown ?? {};
    return { cells: view.cells, colourMap, scale, reach };
  }

  #resize(entry: ResizeObserverEntry): void {
    const [exact] = entry.devicePixelContentBoxSize ?? [];
    const { width, height } = entry.contentRect;
    this.#size = [
      exact?.inlineSize ?? Math.round(width * this.density),
      exact?.blockSize ?? Math.round(height * this.density),
    ];
    for (const canvas of [this.#imageCanvas, this.#heatCanvas]) [canvas.width, canvas.height] = this.#size;
    this.#drawn = { image: "", heat: "" };
    // In the same frame: a resized canvas is blank. The others may have to fit anew.
    for (const peer of this.peers()) peer.#draw();
  }

  /** Draws again when the graphics card was taken away and came back. */
  #survive(): void {
    const { signal } = this.#abort;
    const canvas = this.#heatCanvas;
    canvas.addEventListener("webglcontextlost", (event) => event.preventDefault(), { signal });
    canvas.addEventListener(
      "webglcontextrestored",
      () => {
        this.#heatLayer = null;
        this.#drawn = { image: "", heat: "" };
        this.refresh();
      },
      { signal },
    );
  }

  // ---- words ----

  #write(): void {
    const title = titleText(this.reading, this.pane);
    write(this.#title, title);
    this.setAttribute("aria-label", texts.viewport.label(title));
    write(this.#window, cornerText(this.reading, this.cut, this.placement, this.withMap));
    write(this.#words, this.withMap ? mapWords(this.reading) : "");
    this.#writeProbe();
  }

  #point(event: PointerEvent | null): void {
    const box = this.getBoundingClientRect();
    this.#cursor = event && [
      (event.clientX - box.left) * this.density,
      (event.clientY - box.top) * this.density,
    ];
    this.#writeProbe();
  }

  #writeProbe(): void {
    const { placement, reading } = this;
    const found = placement && this.#cursor && probe(reading, this.cut, toImage(placement, ...this.#cursor));
    write(this.#probe, found ? probeText(found, reading, this.cut, this.withMap) : "");
  }
}

function voiKey(voi: Voi | null): unknown {
  return voi && "window" in voi
    ? [voi.window.center, voi.window.width, voi.window.function]
    : voi?.lut.explanation;
}

customElements.define("cl-viewport", Viewport);
