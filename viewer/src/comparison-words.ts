/** What is said of a comparison: what is seen, or why it cannot be. */

import { Refused } from "./api";
import type { Comparison } from "./comparison";
import { date } from "./format";
import { methodName, texts } from "./texts";
import type { Prior } from "./types";

const { compare } = texts;

/** What the map is held against, in a few words. */
export function otherName(comparison: Comparison): string {
  const { prior, other, reading } = comparison;
  if (prior) return compare.prior(date(prior.study_date));
  const row = comparison.methods.find(({ key }) => key === reading.view.other);
  if (row) return methodName(row.method);
  return other ? methodName(other.record.provenance.method) : compare.another;
}

/** Sentences for what is asked for; none while nothing is. */
export function comparisonWords(comparison: Comparison): string[] {
  const { view, mapShown } = comparison.reading;
  if (!mapShown) return [];
  if (view.difference) return [differenceWords(comparison)];
  return view.disagreement ? [disagreementWords(comparison)] : [];
}

function differenceWords(comparison: Comparison): string {
  const { other, prior, hindrance, reading } = comparison;
  if (!reading.view.other) return withoutPrior(comparison);
  if (!other) return waitingFor(comparison);
  if (hindrance) return compare.noDifference(compare.hindrances[hindrance]);
  const name = otherName(comparison);
  const onThisImage = prior === null && comparison.methods.some(({ key }) => key === reading.view.other);
  return onThisImage ? compare.overMethod(name) : compare.overPrior(name);
}

/** No map to subtract: whether one is looked for, and why the nearest there is does not do. */
function withoutPrior({ priors, priorsError }: Comparison): string {
  if (priorsError) return compare.priorsUnknown;
  if (priors === null) return compare.looking;
  const [nearest] = priors;
  return compare.noDifference(nearest ? priorHindrance(nearest) : compare.noPrior);
}

/** Why a prior's map cannot be had. */
export function priorHindrance({ hindrance, study_date, model_version }: Prior): string {
  const when = date(study_date);
  if (hindrance === "other version") return compare.otherVersion(when, model_version ?? "");
  return hindrance === "other view" ? compare.otherView(when) : compare.notExplained(when);
}

function disagreementWords(comparison: Comparison): string {
  const { other, signless, agreement, reading } = comparison;
  if (!reading.view.other) return compare.noMethod;
  if (!other) return waitingFor(comparison);
  if (signless) return compare.signless(methodName(signless));
  if (!agreement) return compare.noDisagreement;
  const name = otherName(comparison);
  if (agreement.differ === 0) return compare.agree(name, agreement.counted);
  return compare.disagree(name, agreement.differ, agreement.counted);
}

function waitingFor({ error }: Comparison): string {
  if (!error) return texts.messages.loading;
  return error instanceof Refused ? error.message : compare.notLoaded;
}
