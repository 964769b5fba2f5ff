/** The flags of all studies: asked for, counted, resolved. */

import { json, post } from "./api";
import type { Flag, Reason } from "./remarks";

export const OUTCOMES = ["confirmed", "not a fault", "repaired", "duplicate"] as const;
export type Outcome = (typeof OUTCOMES)[number];
export const STATES = ["open", ...OUTCOMES] as const;
export type FlagState = (typeof STATES)[number];

export interface Resolution {
  outcome: Outcome;
  reason: string;
  repaired_by: string | null;
  duplicate_of: number | null;
}

export interface QueuedFlag extends Flag {
  number: number;
  state: FlagState;
  study: string;
  image: string;
  explanation: string;
  model: string;
  /** Whether its model is the one in use. */
  current: boolean;
  method: string;
  /** The explanation has another map by now. */
  made_anew: boolean;
  resolution: (Resolution & { who: string; created: string }) | null;
}

export interface FlagCount {
  model: string;
  version: string;
  finding: string;
  reason: Reason;
  state: FlagState;
  number: number;
}

export interface FlagPage {
  total: number;
  more: boolean;
  flags: QueuedFlag[];
}

/** What is wanted, as words of an address: state, model, finding, reason. */
export const flagPage = (query: string, before?: number): Promise<FlagPage> => {
  const sought = new URLSearchParams(query);
  if (before !== undefined) sought.set("before", String(before));
  return json(`/api/flags?${sought}`);
};

export const flagCounts = async (): Promise<FlagCount[]> =>
  (await json<{ counts: FlagCount[] }>("/api/flags/counts")).counts;

export const resolveFlag = (number: number, resolution: Resolution): Promise<unknown> =>
  post(`/api/flags/${number}/resolutions`, resolution);

export const flagPicture = (number: number): string => `/api/flags/${number}/picture`;
