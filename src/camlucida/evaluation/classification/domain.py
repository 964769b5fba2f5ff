"""May the model be used on images like these? What the figures say, as a verdict with its reasons.

A verdict is of these cases only. "Must not be used" is said where guessing would do as well, where the
operating point fails more often than not, where probabilities are far off, or where the figures are far below
those that were stated for the model; each reason is a figure with its interval. Where the interval of the AUC
holds 0.5 the burden is the model's: what cannot be told from guessing is not to be used, be it for few cases.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum

from camlucida.evaluation.classification import Classified
from camlucida.evaluation.intervals import LEAST_PATIENTS, Estimate
from camlucida.evaluation.report.document import Tone, Verdict

LEAST = 10
"""Cases with the finding, and without it, below which nothing is decided."""

GUESSING = 0.5
OFF, FAR_OFF = 0.05, 0.2
"""Calibration error, beyond what chance gives, from which probabilities are off, and are far off."""

MARGIN = 0.05
"""AUC below the stated figure: beyond this the model is another one here than the one that was described."""


class Fitness(IntEnum):
    """How a model does for a finding on these cases; the larger, the worse."""

    NO_REASON_AGAINST = 0
    UNDECIDED = 1  # too few cases
    WEAKER = 2  # than what is stated for it
    MISCALIBRATED = 3
    UNFIT = 4


@dataclass(frozen=True, slots=True)
class Judgement:
    """One finding: whether the model may be used for it on these images, and every reason against it, the
    weightiest first.
    """

    finding: str
    fitness: Fitness
    reasons: tuple[str, ...]


def judge(one: Classified, stated_auc: float | None = None) -> Judgement:
    """Whether the model may be used for a finding on images like these.

    Parameters
    ----------
    stated_auc
        What is said of the model elsewhere (its card, its paper); None where nothing is.
    """
    finding, present = one.answers.finding, int(one.answers.present.sum())
    absent = len(one.answers.present) - present
    if min(present, absent) < LEAST:
        why = f"{present} with it and {absent} without; a judgement takes {LEAST} cases of each"
        return Judgement(finding, Fitness.UNDECIDED, (why,))
    reasons = [*_discrimination(one, stated_auc), *_at_operating_point(one), *_calibration(one)]
    if not reasons and (why := _few_patients(one)):
        return Judgement(finding, Fitness.UNDECIDED, (why,))
    worst = max((fitness for fitness, _ in reasons), default=Fitness.NO_REASON_AGAINST)
    reasons.sort(key=lambda reason: -reason[0])
    return Judgement(finding, worst, tuple(why for _, why in reasons))


def _few_patients(one: Classified) -> str:
    """Why nothing was found against the model: images of a few patients are alike, whatever their number."""
    every = one.answers
    patients = [len(set(every.of(kind).patients)) for kind in (every.present, ~every.present)]
    if min(patients) >= LEAST_PATIENTS:
        return ""
    return (
        f"{patients[0]} patients with it and {patients[1]} without; nothing speaks against it, but to say so "
        f"takes {LEAST_PATIENTS} of each"
    )


Reasons = list[tuple[Fitness, str]]


def _discrimination(one: Classified, stated: float | None) -> Reasons:
    auc = one.estimates["classification.auc"]
    if auc.value is None:
        return []
    # Without an interval every resample gave the same: 1, 0, or 0.5 where all cases have one probability.
    low, high = (auc.value if bound is None else bound for bound in (auc.low, auc.high))
    if low <= GUESSING:
        how = "is worse than guessing" if high < GUESSING else "cannot be told from guessing (0.5)"
        return [(Fitness.UNFIT, f"its AUC of {auc.text()} {how}")]
    if stated is None or high >= stated:
        return []
    fitness = Fitness.UNFIT if high < stated - MARGIN else Fitness.WEAKER
    return [(fitness, f"its AUC of {auc.text()} is below the {stated:.2f} that is stated for it")]


def _at_operating_point(one: Classified) -> Reasons:
    if one.stated is None:
        return []
    sensitivity, specificity = one.stated.sensitivity, one.stated.specificity
    reasons: Reasons = []
    if _below(sensitivity, GUESSING):
        reasons.append(
            (Fitness.UNFIT, f"it misses most cases with the finding (sensitivity {sensitivity.text()})")
        )
    if _below(specificity, GUESSING):
        reasons.append(
            (Fitness.UNFIT, f"it reports most cases without the finding (specificity {specificity.text()})")
        )
    return reasons


def _below(figure: Estimate, bound: float) -> bool:
    return figure.high is not None and figure.high < bound


def _calibration(one: Classified) -> Reasons:
    error = one.estimates["classification.calibration-error"]
    beyond = (error.low or 0.0) - one.error_by_chance
    if beyond < OFF:
        return []
    said = one.estimates["classification.mean-probability"].text()
    seen = one.estimates["classification.prevalence"].text()
    why = (
        f"it is badly calibrated: its probabilities are off by {error.text()} on average, where chance "
        f"alone gives {one.error_by_chance:.2f}: their mean is {said}, and {seen} of the cases have the "
        "finding"
    )
    if beyond >= FAR_OFF:
        return [(Fitness.UNFIT, why)]
    return [(Fitness.MISCALIBRATED, why)]


def judgements(
    findings: Sequence[Classified], stated_auc: Mapping[str, float] | None = None
) -> tuple[Judgement, ...]:
    """Of all findings, in their order; `stated_auc` by the finding's name."""
    return tuple(judge(one, (stated_auc or {}).get(one.answers.finding)) for one in findings)


_TITLES = {
    Fitness.UNFIT: ("Must not be used on these images", Tone.BAD),
    Fitness.MISCALIBRATED: ("Badly calibrated on these images", Tone.CAUTION),
    Fitness.WEAKER: ("Weaker on these images than stated", Tone.CAUTION),
    Fitness.UNDECIDED: ("Cannot be judged on these images", Tone.CAUTION),
    Fitness.NO_REASON_AGAINST: ("No reason found against using it on images like these", Tone.GOOD),
}


def verdicts(judged: Sequence[Judgement]) -> tuple[Verdict, ...]:
    """For a report's first page: the worst first, one verdict for all findings that share it."""
    return tuple(
        Verdict(*_said(fitness, [one for one in judged if one.fitness is fitness], len(judged)))
        for fitness in sorted({one.fitness for one in judged}, reverse=True)
    )


def _said(fitness: Fitness, judged: Sequence[Judgement], of_all: int) -> tuple[str, str, Tone]:
    title, tone = _TITLES[fitness]
    names = ", ".join(one.finding for one in judged)
    if fitness is Fitness.NO_REASON_AGAINST:
        why = (
            f"{names}: better than guessing, not failing at the operating point if there is one, and not "
            "badly calibrated on these cases. It says nothing of other images, and nothing of where the "
            "evidence lies."
        )
    else:
        why = " ".join(f"{one.finding}: {'; '.join(one.reasons)}." for one in judged)
    whole = title if of_all == len(judged) else f"{title}: {names}"
    return whole, why, tone
