/**
 * One study being read: what was fetched, and how it is looked at. Components watch it and draw.
 *
 * "data" is dispatched when something arrived or failed, "view" when something is looked at differently.
 */

import { Refused } from "./api";
import { type ColourMap, diverging } from "./colour";
import { Comparison } from "./comparison";
import { framesOf } from "./frames";
import { invert, type Matrix } from "./geometry";
import { checked, mapOf } from "./map-values";
import type { Mark, Place } from "./marks";
import { upright } from "./patient";
import { Pixels } from "./pixels";
import { type Camera, type Orientation, type Plane, UPRIGHT } from "./placement";
import { type Axis, type Cut, cutOf, planeOf, sizeOf } from "./plane";
import { cameraOf } from "./planes";
import { Remarks } from "./remarks";
import type { Source } from "./source";
import type { Explanation, ExplanationRow, ImageHeader, ImageRow, PastRow, Study } from "./types";
import { DEFAULT_VIEW, UNSEEN, type View } from "./view";
import {
  asWindow,
  type DisplayTable,
  displayTable,
  dragged,
  firstVoi,
  invertedTone,
  presets,
  type Voi,
} from "./window";

/** How long the page waits before it looks again for an explanation that is not there yet. */
const LOOK_AGAIN_MS = 3000;
/** The same while somebody has asked for one and sits there. */
const LOOK_AGAIN_SOON_MS = 1000;
/** Differences have two sides. */
const DIVERGING: ColourMap = "coolwarm";
const PREFETCHED_SLICES = 12;
const ARRIVALS_MS = 100;

export interface ShownImage {
  row: ImageRow;
  header: ImageHeader;
  pixels: Pixels;
}

export interface ShownExplanation {
  row: ExplanationRow;
  record: Explanation;
  values: Float32Array;
  /** From the pixel grid to the native grid. */
  pixelToNative: Matrix;
}

/** An image whose first slice is on its way: until that is here, there is nothing to show. */
interface Opening {
  row: ImageRow;
  pixels: Pixels | null;
}

/** What is drawn over the image for the chosen finding. */
export interface ShownMap {
  values: Float32Array;
  /** The value of full colour. */
  scale: number;
  colourMap: ColourMap;
  /** It is what the map has more or less than another one. */
  difference: boolean;
}

export class Reading extends EventTarget {
  image: ShownImage | null = null;
  explanation: ShownExplanation | null = null;
  imageError: unknown = null;
  explanationError: unknown = null;
  /** Space is held: the map is hidden for as long. */
  held = false;
  /** What a drag draws, instead of changing the window. */
  tool: Mark["kind"] | null = null;
  /** What is being drawn. */
  draft: Mark | null = null;
  /** Where the next end or corner is set by key; null until the arrows have moved it. */
  pen: Place | null = null;
  /** Null where nobody keeps any: in a notebook. */
  readonly remarks: Remarks | null;

  readonly #abort = new AbortController();
  readonly comparison = new Comparison(this, this.#abort.signal);
  readonly #maps = new Map<number, Float32Array>();
  #opening: Opening | null = null;
  #look: ReturnType<typeof setTimeout> | undefined;
  #tell: ReturnType<typeof setTimeout> | undefined;
  #tables: { voi: Voi; of: Map<string, DisplayTable> } | null = null;
  /** What was looked at when an explanation was chosen that is not there yet. */
  #pending: { finding: string; map: boolean } | null = null;

  /** Pictures and prints name the patient, because the reader asked for it. */
  named = false;

  constructor(
    public study: Study,
    public view: View,
    readonly source: Source,
  ) {
    super();
    this.remarks = source.remarks ? new Remarks(this, source.remarks) : null;
  }

  /** Fetches what the view asks for. */
  async open(): Promise<void> {
    this.#lookAgainWhileWaiting();
    await Promise.all([this.#openImage(), this.#openExplanation()]);
  }

  close(): void {
    this.#abort.abort();
    this.#leaveImage();
    clearTimeout(this.#look);
    clearTimeout(this.#tell);
  }

  /** Looks at something differently. */
  change(patch: Partial<View>): void {
    const { layout } = this.view;
    this.view = { ...this.view, ...patch };
    if (this.view.layout !== layout) this.prefetch();
    this.dispatchEvent(new Event("view"));
    this.comparison.follow();
  }

  hold(held: boolean): void {
    if (held === this.held) return;
    this.held = held;
    this.dispatchEvent(new Event("view"));
  }

  // ---- what is chosen ----

  get imageRow(): ImageRow | undefined {
    const { images } = this.study;
    return images.find((row) => row.key === this.view.image) ?? images[0];
  }

  /** The chosen explanation: the one asked for, else the first that is there, else the first. */
  get explanationRow(): ExplanationRow | undefined {
    const rows = this.imageRow?.explanations ?? [];
    const chosen = rows.find((row) => row.key === this.view.explanation) ?? this.pastRow;
    return chosen ?? rows.find((row) => row.state === "explained") ?? rows[0];
  }

  /** The chosen explanation, where it is by a model that is no longer current. */
  get pastRow(): PastRow | undefined {
    return this.imageRow?.past?.find((row) => row.key === this.view.explanation);
  }

  /** Asks the current model for another method, and goes to it; it is computed meanwhile. */
  async ask(model: string, method: string): Promise<void> {
    const { imageRow, source } = this;
    if (imageRow) this.#take(await source.ask?.(imageRow.key, model, method));
  }

  /** Asks once more for the chosen explanation, which has failed. */
  async again(): Promise<void> {
    const { explanationRow, source } = this;
    if (explanationRow) this.#take(await source.again?.(explanationRow.key));
  }

  /** Takes in what the station says of an explanation of this image, and goes to it. */
  #take(row: ExplanationRow | undefined): void {
    const image = this.imageRow;
    if (!row || !image) return;
    const rows = new Map([...image.explanations, row].map((one) => [one.key, one]));
    const images = this.study.images.map((one) =>
      one.key === image.key ? { ...one, explanations: [...rows.values()] } : one,
    );
    this.study = { ...this.study, images };
    this.#lookAgainWhileWaiting();
    this.#afresh(row.key, this.findingName);
  }

  async chooseImage(key: string): Promise<void> {
    if (key === this.imageRow?.key) return;
    const { model, method } = this.explanationRow ?? {};
    this.#leaveImage();
    // The next frame of the same object is looked at alike, and the last one stays until it is here.
    const frame = framesOf(this).some((row) => row.key === key);
    if (!frame) this.image = null;
    const { explanation, other, marks } = DEFAULT_VIEW;
    this.view = { ...this.view, ...(frame ? { explanation, other, marks } : UNSEEN), image: key };
    const same = this.imageRow?.explanations.find((row) => row.model === model && row.method === method);
    await this.#afresh(same?.key ?? null, this.findingName);
    this.dispatchEvent(new Event("data"));
  }

  async chooseExplanation(key: string): Promise<void> {
    if (key !== this.explanationRow?.key) await this.#afresh(key, this.findingName);
  }

  /** Chooses a finding and puts its map on. */
  chooseFinding(finding: number): void {
    this.change({ finding, map: true });
  }

  /** The map on or off; without a finding, the most probable one is taken. */
  toggleMap(): void {
    if (this.view.map || !this.explanation) this.change({ map: false });
    else this.change({ map: true, finding: this.view.finding ?? this.findingsByProbability[0] ?? null });
  }

  /** Names of the findings that the explanation has maps of. */
  get #findings(): string[] {
    return this.explanation?.record.saliency_map.findings ?? [];
  }

  /** Name of the chosen finding, or null. */
  get findingName(): string | null {
    return this.view.finding === null ? null : (this.#findings[this.view.finding] ?? null);
  }

  /** Fetches image and explanation for a changed choice; the finding stays, by its name. */
  async #afresh(explanation: string | null, finding: string | null): Promise<void> {
    this.explanation = null;
    this.#maps.clear();
    this.#pending = finding === null ? this.#pending : { finding, map: this.view.map };
    this.change({ explanation, other: null });
    this.dispatchEvent(new Event("data"));
    const here = this.imageHere || this.#opening?.row.key === this.imageRow?.key;
    await Promise.all([here ? null : this.#openImage(), this.#openExplanation()]);
    if (!this.explanation) this.change({ finding: null, map: false });
  }

  /** The finding that was looked at before, by its name. */
  #takeUpFinding(): void {
    if (!this.#pending) return;
    const index = this.#findings.indexOf(this.#pending.finding);
    const { map } = this.#pending;
    this.#pending = null;
    this.change(index >= 0 ? { finding: index, map } : { finding: null, map: false });
  }

  /** Indices into the map's findings, most probable first. */
  get findingsByProbability(): number[] {
    const record = this.explanation?.record;
    if (!record) return [];
    const { findings } = record.saliency_map;
    return findings
      .map((name, index) => ({ index, probability: this.#probability(record, name) }))
      .sort((a, b) => b.probability - a.probability)
      .map(({ index }) => index);
  }

  #probability(record: Explanation, name: string): number {
    const at = record.prediction.findings.findIndex((finding) => finding.name === name);
    return record.prediction.probabilities[at] ?? 0;
  }

  // ---- what is fetched ----

  async #openImage(): Promise<void> {
    const row = this.imageRow;
    if (!row) return;
    this.imageError = null;
    const opening: Opening = { row, pixels: null };
    this.#opening = opening;
    const left = (): boolean => this.#opening !== opening;
    try {
      const header = await this.source.imageHeader(row.key, this.#abort.signal);
      if (left()) return;
      const pixels = new Pixels(header, this.source);
      opening.pixels = pixels;
      await pixels.slice(cutOf(this.view, header.space, 0).at);
      if (left()) return;
      this.image = { row, header, pixels };
    } catch (error) {
      if (left()) return;
      this.imageError = this.#passing(error);
    }
    this.#opening = null;
    this.dispatchEvent(new Event("data"));
    this.prefetch();
  }

  /** What is still on its way of an image that is left is not waited for. */
  #leaveImage(): void {
    for (const left of [this.image, this.#opening]) left?.pixels?.close();
    this.#opening = null;
  }

  async #openExplanation(): Promise<void> {
    const row = this.explanationRow;
    this.explanationError = null;
    if (row?.state !== "explained") return;
    try {
      const { signal } = this.#abort;
      const [record, values] = await Promise.all([
        this.source.explanation(row.key, signal),
        this.source.values(row.key, signal),
      ]);
      if (row.key !== this.explanationRow?.key) return;
      this.explanation = { row, record, values: checked(record, values), pixelToNative: inverse(record) };
      this.#takeUpFinding();
      this.comparison.follow();
    } catch (error) {
      if (error instanceof Refused && error.status === 409) {
        row.state = "waiting"; // what was kept is damaged, and computed again
        this.#lookAgainWhileWaiting();
      } else if (row.key === this.explanationRow?.key) this.explanationError = this.#passing(error);
    }
    this.dispatchEvent(new Event("data"));
  }

  /** An error to show; none where the study was left meanwhile. */
  #passing(error: unknown): unknown {
    return this.#abort.signal.aborted ? null : error;
  }

  /** The map has come and cannot be drawn; the image can. */
  cannotDraw(error: unknown): void {
    this.explanationError = error;
    this.dispatchEvent(new Event("data"));
  }

  /** Fetches again what failed. */
  async retry(): Promise<void> {
    this.comparison.retry();
    await Promise.all([
      this.imageError ? this.#openImage() : null,
      this.explanationError ? this.#openExplanation() : null,
    ]);
    this.prefetch();
  }

  #lookAgainWhileWaiting(): void {
    clearTimeout(this.#look);
    if (!this.study.images.some((image) => image.explanations.some((row) => row.state === "waiting"))) return;
    this.#look = setTimeout(
      async () => {
        const before = this.explanationRow;
        // A lost connection is told by the banner; the next look comes either way.
        this.study = await this.source.study(this.study.key, this.#abort.signal).catch(() => this.study);
        if (this.#abort.signal.aborted) return;
        if (before?.state !== this.explanationRow?.state || before?.key !== this.explanationRow?.key)
          await this.#openExplanation();
        this.dispatchEvent(new Event("data"));
        this.#lookAgainWhileWaiting();
      },
      this.explanationRow?.state === "waiting" ? LOOK_AGAIN_SOON_MS : LOOK_AGAIN_MS,
    );
  }

  // ---- slices ----

  get slices(): number {
    return this.image?.pixels.slices ?? 1;
  }

  get slice(): number {
    return this.cut(0).at;
  }

  get row(): number {
    return this.cut(1).at;
  }

  get column(): number {
    return this.cut(2).at;
  }

  // ---- planes ----

  /** The plane perpendicular to an axis that is looked at: where the three meet, or the slice. */
  cut(axis: Axis): Cut {
    return cutOf(this.view, this.image?.header.space, axis);
  }

  /** How many planes there are along an axis. */
  size(axis: Axis): number {
    return sizeOf(this.image?.header.space, axis);
  }

  /** Size and pixel proportion of the planes perpendicular to an axis. */
  plane(axis: Axis): Plane {
    const { space = [1, 1], spacing = null } = this.image?.header ?? {};
    return planeOf(space, spacing, axis);
  }

  /** How such a plane is turned on the screen: the slices as they came, the others as readers expect them. */
  orientation(axis: Axis): Orientation {
    const { turns, mirrored } = this.view;
    if (axis === 0) return { turns, mirrored };
    const toPatient = this.image?.header.pixel_to_patient;
    return toPatient ? upright(toPatient, axis) : UPRIGHT;
  }

  /** What of such a plane is seen. */
  camera(axis: Axis): Camera {
    return cameraOf(this.view, this.slice, axis);
  }

  async toSlice(slice: number): Promise<void> {
    const to = Math.min(this.slices - 1, Math.max(0, slice));
    if (to === this.slice) return;
    this.change({ slice: to });
    const { image } = this;
    let failure: unknown = null;
    try {
      await image?.pixels.slice(to);
    } catch (error) {
      failure = this.#passing(error);
    }
    // What becomes of a slice that was left meanwhile is not told of the one that is looked at.
    if (image === this.image && to === this.slice) this.imageError = failure;
    this.dispatchEvent(new Event("data"));
    this.prefetch();
  }

  prefetch(): void {
    const { pixels } = this.image ?? {};
    const acrossSlices = (): boolean => this.view.layout === "planes" && pixels === this.image?.pixels;
    const coming = acrossSlices()
      ? pixels?.all(
          () => (acrossSlices() ? this.slice : null),
          () => this.#tellSoon(),
        )
      : pixels?.prefetch(this.slice, PREFETCHED_SLICES);
    // What fails here is fetched again, and told, when it is asked for.
    coming?.catch(() => undefined);
  }

  /** Of many slices that arrive, not every one is told. */
  #tellSoon(): void {
    this.#tell ??= setTimeout(() => {
      this.#tell = undefined;
      this.dispatchEvent(new Event("data"));
    }, ARRIVALS_MS);
  }

  // ---- window ----

  get presets(): Voi[] {
    return this.image ? presets(this.image.header, this.image.row.modality) : [];
  }

  get voi(): Voi | null {
    if (!this.image) return null;
    const { window } = this.view;
    if (window === null) return firstVoi(this.image.header);
    if (typeof window !== "number") return { window };
    return this.presets[window] ?? firstVoi(this.image.header);
  }

  /** The table from stored value to grey for a range of values; the same for as long as the window is. */
  table(low: number, high: number): DisplayTable | null {
    const { voi, image } = this;
    if (!voi || !image) return null;
    const { inverted } = this.view;
    if (!this.#tables || !same(this.#tables.voi, voi)) this.#tables = { voi, of: new Map() };
    const key = `${image.row.key} ${low} ${high} ${inverted}`;
    const tone = inverted ? invertedTone(image.header) : image.header;
    const table = this.#tables.of.get(key) ?? displayTable(tone, voi, low, high);
    this.#tables.of.set(key, table);
    return table;
  }

  dragWindow(dx: number, dy: number): void {
    if (this.voi && !this.image?.header.colour) this.change({ window: dragged(asWindow(this.voi), dx, dy) });
  }

  nextPreset(): void {
    const { window } = this.view;
    const next = window === null ? 1 : typeof window === "number" ? window + 1 : 0;
    this.change({ window: next % Math.max(1, this.presets.length) });
  }

  // ---- the map ----

  /** One finding's values on the native grid; the same array each time. */
  map(finding: number): Float32Array | null {
    if (!this.explanation) return null;
    let map = this.#maps.get(finding);
    if (!map) {
      map = mapOf(this.explanation.record, this.explanation.values, finding);
      this.#maps.set(finding, map);
    }
    return map;
  }

  /**
   * Evidence at full colour: the model's fixed scale, or the map's own where values have no unit or it was
   * asked for.
   */
  scale(finding: number): number {
    const fixed = this.explanation?.record.scales[finding] ?? 1;
    const map = this.view.ownScale ? this.map(finding) : null;
    return (map && largest(map, diverging(this.view.colourMap))) || fixed;
  }

  /** What is drawn of the chosen finding: its evidence, or what it has more or less than another map. */
  get shown(): ShownMap | null {
    const { finding, colourMap, ownScale } = this.view;
    const map = finding === null ? null : this.map(finding);
    if (finding === null || !map) return null;
    const values = this.comparison.difference;
    if (!values) return { values: map, scale: this.scale(finding), colourMap, difference: false };
    const fixed = this.explanation?.record.scales[finding] ?? 1;
    const scale = (ownScale && largest(values, true)) || fixed;
    return { values, scale, colourMap: DIVERGING, difference: true };
  }

  /** Whether what is seen is the chosen image: of frames, the last one stays until the next is here. */
  get imageHere(): boolean {
    return this.image?.row.key === this.imageRow?.key;
  }

  /** Whether a map is to be drawn now; never over another frame than its own. */
  get mapShown(): boolean {
    const { finding, map } = this.view;
    return map && !this.held && this.imageHere && finding !== null && this.explanation !== null;
  }
}

/** The same choice: the presets are made anew each time, so windows are compared by what they say. */
function same(a: Voi, b: Voi): boolean {
  if ("lut" in a || "lut" in b) return "lut" in a && "lut" in b && a.lut === b.lut;
  const [one, other] = [a.window, b.window];
  return one.center === other.center && one.width === other.width && one.function === other.function;
}

/** The largest evidence for, or of both kinds. */
const largest = (map: Float32Array, both: boolean): number =>
  map.reduce((most, value) => Math.max(most, both ? Math.abs(value) : value), 0);

const inverse = (record: Explanation): Matrix => invert(record.saliency_map.geometry.native_to_pixel);
