/** What the pages of many studies ask the station: models, jobs. */

import { json, post } from "./api";

export interface ModelFinding {
  name: string;
  operating_point: number | null;
  code: string;
  meaning: string;
}

export interface ModelCard {
  intended_use: string;
  limits: string;
  licence: string;
  attribution: string;
  architecture: string;
  modality: string[];
  phantoms: string;
  size: number[];
  channels: number;
  fit: string;
  intensity: string;
  output: string;
  task: string;
  findings: ModelFinding[];
}

/** How many explanations by one method are in one state. */
export interface ModelWork {
  method: string;
  state: string;
  number: number;
}

interface KnownModel {
  key: string;
  name: string;
  version: string;
  digest: string;
  current: boolean;
  work: ModelWork[];
}

/** A model that is no longer registered, of which there are maps still. */
export interface GoneModel extends KnownModel {
  card: null;
}

export interface RegisteredModel extends KnownModel {
  card: ModelCard;
  title: string;
  files: Record<string, string>;
  parameters: number;
  target_layer: string;
  layer_named: boolean;
  native_grid: number[];
  head: "linear" | "nonlinear" | "unproven";
  proof: string;
  cautions: string[];
  registered: string;
  checked: string | null;
  retired: string | null;
  library_version: string;
  torch_version: string;
}

export type Model = RegisteredModel | GoneModel;

export const models = async (): Promise<Model[]> => (await json<{ models: Model[] }>("/api/models")).models;

/** Things that ended for the same reason. */
export interface Reason {
  of: string;
  reason: string;
  number: number;
  latest: string | null;
}

export interface Failure {
  key: string;
  study: string;
  image: string;
  model: string;
  /** Another one is asked nothing more: trying again would wait for ever. */
  current: boolean;
  method: string;
  reason: string;
  finished: string | null;
}

export interface Waiting {
  model: string;
  version: string;
  current: boolean;
  method: string;
  number: number;
  since: string;
}

/** What somebody computes now. */
export interface Running {
  key: string;
  study: string;
  image: string;
  model: string;
  method: string;
  /** 1: it has not failed before. */
  attempt: number;
  progress: { done: number; of: number } | null;
}

export interface Delivery {
  destination: string;
  waiting: number;
  due: string | null;
  reason: string;
  sent: number;
  given_up: Reason[];
}

export interface Jobs {
  working: boolean;
  arrivals: { waiting: number; since: string | null; not_read: Reason[] };
  explanations: {
    waiting: Waiting[];
    running: Running[];
    done: number;
    done_by_hour: { hour: string; number: number }[];
    failed: number;
    failures: Failure[];
    refused: Reason[];
  };
  results: { waiting: number; done: number; refused: Reason[] };
  deliveries: Delivery[];
}

/** One thing that the station needs. */
export interface Check {
  name: string;
  ok: boolean;
  told: string;
}

export interface Status {
  checks: Check[];
  workers: { name: string; lanes: string; lives: boolean; started: string; ended: string }[];
  restarts: Record<string, number>;
  disk: { free: number; total: number };
  kept: Record<string, number>;
  versions: Record<string, string>;
}

/** What changes all the time is rounded: the page is built anew when something else is told. */
export async function status(): Promise<Status> {
  const { checks, workers, restarts, disk, kept, versions } = await json<Status>("/api/status");
  const round = (size: number): number => 1e8 * Math.round(size / 1e8);
  return {
    checks: checks.map((check) => (check.ok && check.name === "disk" ? { ...check, told: "" } : check)),
    workers: workers.map(({ name, lanes, lives, started, ended }) => ({
      name,
      lanes,
      lives,
      started,
      ended,
    })),
    restarts,
    disk: { free: round(disk.free), total: disk.total },
    kept,
    versions,
  };
}

export const jobs = (): Promise<Jobs> => json("/api/jobs");

export type Again = { what: "explanations" | "results" } | { what: "deliveries"; destination: string };

export const tryAgain = (again: Again): Promise<{ number: number }> => post("/api/jobs/again", again);

export const explainAgain = (key: string): Promise<unknown> => post(`/api/explanations/${key}/again`, null);

export const cancelJob = (key: string): Promise<unknown> => post(`/api/jobs/${key}/cancel`, null);

/** Who is signed in: a user, or "browser", who came by a one-time link. */
export interface Visitor {
  name: string;
  roles: string[];
  rights: string[];
}

export const me = (): Promise<Visitor> => json("/api/me");

export async function signOut(): Promise<void> {
  await fetch("/sign-out", { method: "POST", credentials: "same-origin" });
}
