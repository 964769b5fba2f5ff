/** Where a reading gets what it shows: the station over HTTP, or a notebook that holds it already. */

import type { RemarkSource } from "./remarks";
import type { Explanation, ExplanationRow, ImageHeader, OfferedModel, Prior, Study } from "./types";

export interface Source {
  study(key: string, signal?: AbortSignal): Promise<Study>;
  /** The other studies of the same patient, the newest first. */
  samePatient(key: string, signal?: AbortSignal): Promise<Study[]>;
  imageHeader(key: string, signal?: AbortSignal): Promise<ImageHeader>;
  /** Stored values, little-endian, C order: of one slice, or of an image that has none (null). */
  pixels(key: string, slice: number | null, signal?: AbortSignal): Promise<ArrayBuffer>;
  explanation(key: string, signal?: AbortSignal): Promise<Explanation>;
  /** (finding, *native), C order. */
  values(key: string, signal?: AbortSignal): Promise<Float32Array>;
  /** Where readers' remarks are kept, if they are. */
  remarks?: RemarkSource;
  /** Earlier maps of the patient that an explanation can be held against, the latest first. */
  priors?(explanation: string, signal?: AbortSignal): Promise<Prior[]>;
  /** What the models that have looked at an image can be asked for. */
  methods?(image: string, signal?: AbortSignal): Promise<OfferedModel[]>;
  /** Asks for an explanation of an image; asking again changes nothing. */
  ask?(image: string, model: string, method: string): Promise<ExplanationRow>;
  /** Asks once more for one that has failed. */
  again?(explanation: string): Promise<ExplanationRow>;
}
