"""The verdict on a finding: does the network rely on what disease cannot explain?

The score of a zone is how far it moves the logit between films: twice the standard deviation, over the films,
of the effect of taking it out. A thing that adds e logits on half of the films has the score e. What a zone
adds to every film alike has the score 0: it tells no film from another, and is in the bias.

The threshold was chosen on planted networks of phantoms, and its false alarms counted on others
(tests/evaluation/shortcuts/test_planted.py).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from camlucida.errors import InputError
from camlucida.evaluation.data.cohort import Cohort
from camlucida.evaluation.intervals import Statistic, Weights, estimate
from camlucida.evaluation.shortcuts.measuring import CONTRIBUTION, EFFECT, SHARE, key

THRESHOLD = 1.0
"""Logits from which a finding is called reliant."""

LEAST_FILMS = 20
"""Films below which nothing is decided."""

LEAST_PATIENTS = 10
"""Patients below which nothing is decided, however many films they have: intervals are by patient."""

UNJUDGED = frozenset({"border"})
"""Zones that are told but not judged: disease reaches into them, and a hole there is no small thing."""

NOT_DETECTABLE = (
    "Not detectable this way: shortcuts without a place, such as blur, noise and its spectrum, sharpening "
    "or contrast; textures inside the organ; the patient's build, sex and age as the body shows them; what "
    "stands on every film alike. The probes tell what the network knows of some of these, not whether it "
    "uses it."
)


FALSE_ALARMS = (
    "False alarms, measured on phantoms, 50 films each, on networks that the threshold was not chosen on: of "
    "ten networks that rely on a planted artefact all ten were called reliant; of ten clean ones none for "
    "the finding that was trained beside the artefact, and one of all their 20 findings (5 %, 95 % interval "
    "0.1 to 25 %), by the shutters, where filling in is most of a guess. On patients' films zones are "
    "found less well, and this is not measured."
)


class Judgement(StrEnum):
    """What is said of a finding."""

    RELIANT = "reliant"  # the score's whole interval is at the threshold or above
    NO_SIGN = "no sign"  # it is below
    UNDECIDED = "not decidable"  # the interval holds the threshold, or there are too few films


@dataclass(frozen=True, slots=True)
class ZoneScore:
    """One zone's score, in logits, with its 95 % interval by patient.

    `mean` is its mean effect in logits; `correlation` that of its effect with the logit, None where either is
    constant. `contribution` (logits, dilated) and `share` are means of what the map has there; None without a
    map. `judged` says whether it counts for the verdict.
    """

    zone: str
    score: float
    low: float
    high: float
    mean: float
    correlation: float | None
    judged: bool
    contribution: float | None = None
    share: float | None = None


@dataclass(frozen=True, slots=True)
class ShortcutScore:
    """The verdict on one finding, and the judged zone that it rests on, with its score in logits.

    A zone that is surely at the threshold goes before one that may be, and that before the others; among
    equals the highest score decides. `zones` come with the highest score first, those that are not judged at
    the end.
    """

    finding: str
    judgement: Judgement
    score: float
    low: float
    high: float
    threshold: float
    zone: str
    films: int
    patients: int
    zones: tuple[ZoneScore, ...]


def score(
    cohort: Cohort, finding: str, *, threshold: float = THRESHOLD, unjudged: frozenset[str] = UNJUDGED
) -> ShortcutScore:
    """Whether a finding relies on a zone, from the effects that `ZoneMeasuring` measured.

    Raises
    ------
    InputError
        Nothing was measured of this finding.
    """
    effects = effects_of(cohort, finding)
    if not effects:
        raise InputError(
            f"No zone's effect on “{finding}” was measured; observe the cases with ZoneMeasuring."
        )
    found = judge(
        finding,
        effects,
        np.array([one.prediction.logits[one.prediction.index(finding)] for one in cohort.observed]),
        [one.case.patient for one in cohort.observed],
        threshold=threshold,
        unjudged=unjudged,
    )
    zones = tuple(
        replace(
            one,
            contribution=_mean_of(cohort, finding, key(CONTRIBUTION, one.zone)),
            share=_mean_of(cohort, finding, key(SHARE, one.zone)),
        )
        for one in found.zones
    )
    return replace(found, zones=zones)


def judge(
    finding: str,
    effects: Mapping[str, NDArray[np.float64]],
    logits: NDArray[np.float64],
    patients: Sequence[str],
    *,
    threshold: float = THRESHOLD,
    unjudged: frozenset[str] = UNJUDGED,
) -> ShortcutScore:
    """The verdict from each zone's effects (case,) and the logits (case,): all that it is made of."""
    zones = sorted(
        (
            _zone_score(zone, values, logits, patients, zone not in unjudged)
            for zone, values in effects.items()
        ),
        key=lambda one: (not one.judged, -one.score),
    )
    judged = [one for one in zones if one.judged]
    deciding = min(judged or zones, key=lambda one: _ORDER.index(_judged(one, threshold)))
    people = len(set(patients))
    enough = judged and len(patients) >= LEAST_FILMS and people >= LEAST_PATIENTS
    return ShortcutScore(
        finding,
        _judged(deciding, threshold) if enough else Judgement.UNDECIDED,
        deciding.score,
        deciding.low,
        deciding.high,
        threshold,
        deciding.zone,
        len(patients),
        people,
        tuple(zones),
    )


def effects_of(cohort: Cohort, finding: str) -> Mapping[str, NDArray[np.float64]]:
    """The effect (case,) of each zone on a finding's logit, in the cohort's order; 0 where it has none."""
    found: dict[str, NDArray[np.float64]] = {}
    for row, one in enumerate(cohort.observed):
        for measured in one.measurements:
            kind, _, zone = measured.measure.rpartition(".")
            if kind == EFFECT and measured.finding == finding and measured.value is not None:
                found.setdefault(zone, np.zeros(len(cohort.observed)))[row] = measured.value
    return found


def _mean_of(cohort: Cohort, finding: str, measure: str) -> float | None:
    """The mean of what a map has in a zone, over the cases that have the zone."""
    values = [
        row.value
        for one in cohort.observed
        for row in one.measurements
        if row.measure == measure and row.finding == finding and row.value is not None
    ]
    return float(np.mean(values)) if values else None


def _zone_score(
    zone: str, values: NDArray[np.float64], logits: NDArray[np.float64], patients: Sequence[str], judged: bool
) -> ZoneScore:
    spread = estimate(_twice_deviation(values), patients)
    value = spread.value or 0.0
    varies = values.std() > 0 and logits.std() > 0
    correlation = float(np.corrcoef(values, logits)[0, 1]) if varies else None
    low = value if spread.low is None else spread.low
    high = value if spread.high is None else spread.high
    return ZoneScore(zone, value, low, high, float(values.mean()), correlation, judged)


def _twice_deviation(values: NDArray[np.float64]) -> Statistic:
    def of(weights: Weights) -> NDArray[np.float64]:
        shares = weights / weights.sum(axis=1, keepdims=True)
        variance = shares @ values**2 - (shares @ values) ** 2
        return np.asarray(2 * np.sqrt(np.maximum(variance, 0)))

    return of


def reading(score: ShortcutScore, zone: str) -> str:
    """The verdict's reason in a sentence; `zone` is what the highest zone is called."""
    says = (
        f"What stands there moves the logit by {score.score:.2f} between films "
        f"({score.low:.2f} to {score.high:.2f}), reliant is from {score.threshold:.2f} on"
    )
    if score.judgement is Judgement.RELIANT:
        return f"{says}."
    most = f"The most is by {zone}. {says}"
    if score.films < LEAST_FILMS:
        return f"{score.films} films are too few; give at least {LEAST_FILMS}. {most}."
    if score.patients < LEAST_PATIENTS:
        people = "1 patient" if score.patients == 1 else f"{score.patients} patients"
        return f"Films of {people} are too few; give films of at least {LEAST_PATIENTS}. {most}."
    if score.judgement is Judgement.UNDECIDED:
        return f"{most}: its interval holds that. Give more films."
    return f"{most}. What has no place in the image is not detectable this way."


_ORDER = (Judgement.RELIANT, Judgement.UNDECIDED, Judgement.NO_SIGN)
"""Which zone decides, the first of them."""


def _judged(zone: ZoneScore, threshold: float) -> Judgement:
    if zone.low >= threshold:
        return Judgement.RELIANT
    return Judgement.UNDECIDED if zone.high >= threshold else Judgement.NO_SIGN
