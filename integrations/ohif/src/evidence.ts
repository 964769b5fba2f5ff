/**
 * What is known of the images on the screen, and how their evidence is looked at; viewports and panel watch.
 *
 * One choice for all viewports: the finding goes by its name, so that two images show the same finding.
 */

import { DEFAULT_COLOUR_MAP } from "../../../viewer/src/colour";
import type { Explanation, ExplanationRow } from "../../../viewer/src/types";
import type { ShownInstance } from "./ohif";
import { type Found, type FoundImage, NotReached, type Station } from "./station";

/** How long until the station is asked again for what it has not explained yet. */
const LOOK_AGAIN_MS = 5000;

/** The map is off until somebody asks for it. */
export interface View {
  map: boolean;
  finding: string | null;
  /** 0 to 1, linear. */
  opacity: number;
  cells: boolean;
  /** Model and method that were chosen, or null: the first that has explained the image. */
  by: string | null;
}

export interface Shown {
  row: ExplanationRow;
  record: Explanation;
  values: Float32Array;
}

/** What was asked of one series, and what came. */
interface Sought {
  study: string;
  series: string;
  instances: ReadonlySet<string>;
  found: Found | null;
  error: unknown;
}

/** What can be said of an instance now. */
export type Known =
  | { state: "loading" | "unknown" | "no explanation" }
  | { state: "waiting" | "refused"; reason: string | null }
  | { state: "failed"; error: unknown }
  | { state: "explained"; image: FoundImage; slice: number | null; shown: Shown };

export const COLOUR_MAP = DEFAULT_COLOUR_MAP;

export class Evidence extends EventTarget {
  view: View = { map: false, finding: null, opacity: 0.6, cells: false, by: null };

  readonly #series = new Map<string, Sought>();
  readonly #explanations = new Map<string, { shown: Shown | null; error: unknown }>();
  readonly #cuts = new WeakMap<Float32Array, Map<number, Float32Array>>();
  #again: ReturnType<typeof setTimeout> | undefined;

  constructor(readonly station: Station) {
    super();
  }

  /** Looks at the evidence differently. */
  change(patch: Partial<View>): void {
    this.view = { ...this.view, ...patch };
    this.#tell();
  }

  toggle(): void {
    this.change({ map: !this.view.map });
  }

  /** Asks again for everything that is not there. */
  retry(): void {
    this.#series.clear();
    for (const [key, { shown }] of this.#explanations) if (!shown) this.#explanations.delete(key);
    this.#tell();
  }

  /** What is known of an instance; what is not is asked for, and told when it comes. */
  of(instance: ShownInstance, series: () => readonly string[]): Known {
    const asked = this.#sought(instance, series);
    if (asked.error) return { state: "failed", error: asked.error };
    if (!asked.found) return { state: "loading" };
    const image = imageOf(asked.found, instance);
    if (!image) return other(asked.found, instance);
    const row = this.chosen(image);
    if (!row) return { state: "no explanation" };
    if (row.state !== "explained") return { state: row.state, reason: row.reason };
    const { shown, error } = this.#explained(row);
    if (error) return { state: "failed", error };
    if (!shown) return { state: "loading" };
    return { state: "explained", image, slice: sliceOf(image, instance), shown };
  }

  /** The explanation to show of an image: the chosen model and method, else the first that is there. */
  chosen(image: FoundImage): ExplanationRow | undefined {
    const rows = image.explanations;
    const same = rows.find((row) => nameOf(row) === this.view.by);
    return same ?? rows.find((row) => row.state === "explained") ?? rows[0];
  }

  /** The chosen finding's values on the native grid and their scale; null where there is no such map. */
  map({ record, values }: Shown): { values: Float32Array; scale: number; index: number } | null {
    const { findings, geometry } = record.saliency_map;
    const index = findings.indexOf(this.view.finding ?? "");
    if (index < 0) return null;
    const size = geometry.native_shape.reduce((product, axis) => product * axis, 1);
    const cut = this.#cuts.get(values) ?? new Map<number, Float32Array>();
    this.#cuts.set(values, cut);
    const own = cut.get(index) ?? values.subarray(index * size, (index + 1) * size);
    cut.set(index, own); // the same array each time: it is on the graphics card then
    return { values: own, scale: record.scales[index] ?? 1, index };
  }

  #sought(instance: ShownInstance, series: () => readonly string[]): Sought {
    const known = this.#series.get(instance.series);
    if (known?.instances.has(instance.instance)) return known;
    const instances = new Set([...series(), instance.instance]);
    const sought: Sought = {
      study: instance.study,
      series: instance.series,
      instances,
      found: null,
      error: null,
    };
    this.#series.set(instance.series, sought);
    this.#ask(sought);
    return sought;
  }

  async #ask(sought: Sought): Promise<void> {
    try {
      sought.found = await this.station.find(sought.study, sought.series, [...sought.instances]);
      sought.error = null;
    } catch (error) {
      sought.error = error;
    }
    if (unfinished(sought)) this.#lookAgain();
    this.#tell();
  }

  /** Asks again, in a while, for all that has not come: also after a station was away. */
  #lookAgain(): void {
    if (this.#again !== undefined) return;
    this.#again = setTimeout(() => {
      this.#again = undefined;
      for (const sought of this.#series.values()) if (unfinished(sought)) this.#ask(sought);
    }, LOOK_AGAIN_MS);
  }

  #explained(row: ExplanationRow): { shown: Shown | null; error: unknown } {
    const known = this.#explanations.get(row.key);
    if (known) return known;
    const entry = { shown: null as Shown | null, error: null as unknown };
    this.#explanations.set(row.key, entry);
    this.#fetch(row, entry);
    return entry;
  }

  async #fetch(row: ExplanationRow, entry: { shown: Shown | null; error: unknown }): Promise<void> {
    try {
      const [record, values] = await Promise.all([
        this.station.explanation(row.key),
        this.station.values(row.key),
      ]);
      const { findings, geometry } = record.saliency_map;
      const expected = geometry.native_shape.reduce((product, axis) => product * axis, findings.length);
      if (values.length !== expected)
        throw new Error(`The station sent ${values.length} evidence values where the map has ${expected}.`);
      entry.shown = { row, record, values };
    } catch (error) {
      entry.error = error;
    }
    this.#tell();
  }

  #tell(): void {
    this.dispatchEvent(new Event("change"));
  }
}

/** Model, version and method: what stays the same from image to image. */
export const nameOf = (row: ExplanationRow): string => `${row.model}@${row.model_version} ${row.method}`;

/** The image that an instance and its frame belong to: a film, a frame, or the volume that has it as a slice. */
function imageOf(found: Found, { instance, frame }: ShownInstance): FoundImage | undefined {
  const of = found.images.filter((image) => image.instances.some((one) => one.sop_instance_uid === instance));
  return of.find((image) => image.frame_number === frame) ?? of.find((image) => image.frame_number === null);
}

const sliceOf = (image: FoundImage, { instance }: ShownInstance): number | null =>
  image.instances.find((one) => one.sop_instance_uid === instance)?.slice ?? null;

function other(found: Found, { instance }: ShownInstance): Known {
  const told = found.others.find((one) => one.sop_instance_uid === instance);
  return told ? { state: told.state, reason: told.reason } : { state: "unknown" };
}

function unfinished({ found, error }: Sought): boolean {
  if (error) return error instanceof NotReached;
  const rows = found?.images.flatMap(({ explanations }) => explanations) ?? [];
  return [...rows, ...(found?.others ?? [])].some(({ state }) => state === "waiting");
}
