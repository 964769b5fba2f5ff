/** All findings of an explanation as rows of a list: strongest first, and what is said of each. */

import { signed } from "./format";
import { texts } from "./texts";
import type { Explanation } from "./types";

export interface Row {
  name: string;
  probability: number;
  operatingPoint: number | null;
  /** Where its map stands, or -1 without one. */
  map: number;
}

/** The model's findings, most probable first. */
export function rows(record: Explanation): Row[] {
  const { findings, probabilities } = record.prediction;
  return findings
    .map(({ name, operating_point }, i) => ({
      name,
      probability: probabilities[i] ?? 0,
      operatingPoint: operating_point,
      map: record.saliency_map.findings.indexOf(name),
    }))
    .sort((a, b) => b.probability - a.probability);
}

export const reported = (row: Row): boolean | null =>
  row.operatingPoint === null ? null : row.probability >= row.operatingPoint;

/** Evidence for and against, or why there is none, in words. */
export function evidence(row: Row, record: Explanation): string {
  const { evidence_for, evidence_against, supported, unit } = record.saliency_map;
  if (row.map < 0) return texts.finding.noMap;
  if (!supported[row.map]) return texts.finding.noSupport;
  if (unit === "relative") return "";
  return `${signed(evidence_for[row.map] ?? 0)}  ${signed(evidence_against[row.map] ?? 0)}`;
}

/** What the operating point says of it. */
export function state(row: Row): string {
  if (row.operatingPoint === null) return texts.finding.noOperatingPoint;
  return reported(row) ? "" : texts.finding.belowOperatingPoint;
}
