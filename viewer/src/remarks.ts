/** What readers say of an explanation: flags on its maps, and whether they agree with its findings. */

import type { Place } from "./marks";
import type { Axis } from "./plane";
import type { Reading } from "./reading";
import { seenIn } from "./seen";
import type { texts } from "./texts";
import { type View, viewOf } from "./view";

export type Reason = keyof typeof texts.flag.reasons;
export type Stance = "agree" | "disagree" | "withdrawn";

/** A closed outline on one plane of the image. */
export interface Outline {
  axis: Axis;
  at: number;
  places: readonly Place[];
}

export interface NewFlag {
  finding: string;
  reason: Reason;
  text: string;
  /** What the reader looked at; nothing of a patient. */
  view: Record<string, string | number | boolean | null>;
  region: Outline | null;
}

export interface Flag extends NewFlag {
  who: string;
  created: string;
}

export interface Opinion {
  finding: string;
  stance: Stance;
  who: string;
  created: string;
  /** Whether it is that of whoever asks. */
  own: boolean;
}

/** Who keeps remarks, by the key of an explanation. */
export interface RemarkSource {
  flags(key: string, signal?: AbortSignal): Promise<Flag[]>;
  flag(key: string, flag: NewFlag): Promise<unknown>;
  opinions(key: string, signal?: AbortSignal): Promise<Opinion[]>;
  judge(key: string, finding: string, stance: Stance): Promise<unknown>;
}

/** The station takes regions of as many corners. */
const MOST_CORNERS = 200;

/** Whose view can be shown again. */
const VIEWER = "camlucida";

/** The remarks on what a reading shows; the reading dispatches "data" when there are others. */
export class Remarks {
  flags: Flag[] = [];
  opinions: Opinion[] = [];
  /** Whether the form for a flag is open. */
  flagging = false;
  #of = "";
  /** Answers may overtake each other: only the last question's counts. */
  #asked = 0;

  constructor(
    readonly reading: Reading,
    readonly source: RemarkSource,
  ) {
    reading.addEventListener("data", () => this.#load());
  }

  /** Opens or closes the form; a flag is on the map of a finding, so one is chosen. */
  toggleForm(open = !this.flagging): void {
    const { view, findingsByProbability } = this.reading;
    const finding = view.finding ?? findingsByProbability[0];
    if (open && finding === undefined) return;
    if (open && finding !== undefined) this.reading.change({ finding, map: true });
    this.flagging = open;
    this.reading.change({});
  }

  /** Keeps a flag on the map of the chosen finding. */
  async flag(reason: Reason, text: string, region: Outline | null): Promise<void> {
    const { explanation } = this.reading;
    const finding = this.reading.findingName;
    if (!explanation || finding === null) return;
    const seen = { viewer: VIEWER, ...seenIn(this.reading) };
    await this.source.flag(explanation.row.key, { finding, reason, text, view: seen, region });
    this.flagging = false;
    await this.#load(true);
  }

  /** Keeps the reader's opinion of a finding; the same again withdraws it. */
  async judge(finding: string, stance: Stance): Promise<void> {
    const { explanation } = this.reading;
    if (!explanation) return;
    const now = this.ownStance(finding) === stance ? "withdrawn" : stance;
    await this.source.judge(explanation.row.key, finding, now);
    await this.#load(true);
  }

  flagsOf = (finding: string | null): Flag[] => this.flags.filter((flag) => flag.finding === finding);

  ownStance(finding: string): Stance | null {
    return this.opinions.find((one) => one.own && one.finding === finding)?.stance ?? null;
  }

  count(finding: string, stance: Stance): number {
    return this.opinions.filter((one) => one.finding === finding && one.stance === stance).length;
  }

  async #load(again = false): Promise<void> {
    const key = this.reading.explanation?.row.key ?? "";
    if (key === this.#of && !again) return;
    if (key !== this.#of) {
      [this.flags, this.opinions, this.flagging, this.#of] = [[], [], false, key];
      this.#changed();
    }
    const asked = ++this.#asked;
    if (!key) return;
    // Maps are read without remarks, too; the banner tells of a lost connection.
    const [flags, opinions] = await Promise.all([
      this.source.flags(key).catch(() => this.flags),
      this.source.opinions(key).catch(() => this.opinions),
    ]);
    if (asked !== this.#asked) return;
    [this.flags, this.opinions] = [flags, opinions];
    this.#changed();
  }

  #changed(): void {
    this.reading.dispatchEvent(new Event("data"));
  }
}

/** The region that was drawn last: what a flag may point at. */
export function drawnRegion({ marks }: View): Outline | null {
  const last = marks.filter(({ kind }) => kind === "region").at(-1);
  if (!last) return null;
  const every = Math.ceil(last.places.length / MOST_CORNERS);
  const places = last.places
    .filter((_, i) => i % every === 0)
    .map(([row, column]) => [tenth(row), tenth(column)] as const);
  return { axis: last.axis, at: last.at, places };
}

const tenth = (value: number): number => Math.round(10 * value) / 10;

/** How the map was looked at when it was flagged; null where another viewer showed it. */
export function viewOfFlag({ view }: Flag): Partial<View> | null {
  if (view.viewer !== VIEWER) return null;
  const words = Object.entries(view).map(([name, value]) => [name, String(value)]);
  const { image: _, explanation: __, marks: ___, details: ____, ...seen } = viewOf(Object.fromEntries(words));
  return seen;
}
