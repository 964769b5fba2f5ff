/** What is known of how far a map can be trusted, and where it came from, as lines to read. */

import { moment, number, percent, shortDigest, signed } from "./format";
import { texts } from "./texts";
import type { Explanation, FindingTrust } from "./types";

export type Line = [name: string, value: string, title?: string];

export function trustSentences({ trust }: Explanation): string[] {
  const { details } = texts;
  const { head_deviation: deviation, verdict, head_inputs = 0, head_images = 0 } = trust;
  return [
    details.head[trust.head],
    ...(deviation === null ? [] : [details.deviation(number(deviation, 2))]),
    ...(verdict ? [details.verdict(verdict, head_inputs, head_images)] : []),
    ...(trust.body ? [trust.body] : []),
  ];
}

export function trustLines({ trust }: Explanation, finding: number | null): Line[] {
  const found = finding === null ? undefined : trust.findings[finding];
  return found ? [...zoneLines(found), ...checkLines(found)] : [];
}

function zoneLines({ focality, border_share, corner_share, outside_share }: FindingTrust): Line[] {
  const { details } = texts;
  const lines: Line[] = [];
  if (focality !== null) lines.push([details.focality, details.focalityValue(percent(focality))]);
  const shares = [
    [details.outside, outside_share],
    [details.corners, corner_share],
    [details.border, border_share],
  ] as const;
  for (const [name, share] of shares) if (typeof share === "number") lines.push([name, percent(share)]);
  return lines;
}

/** What was asked for beside the cheap figures. */
function checkLines({ causal, stability, agreement, prior }: FindingTrust): Line[] {
  const { details } = texts;
  const lines: Line[] = [];
  if (causal) lines.push([details.causal, details.causalValue(number(causal.effect), number(causal.z, 2))]);
  if (typeof stability?.worst === "number")
    lines.push([details.stability, details.stabilityValue(number(stability.worst, 2))]);
  if (typeof agreement?.correlation === "number")
    lines.push([details.agreement, number(agreement.correlation, 2)]);
  if (prior) {
    const { shift, shift_unit } = prior;
    const distance = shift === null ? "" : shift_unit === "mm" ? `${number(shift, 2)} mm` : percent(shift);
    lines.push([
      details.prior,
      details.priorValue(signed(prior.logit_change), distance && details.moved(distance)),
    ]);
  }
  return lines;
}

export function provenanceLines({ provenance }: Explanation): Line[] {
  const { details } = texts;
  const { model_name, model_version, model_digest, pixel_digest } = provenance;
  return [
    [details.model, `${model_name} ${model_version}`],
    [details.digest, shortDigest(model_digest), model_digest],
    [details.imageDigest, shortDigest(pixel_digest), pixel_digest],
    [details.software, `camlucida ${provenance.library_version}, torch ${provenance.torch_version}`],
    [details.precision, `${provenance.precision}, ${provenance.device}`],
    [details.created, moment(provenance.created)],
  ];
}
