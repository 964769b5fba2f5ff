/** What the station's API speaks in: the records of camlucida as JSON. */

export type State = "explained" | "waiting" | "refused";

export interface FindingSummary {
  name: string;
  probability: number;
  operating_point: number | null;
  reported: boolean | null;
  model: string;
}

/** What a worklist says of a study; a failure is worth a search. */
export type StudyState = State | "failed";

export interface StudyRow {
  key: string;
  patient_name: string;
  patient_id: string;
  study_date: string;
  description: string;
  modality: string;
  phantom: boolean;
  images: number;
  /** The most probable ones; the one that is searched for comes first. */
  findings: FindingSummary[];
  state: StudyState;
  flagged: boolean;
}

/** A page of the worklist; only the first one says how many studies there are. */
export interface StudyPage {
  total: number | null;
  studies: StudyRow[];
}

/** What can be searched for. */
export interface StudyChoices {
  findings: string[];
  modalities: string[];
}

export interface ExplanationRow {
  key: string;
  model: string;
  model_version: string;
  method: string;
  state: State;
  reason: string | null;
  /** It should have worked, and can be tried again. */
  failed?: boolean;
  /** Of one that is waiting: since when, its place in the queue (null: a late one), whether it has begun. */
  since?: string | null;
  place?: number | null;
  begun?: boolean;
}

/** A map by a model that is no longer current: looked at as such, never as current. */
export interface PastRow extends ExplanationRow {
  /** The version that is current; null: the model was retired. */
  replaced_by: string | null;
}

/** A patient's earlier study, and its map that is most like the shown one. */
export interface Prior {
  study: string;
  study_date: string;
  description: string;
  image: string;
  view_position: string;
  explanation: string | null;
  model_version: string | null;
  /** Why it cannot be compared; null: it can. */
  hindrance: "not explained" | "other version" | "other view" | null;
}

/** A method that a model can be asked for. */
export interface OfferedMethod {
  method: string;
  /** What is there already. */
  explanation: string | null;
  /** It asks the network dozens of times or more. */
  dear: boolean;
  /** Why this model refused it before; null: it did not. */
  refused: string | null;
}

export interface OfferedModel {
  model: string;
  model_version: string;
  methods: OfferedMethod[];
}

export interface ImageRow {
  key: string;
  series_description: string;
  view_position: string;
  modality: string;
  space: number[];
  frame_number: number | null;
  notes: string[];
  explanations: ExplanationRow[];
  past?: PastRow[];
}

export interface Study extends Omit<StudyRow, "images" | "state" | "flagged"> {
  images: ImageRow[];
}

export type VoiLutFunction = "LINEAR" | "LINEAR_EXACT" | "SIGMOID";

/** Window center and window width in modality values (HU for CT). */
export interface Window {
  center: number;
  width: number;
  function: VoiLutFunction;
  explanation: string;
}

/** `table[i]` is the display value of modality value `first_mapped + i`. */
export interface VoiLut {
  first_mapped: number;
  bits: number;
  explanation: string;
  table: number[];
}

export type PixelType = "uint8" | "int16" | "uint16" | "float32";

export interface ImageHeader {
  key: string;
  space: number[];
  dtype: PixelType;
  colour: boolean;
  photometric: "MONOCHROME1" | "MONOCHROME2" | "RGB";
  slope: number;
  intercept: number;
  unit: string;
  bits_stored: number;
  windows: Window[];
  voi_luts: VoiLut[];
  default_window: Window;
  padding: [number, number] | null;
  spacing: number[] | null;
  /** (slice, row, column, 1) to the patient in mm (LPS); slice is 0 for an image that has none. */
  pixel_to_patient: number[][] | null;
  notes: string[];
}

export interface Finding {
  name: string;
  concept: { value: string; scheme: string; meaning: string } | null;
  operating_point: number | null;
}

export interface Geometry {
  native_shape: number[];
  pixel_shape: number[];
  native_to_pixel: number[][];
  spacing: number[] | null;
  pixel_to_patient: number[][] | null;
}

/** Figures of one finding's map; the checks are null where they were not asked for, or absent in old ones. */
export interface FindingTrust {
  residual_share: number;
  focality: number | null;
  border_share: number | null;
  statement: string;
  corner_share?: number | null;
  outside_share?: number | null;
  causal?: { effect: number; z: number; regions: number } | null;
  stability?: { worst: number | null } | null;
  agreement?: { correlation: number | null } | null;
  prior?: { logit_change: number; shift: number | null; shift_unit: string } | null;
}

export interface Explanation {
  prediction: { findings: Finding[]; logits: number[]; probabilities: number[] };
  saliency_map: {
    findings: string[];
    logits: number[];
    bias: number[];
    residual: number[];
    evidence_for: number[];
    evidence_against: number[];
    supported: boolean[];
    method: string;
    target_layer: string;
    unit: "logit" | "relative";
    geometry: Geometry;
  };
  trust: {
    head: "linear" | "nonlinear" | "unproven";
    head_deviation: number | null;
    verdict?: string;
    head_inputs?: number;
    head_images?: number;
    body?: string;
    findings: FindingTrust[];
    cautions: string[];
  };
  provenance: {
    pixel_digest: string;
    preprocessing_digest: string;
    model_digest: string;
    model_name: string;
    model_version: string;
    method: string;
    method_variant: string;
    target_layer: string;
    library_version: string;
    torch_version: string;
    precision: string;
    device: string;
    created: string;
    seconds: number;
  };
  /** Evidence of a cell in full colour, for each finding's map. */
  scales: number[];
  /** SHA-256 by which the station keeps it; a notebook keeps none. */
  digest?: string;
}
