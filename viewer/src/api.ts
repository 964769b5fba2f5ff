/** The station's HTTP API. Keys are opaque; nothing here knows a patient. */

import { connection } from "./connection";
import type { Flag, Opinion, RemarkSource } from "./remarks";
import type { Source } from "./source";
import type { Ask } from "./study-list";
import { texts } from "./texts";
import type { ExplanationRow, OfferedModel, Prior, Study, StudyChoices } from "./types";

/** The session has ended: only a new link from the station opens the page again. */
export class SignedOut extends Error {}

/** The station does not answer. */
export class ConnectionLost extends Error {}

/** The station answers, but not with what was asked for. */
export class Refused extends Error {
  constructor(
    message: string,
    readonly status: number,
  ) {
    super(message);
  }
}

async function request(path: string, init: RequestInit = {}): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(path, { credentials: "same-origin", ...init });
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") throw error;
    throw lost(path);
  }
  if (response.status === 401) {
    connection.report("signed-out");
    throw new SignedOut(path);
  }
  connection.report("up");
  if (!response.ok) throw new Refused(await reason(response), response.status);
  return response;
}

function lost(path: string): ConnectionLost {
  connection.report("lost");
  return new ConnectionLost(path);
}

async function reason(response: Response): Promise<string> {
  const body: unknown = await response.json().catch(() => null);
  const detail = typeof body === "object" && body !== null && "detail" in body ? body.detail : null;
  return typeof detail === "string" ? detail : `${response.status} ${response.statusText}`;
}

const until = (signal?: AbortSignal): RequestInit => (signal ? { signal } : {});

export async function json<T>(path: string, signal?: AbortSignal): Promise<T> {
  return (await (await request(path, until(signal))).json()) as T;
}

/** Says something to the station; words of patients go in bodies, never in addresses. */
export async function post<T>(path: string, body: unknown, init: RequestInit = {}): Promise<T> {
  const headers = { "Content-Type": "application/json" };
  const response = await request(path, { method: "POST", headers, body: JSON.stringify(body), ...init });
  return (await response.json()) as T;
}

async function bytes(path: string, signal?: AbortSignal): Promise<ArrayBuffer> {
  try {
    return await (await request(path, until(signal))).arrayBuffer();
  } catch (error) {
    // The connection may break while the body is on its way.
    if (error instanceof TypeError) throw lost(path);
    throw error;
  }
}

function floats(buffer: ArrayBuffer): Float32Array {
  if (buffer.byteLength % Float32Array.BYTES_PER_ELEMENT) throw new Error(texts.messages.cutOff);
  return new Float32Array(buffer);
}

const at = (kind: string, key: string): string => `/api/${kind}/${encodeURIComponent(key)}`;

export const about = (): Promise<{ version: string; notice: string }> => json("/api/about");

export const searchStudies: Ask = (search, part) => post("/api/studies/search", { ...search, ...part });

export const studyChoices = (): Promise<StudyChoices> => json("/api/studies/choices");

const remarks: RemarkSource = {
  flags: async (key, signal) =>
    (await json<{ flags: Flag[] }>(`${at("explanations", key)}/flags`, signal)).flags,
  flag: (key, flag) => post(`${at("explanations", key)}/flags`, flag),
  opinions: async (key, signal) =>
    (await json<{ opinions: Opinion[] }>(`${at("explanations", key)}/opinions`, signal)).opinions,
  judge: (key, finding, stance) => post(`${at("explanations", key)}/opinions`, { finding, stance }),
};

/** What a study page reads. */
export const station: Source = {
  remarks,
  study: (key, signal) => json(at("studies", key), signal),
  samePatient: async (key, signal) =>
    (await json<{ studies: Study[] }>(`${at("studies", key)}/same-patient`, signal)).studies,
  imageHeader: (key, signal) => json(at("images", key), signal),
  pixels: (key, slice, signal) =>
    bytes(`${at("images", key)}/pixels${slice === null ? "" : `?slice=${slice}`}`, signal),
  explanation: (key, signal) => json(at("explanations", key), signal),
  values: async (key, signal) => floats(await bytes(`${at("explanations", key)}/values`, signal)),
  priors: async (key, signal) =>
    (await json<{ priors: Prior[] }>(`${at("explanations", key)}/priors`, signal)).priors,
  methods: async (key, signal) =>
    (await json<{ models: OfferedModel[] }>(`${at("images", key)}/methods`, signal)).models,
  ask: (key, model, method) => post<ExplanationRow>(`${at("images", key)}/explanations`, { model, method }),
  again: (key) => post<ExplanationRow>(`${at("explanations", key)}/again`, {}),
};
