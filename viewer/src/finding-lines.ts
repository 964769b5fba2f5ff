/** The chosen finding in numbers, and what its map can be used for. */

import { element } from "./element";
import { percent, signed } from "./format";
import { texts } from "./texts";
import type { Explanation } from "./types";

/** The target layer of methods in which no layer has a part: they give values to the network's input. */
const INPUT = "input";

/** Name, numbers, and the map's own statement. */
export function card(record: Explanation, index: number): HTMLElement[] {
  const map = record.saliency_map;
  const trust = record.trust.findings[index];
  return [
    element("h2", {}, map.findings[index] ?? ""),
    element("dl", { class: "numbers" }, ...lines(record, index).flat()),
    ...(map.supported[index] ? [] : [element("p", { class: "told" }, sentence(texts.finding.noSupport))]),
    ...(trust ? [element("p", { class: "trust" }, trust.statement)] : []),
  ];
}

function lines(record: Explanation, index: number): HTMLElement[][] {
  const { finding } = texts;
  const map = record.saliency_map;
  const at = record.prediction.findings.findIndex(({ name }) => name === map.findings[index]);
  const point = record.prediction.findings[at]?.operating_point ?? null;
  const logit = map.logits[index] ?? 0;
  const chance = [
    line(finding.operatingPoint, point === null ? finding.noneGiven : percent(point)),
    line(finding.logit, signed(logit)),
  ];
  if (map.unit === "relative") return [...chance, [element("p", { class: "told" }, finding.relativeTitle)]];
  const biasTitle = map.target_layer === INPUT ? finding.baselineTitle : finding.biasTitle;
  return [
    ...chance,
    line(finding.evidenceFor, signed(map.evidence_for[index] ?? 0)),
    line(finding.evidenceAgainst, signed(map.evidence_against[index] ?? 0)),
    line(finding.bias, signed(map.bias[index] ?? 0), biasTitle),
    line(finding.residual, signed(map.residual[index] ?? 0), finding.residualTitle),
  ];
}

const sentence = (text: string): string => `${text.charAt(0).toUpperCase()}${text.slice(1)}.`;

function line(name: string, value: string, title: string | null = null): HTMLElement[] {
  return [element("dt", { attributes: { title } }, name), element("dd", {}, value)];
}
