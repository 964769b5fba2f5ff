/** The station's API, here or of another origin: there a bearer token opens it, here the browser's cookie. */

import type { Explanation, ImageRow } from "../../../viewer/src/types";

export class SignedOut extends Error {}
export class NotReached extends Error {}
export class Refused extends Error {}

/** An image of the station, with those of the asked instances that it is made of. */
export interface FoundImage extends ImageRow {
  instances: { sop_instance_uid: string; slice: number | null }[];
}

export interface Found {
  /** null: the station has no such study. */
  study: string | null;
  images: FoundImage[];
  /** Instances that came and are no image, and why. */
  others: { sop_instance_uid: string; state: "waiting" | "refused"; reason: string }[];
}

export interface Flag {
  finding: string;
  reason: string;
  text: string;
  view: Record<string, string | number | boolean | null>;
}

interface Settings {
  station?: string;
  token?: string;
}

const KEPT_TOKEN = "camlucida-token";

/**
 * Where the station is: `window.config.camlucida.station`, or `station` in the module's own address, or
 * where the module came from. A token never stands in an address: addresses end up in logs.
 */
export function stationOf(moduleUrl: string, settings: Settings | undefined): string {
  const url = new URL(moduleUrl);
  const named = settings?.station ?? url.searchParams.get("station") ?? url.origin;
  return new URL(named, url).href.replace(/\/+$/, "");
}

export class Station {
  #token: string | null;

  constructor(
    readonly url: string,
    settings: Settings | undefined,
    readonly origin: string = location.origin,
  ) {
    this.#token = settings?.token ?? (this.foreign ? sessionStorage.getItem(KEPT_TOKEN) : null);
  }

  /** Whether the station has another origin than the page: no cookie opens it then. */
  get foreign(): boolean {
    return new URL(this.url).origin !== this.origin;
  }

  /** Takes a token for as long as the tab is open. */
  useToken(token: string): void {
    this.#token = token.trim();
    sessionStorage.setItem(KEPT_TOKEN, this.#token);
  }

  find(study: string, series: string, instances: readonly string[]): Promise<Found> {
    return this.#json("find", {
      study_instance_uid: study,
      series_instance_uid: series,
      sop_instance_uids: [...new Set(instances)],
    });
  }

  explanation(key: string): Promise<Explanation> {
    return this.#json(`explanations/${encodeURIComponent(key)}`);
  }

  async values(key: string): Promise<Float32Array> {
    const response = await this.#request(`explanations/${encodeURIComponent(key)}/values`);
    return new Float32Array(await response.arrayBuffer().catch(notReached));
  }

  flag(key: string, flag: Flag): Promise<{ kept: boolean }> {
    return this.#json(`explanations/${encodeURIComponent(key)}/flags`, flag);
  }

  async #json<T>(path: string, body?: unknown): Promise<T> {
    return (await (await this.#request(path, body)).json().catch(notReached)) as T;
  }

  async #request(path: string, body?: unknown): Promise<Response> {
    const headers: Record<string, string> = {};
    if (this.#token) headers.Authorization = `Bearer ${this.#token}`;
    if (body !== undefined) headers["Content-Type"] = "application/json";
    const response = await fetch(`${this.url}/api/${path}`, {
      method: body === undefined ? "GET" : "POST",
      headers,
      credentials: this.foreign ? "omit" : "same-origin",
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    }).catch(notReached);
    if (response.status === 401) throw new SignedOut();
    if (!response.ok) throw new Refused(await reason(response));
    return response;
  }
}

function notReached(): never {
  throw new NotReached();
}

async function reason(response: Response): Promise<string> {
  const body: unknown = await response.json().catch(() => null);
  const detail = typeof body === "object" && body !== null && "detail" in body ? body.detail : null;
  return typeof detail === "string" ? detail : `${response.status} ${response.statusText}`;
}
