/** What a map is held against: the prior study's map, or another method's map of the same image. */

import { type Agreement, agreement } from "./agreement";
import { difference, type Hindrance, hindranceOf, sameFinding } from "./difference";
import { checked, mapOf } from "./map-values";
import { OPPOSING, SIGNLESS } from "./methods";
import type { Reading } from "./reading";
import type { Explanation, ExplanationRow, Prior } from "./types";

/** How long until it is looked again whether a prior has been explained meanwhile. */
const LOOK_AGAIN_MS = 2000;

export interface Other {
  key: string;
  record: Explanation;
  values: Float32Array;
}

export class Comparison {
  other: Other | null = null;
  error: unknown = null;
  /** The patient's earlier maps that the shown one can be held against; null: not known yet. */
  priors: readonly Prior[] | null = null;
  /** Why they are not known: not that there are none. */
  priorsError: unknown = null;
  #priorsOf = "";
  #opened: string | null = null;
  #kept: { of: unknown[]; difference: Float32Array | null; agreement: Agreement | null } | null = null;
  #look: ReturnType<typeof setTimeout> | undefined;

  constructor(
    readonly reading: Reading,
    readonly signal: AbortSignal,
  ) {
    signal.addEventListener("abort", () => clearTimeout(this.#look));
  }

  /** Fetches what the view asks for; chooses what it is held against where nothing is chosen. */
  follow(): void {
    const { view, explanationRow: own } = this.reading;
    if (!own) return;
    const chosen = view.other === own.key ? null : view.other;
    const fitting = view.disagreement && !this.#onThisImage(chosen) ? (this.methods[0]?.key ?? null) : chosen;
    if (fitting !== view.other) {
      this.reading.change({ other: fitting, ...(view.disagreement ? { difference: false } : {}) });
      return;
    }
    const prior = view.difference && !fitting ? this.#bestPrior() : null;
    if (prior) this.reading.change({ other: prior });
    else this.#open(fitting);
  }

  /** Other methods by which the same model has explained this image. */
  get methods(): ExplanationRow[] {
    const { explanationRow: own, imageRow } = this.reading;
    const rows = [...(imageRow?.explanations ?? []), ...(imageRow?.past ?? [])];
    return rows.filter(
      (row) =>
        row.key !== own?.key &&
        row.state === "explained" &&
        row.model === own?.model &&
        row.model_version === own.model_version,
    );
  }

  /** The prior that is chosen, or null: another method is, or nothing. */
  get prior(): Prior | null {
    return (
      this.priors?.find(({ explanation }) => explanation && explanation === this.reading.view.other) ?? null
    );
  }

  #onThisImage(key: string | null): boolean {
    return key !== null && this.methods.some((row) => row.key === key);
  }

  /** Looks for the priors of the shown explanation, once. */
  async findPriors(): Promise<void> {
    const { explanationRow: own, source } = this.reading;
    if (!own || own.state !== "explained" || own.key === this.#priorsOf) return;
    this.#priorsOf = own.key;
    [this.priors, this.priorsError] = [null, null];
    const [found, error] = await (source.priors?.(own.key, this.signal) ?? Promise.resolve([])).then(
      (priors) => [priors, null] as const,
      (error: unknown) => [null, error] as const,
    );
    if (this.#priorsOf !== own.key || this.signal.aborted) return;
    [this.priors, this.priorsError] = [found, error];
    this.reading.dispatchEvent(new Event("data"));
    this.follow();
  }

  /** Wants a prior's map by this model and method, and looks until it is there. */
  async explainPrior(prior: Prior): Promise<void> {
    const { explanationRow: own, source } = this.reading;
    if (!own) return;
    await source.ask?.(prior.image, own.model, own.method).catch((error: unknown) => {
      this.error = error;
    });
    this.#lookAgain();
  }

  #lookAgain(): void {
    clearTimeout(this.#look);
    this.#look = setTimeout(async () => {
      this.#priorsOf = "";
      await this.findPriors();
      if (this.priorsError || this.priors?.some(({ hindrance }) => hindrance === "not explained"))
        this.#lookAgain();
    }, LOOK_AGAIN_MS);
  }

  /** The latest prior's map that can be compared, as soon as it is known. */
  #bestPrior(): string | null {
    this.findPriors();
    return this.priors?.find(({ hindrance }) => hindrance === null)?.explanation ?? null;
  }

  async #open(key: string | null): Promise<void> {
    if (key === this.#opened) return;
    this.#opened = key;
    [this.other, this.error] = [null, null];
    if (key === null) return;
    // Its date and its view are said with it.
    if (!this.#onThisImage(key)) this.findPriors();
    const { source } = this.reading;
    try {
      const [record, values] = await Promise.all([
        source.explanation(key, this.signal),
        source.values(key, this.signal),
      ]);
      if (key !== this.#opened) return;
      this.other = { key, record, values: checked(record, values) };
    } catch (error) {
      if (key === this.#opened && !this.signal.aborted) this.error = error;
    }
    this.reading.dispatchEvent(new Event("data"));
  }

  /** Fetches again what failed. */
  retry(): void {
    if (this.priorsError) {
      this.#priorsOf = "";
      this.findPriors();
    }
    if (!this.error) return;
    this.#opened = null;
    this.#open(this.reading.view.other);
  }

  /** Why the chosen finding's maps cannot be subtracted; null: nothing hinders, or nothing is chosen. */
  get hindrance(): Hindrance | null {
    const { explanation, view } = this.reading;
    if (!explanation || !this.other || view.finding === null) return null;
    const sameImage = this.#onThisImage(this.other.key);
    return hindranceOf(explanation.record, this.other.record, view.finding, sameImage);
  }

  /** Evidence of this map less that of the other, while it is asked for and can be had. */
  get difference(): Float32Array | null {
    return this.reading.view.difference ? this.#worked().difference : null;
  }

  /** Where both methods' signs differ, while it is asked for and both have signs. */
  get agreement(): Agreement | null {
    return this.reading.view.disagreement ? this.#worked().agreement : null;
  }

  /** Which of both methods gives no sign to compare; null: both do. */
  get signless(): string | null {
    const methods = [this.reading.explanation?.record, this.other?.record].map(
      (one) => one?.provenance.method,
    );
    return methods.find((method) => method && SIGNLESS.includes(method)) ?? null;
  }

  #worked(): { difference: Float32Array | null; agreement: Agreement | null } {
    const { explanation, view } = this.reading;
    const of = [explanation, this.other, view.finding, view.difference, view.disagreement];
    if (!this.#kept || of.some((one, i) => one !== this.#kept?.of[i]))
      this.#kept = { of, difference: this.#subtract(), agreement: this.#compareSigns() };
    return this.#kept;
  }

  #subtract(): Float32Array | null {
    const { explanation, view } = this.reading;
    const maps = this.#maps();
    if (!explanation || !this.other || !maps || !view.difference || this.hindrance) return null;
    return difference([explanation.record, maps[0]], [this.other.record, maps[1]]);
  }

  #compareSigns(): Agreement | null {
    const { explanation, view } = this.reading;
    const maps = this.#maps();
    if (!explanation || !this.other || !maps || !view.disagreement || this.signless) return null;
    const [one, other] = [explanation.record, this.other.record].map(({ saliency_map, provenance }, i) => ({
      values: maps[i] as Float32Array,
      geometry: saliency_map.geometry,
      opposing: OPPOSING.includes(provenance.method),
    }));
    return one && other ? agreement(one, other) : null;
  }

  /** The chosen finding's values here and there. */
  #maps(): [Float32Array, Float32Array] | null {
    const { explanation, view } = this.reading;
    const own = view.finding === null ? null : this.reading.map(view.finding);
    if (!explanation || !this.other || !own || view.finding === null) return null;
    const same = sameFinding(explanation.record, this.other.record, view.finding);
    return same < 0 ? null : [own, mapOf(this.other.record, this.other.values, same)];
  }
}

/** The difference to the prior's map on (the map with it), or off. */
export function toggleDifference(reading: Reading): void {
  const { difference, finding } = reading.view;
  if (difference) {
    reading.change({ difference: false });
    return;
  }
  reading.comparison.retry();
  reading.change({ ...shownWith(reading, finding), difference: true, disagreement: false });
}

/** The hatching where another method has another sign, on or off. */
export function toggleDisagreement(reading: Reading): void {
  const { disagreement, finding } = reading.view;
  if (disagreement) reading.change({ disagreement: false });
  else reading.change({ ...shownWith(reading, finding), disagreement: true, difference: false });
}

const shownWith = (reading: Reading, finding: number | null): { map: boolean; finding: number | null } => ({
  map: reading.explanation !== null,
  finding: finding ?? reading.findingsByProbability[0] ?? null,
});
