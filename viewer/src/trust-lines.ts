/** What is known of a model's head, and where an explanation came from, as lines to read. */

import { moment, number, shortDigest } from "./format";
import { texts } from "./texts";
import type { Explanation } from "./types";

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
