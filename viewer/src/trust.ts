/** How far one finding's map can be trusted: sentence by sentence, and in one badge. */

import { number, percent, signed } from "./format";
import { texts } from "./texts";
import type { Explanation, FindingTrust } from "./types";

/** The part of an explanation that is looked at. */
type Told = Pick<Explanation, "saliency_map" | "trust">;

/** Shares, logits, z and rank correlations from which the trust report's own line warns (tests/vectors). */
export const NOTABLE = { residual: 0.1, outside: 0.2, corners: 0.25, faint: 0.1, stronger: 2, same: 0.5 };
export const CLASS_AGNOSTIC: readonly string[] = ["attention rollout", "eigen-cam"];
/** Methods whose values above 0 argue against the finding: to remove such a place lowers no logit. */
export const OPPOSING: readonly string[] = ["counterfactual grad-cam"];

/** A share that would be written as 0 %. */
const NEXT_TO_NOTHING = 0.005;

/** holds: looked at, and in order; open: not looked at, or no matter of right or wrong; caution: look twice. */
export type Weight = "holds" | "open" | "caution";

export interface Said {
  weight: Weight;
  text: string;
}

export interface Badge {
  weight: Weight;
  /** In a few words: what it comes to, and each caution. */
  label: string;
  /** All of it, a line each. */
  title: string;
}

const { trust: words } = texts;
const said = (weight: Weight, text: string): Said => ({ weight, text });

/** Everything that is known of the map of one finding. */
export function trustOf(record: Told, index: number): Said[] {
  const found = record.trust.findings[index];
  if (!found) return [];
  if (CLASS_AGNOSTIC.includes(record.saliency_map.method)) return [said("caution", words.classAgnostic)];
  const placed = record.saliency_map.supported[index] && !faint(record, index);
  return [
    complete(record, index, found),
    ...(placed ? [causal(record, found), stability(found), outside(found), ...corners(found)] : []),
    ...(placed ? [...spread(found), ...agreement(found)] : []),
    ...prior(found),
  ].filter((one) => one !== null);
}

/** One badge for the list; none where there is next to no evidence whose place could be trusted. */
export function trustBadge(record: Told, index: number): Badge | null {
  const all = trustOf(record, index);
  const cautions = all.filter(({ weight }) => weight === "caution");
  const placed = record.saliency_map.supported[index] && !faint(record, index);
  if (all.length === 0 || (!placed && cautions.length === 0)) return null;
  const weight = cautions.length > 0 ? "caution" : checked(record.trust.findings[index]) ? "holds" : "open";
  const verdict = words.badge[weight];
  return {
    weight,
    label: [verdict, ...cautions.map(({ text }) => text)].join(" "),
    title: [verdict, ...all.map(({ weight, text }) => `${words.sign[weight]} ${text}`)].join("\n"),
  };
}

/** Whether the checks that take many inferences were made. */
const checked = (found: FindingTrust | undefined): boolean =>
  Boolean(found?.causal) && typeof found?.stability?.worst === "number";

function faint({ saliency_map: map }: Told, index: number): boolean {
  return map.unit === "logit" && (map.evidence_for[index] ?? 0) < NOTABLE.faint;
}

function complete({ saliency_map: map }: Told, index: number, { residual_share }: FindingTrust): Said {
  if (map.unit === "relative") return said("open", words.relative);
  const residual = Math.abs(map.residual[index] ?? 0);
  const net = Math.abs((map.logits[index] ?? 0) - (map.bias[index] ?? 0));
  if (residual_share > NOTABLE.residual) return said("caution", words.incomplete(percent(residual_share)));
  if (residual > Math.max(NOTABLE.faint, net / 2))
    return said("caution", words.cancelling(number(residual, 2), number(net, 2)));
  if (residual_share < NEXT_TO_NOTHING) return said("holds", words.whole);
  return said("holds", words.complete(percent(residual_share)));
}

function causal({ saliency_map: map }: Told, { causal: check }: FindingTrust): Said | null {
  if (OPPOSING.includes(map.method)) return null;
  if (!check) return said("open", words.notCausal);
  const z = number(check.z, 2);
  if (check.z < NOTABLE.stronger) return said("caution", words.noCause(z));
  return said("holds", words.cause(number(check.effect, 2), z));
}

function stability({ stability: check }: FindingTrust): Said {
  if (typeof check?.worst !== "number") return said("open", words.notStability);
  const worst = number(check.worst, 2);
  return check.worst < NOTABLE.same
    ? said("caution", words.unstable(worst))
    : said("holds", words.stable(worst));
}

function outside({ outside_share: share }: FindingTrust): Said {
  if (typeof share !== "number") return said("open", words.noBody);
  return share < NOTABLE.outside
    ? said("holds", words.inside(percent(share)))
    : said("caution", words.outside(percent(share)));
}

function corners({ corner_share: share }: FindingTrust): Said[] {
  if (typeof share !== "number" || share < NOTABLE.corners) return [];
  return [said("caution", words.corners(percent(share)))];
}

function spread({ focality, border_share: border }: FindingTrust): Said[] {
  return [
    ...(focality === null ? [] : [said("open", words.focality(percent(focality)))]),
    ...(typeof border === "number" ? [said("open", words.border(percent(border)))] : []),
  ];
}

function agreement({ agreement: check }: FindingTrust): Said[] {
  if (typeof check?.correlation !== "number") return [];
  const correlation = number(check.correlation, 2);
  return check.correlation < NOTABLE.same
    ? [said("caution", words.otherMethodsDiffer(correlation))]
    : [said("holds", words.otherMethodsAgree(correlation))];
}

function prior({ prior: distance }: FindingTrust): Said[] {
  if (!distance) return [];
  const { shift, shift_unit: unit, logit_change: change } = distance;
  const moved = shift === null ? "" : unit === "mm" ? `${number(shift, 2)} mm` : percent(shift);
  return [said("open", words.prior(signed(change), moved && words.moved(moved)))];
}
