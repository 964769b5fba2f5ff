/** What a picture or a print says of what it shows: nothing of the patient unless the reader asks for it. */

import { date, number, percent, personName, probability, signed, sizes } from "./format";
import { cellSize } from "./probe";
import type { Reading } from "./reading";
import { methodName, texts } from "./texts";
import type { Explanation } from "./types";

export interface Words {
  text: string;
  kind: "title" | "line" | "weak" | "told";
  /** The legend's colours stand below. */
  ramp?: true;
}

const line = (text: string): Words => ({ text, kind: "line" });
const weak = (text: string): Words => ({ text, kind: "weak" });
const told = (text: string): Words => ({ text, kind: "told" });

/** `legend` is what the page's own legend says of its colours. */
export function pictureWords(reading: Reading, legend: readonly string[]): Words[] {
  const { explanation, view } = reading;
  const shown = reading.mapShown && explanation !== null && view.finding !== null;
  return [
    ...(reading.named ? who(reading).map(line) : []),
    ...(shown
      ? ofFinding(explanation.record, view.finding ?? 0, legend)
      : [{ text: texts.viewport.alone, kind: "title" } as const]),
    ...(shown ? ofMap(reading, explanation.record) : []),
    ...(reading.image?.header.notes ?? []).map(told),
    weak(texts.notice),
  ];
}

function who({ study }: Reading): string[] {
  return [personName(study.patient_name), study.patient_id, date(study.study_date)].filter(Boolean);
}

function ofFinding(record: Explanation, finding: number, legend: readonly string[]): Words[] {
  const map = record.saliency_map;
  const name = map.findings[finding] ?? "";
  const at = record.prediction.findings.findIndex((one) => one.name === name);
  const point = record.prediction.findings[at]?.operating_point ?? null;
  const chance = record.prediction.probabilities[at] ?? 0;
  const { picture } = texts;
  const [unit = "", ...notes] = legend;
  return [
    { text: name, kind: "title" },
    line(picture.probability(probability(chance))),
    line(
      point === null
        ? texts.finding.noOperatingPoint
        : picture.operatingPoint(percent(point), chance >= point),
    ),
    ...(map.unit === "logit"
      ? [
          line(
            picture.evidence(
              signed(map.evidence_for[finding] ?? 0),
              signed(map.evidence_against[finding] ?? 0),
            ),
          ),
        ]
      : []),
    ...(map.supported[finding] ? [] : [told(texts.viewport.noSupport(name))]),
    { ...line(unit), ramp: true },
    ...notes.map(weak),
  ];
}

/** Where the map comes from and what it can be used for. */
function ofMap(reading: Reading, { saliency_map, provenance, trust }: Explanation): Words[] {
  const { details, picture, viewport } = texts;
  const size = cellSize(reading);
  const cell = size ? (size.mm ? viewport.cellMm : viewport.cellPixels)(sizes(size.values)) : "";
  const method = [methodName(saliency_map.method), provenance.method_variant].filter(Boolean).join(", ");
  const statement = trust.findings[reading.view.finding ?? 0]?.statement;
  return [
    weak(`${details.model}: ${provenance.model_name} ${provenance.model_version}`),
    weak(`${details.method}: ${method}`),
    weak(`${details.targetLayer}: ${saliency_map.target_layer}`),
    weak(picture.grid(sizes(saliency_map.geometry.native_shape), cell)),
    weak(picture.opacity(number(reading.view.opacity))),
    ...(statement ? [line(statement)] : []),
    ...trust.cautions.map(told),
  ];
}
