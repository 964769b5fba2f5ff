"""Is a repair real? Four gates that a repaired model passes, each with an interval by patient.

The first is causal: what the artefact still does to the logit. A heatmap cannot pass anybody: a penalty on a
class activation map inside a tight mask took the artefact's share of the map from 22.8 % to 0.0 %, and left
its effect at +2.51 of +3.02 logits.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import partial

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from camlucida.errors import InputError
from camlucida.evaluation.certification.counterfactual import Twin, Versions
from camlucida.evaluation.classification import Answers, auc, youden
from camlucida.evaluation.intervals import Estimate, Statistic, Weights, estimate, mean, ratio

EFFECT_LEFT = 0.2
"""Largest share of the artefact's effect that may be left."""

AUC_LOSS = 0.01
"""Largest loss of AUC on images without the artefact."""

INSIDE_LOSS = 0.05
"""Largest loss of the share of the evidence that lies inside readers' marks."""

LEAST_EFFECT = 0.1
"""Logits: a smaller effect before is nothing that could be repaired."""

LEAST_PATIENTS = 10
"""With the finding, and without it: of fewer nothing is certified, however narrow the intervals are."""

Numbers = NDArray[np.float64]


class Outcome(StrEnum):
    """What one gate says."""

    PASSED = "passed"
    FAILED = "failed"
    UNDECIDED = "undecided"  # the interval holds the limit: too few cases
    NOT_ASKED = "not asked"  # there is nothing by which it could be judged


class Certified(StrEnum):
    """What all gates say together."""

    CERTIFIED = "certified"
    REJECTED = "rejected"
    UNDECIDED = "undecided"


@dataclass(frozen=True, slots=True)
class Gate:
    """One question, asked of both models; `compared` decides, against `limit`."""

    key: str
    title: str
    outcome: Outcome
    before: Estimate
    after: Estimate
    compared: Estimate
    limit: float
    why: str


@dataclass(frozen=True, slots=True)
class Certificate:
    """The verdict, and all that it rests on.

    `points` are the operating points (probabilities) of the two models, chosen anew. `shares` are the shares
    of the maps on the artefact: shown, and no gate. `effects` are the effects before and after by the way in
    which they were found: "pasted", "taken out", "with the finding", "without it".
    """

    verdict: Certified
    gates: tuple[Gate, ...]
    points: tuple[float, float]
    shares: tuple[Estimate, Estimate]
    effects: tuple[tuple[str, Estimate, Estimate], ...]
    cases: int
    patients: int
    carrying: int

    def gate(self, key: str) -> Gate:
        """One of the gates."""
        return next(gate for gate in self.gates if gate.key == key)


def certify(twins: Sequence[Twin], *, seed: int = 0) -> Certificate:
    """Hold a repaired model against the one before it.

    Raises
    ------
    InputError
        All cases have the finding, or none has: nothing can be said of the disease.
    """
    found = _Pair.of(twins, seed)
    asked = (_effect(found), _worst_group(found), _discrimination(found), _localisation(found))
    gates = tuple(map(_left_open, asked)) if found.fewest < LEAST_PATIENTS else asked
    outcomes = {gate.outcome for gate in gates}
    verdict = Certified.CERTIFIED
    if Outcome.UNDECIDED in outcomes:
        verdict = Certified.UNDECIDED
    if Outcome.FAILED in outcomes:
        verdict = Certified.REJECTED
    return Certificate(
        verdict,
        gates,
        found.points,
        (found.mean_of("before", "share"), found.mean_of("after", "share")),
        tuple(_effects(found)),
        len(twins),
        len(set(found.patients)),
        int(found.carries.sum()),
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Pair:
    """All cases in columns: (case,), log-odds and shares (NaN where there is none)."""

    twins: tuple[Twin, ...]
    patients: tuple[str, ...]
    present: NDArray[np.bool_]
    carries: NDArray[np.bool_]
    points: tuple[float, float]
    seed: int

    @classmethod
    def of(cls, twins: Sequence[Twin], seed: int) -> "_Pair":
        patients = tuple(twin.patient for twin in twins)
        present = np.array([twin.present for twin in twins], bool)
        if not len(twins) or present.all() or not present.any():
            raise InputError(
                f"Of {len(twins)} cases {int(present.sum())} have the finding; a repair is certified on "
                "cases with it and on cases without it."
            )
        carries = np.array([twin.carries for twin in twins], bool)
        points = [
            youden(Answers("", present, _as_they_are(twins, model), None, None, patients)) or 0.5
            for model in ("before", "after")
        ]
        return cls(tuple(twins), patients, present, carries, (points[0], points[1]), seed)

    @property
    def fewest(self) -> int:
        """Patients with the finding or patients without it, whichever are fewer."""
        whose = np.asarray(self.patients)
        return min(len(set(whose[half])) for half in (self.present, ~self.present))

    def values(self, model: str, name: str) -> Numbers:
        """One number of one model, of every case."""
        every: list[float | None] = [getattr(_of(twin, model), name) for twin in self.twins]
        return np.array([np.nan if value is None else value for value in every], np.float64)

    def mean_of(self, model: str, name: str, chosen: NDArray[np.bool_] | None = None) -> Estimate:
        """Its mean, of all cases or of some."""
        values = self.values(model, name)
        return self.mean(values if chosen is None else np.where(chosen, values, np.nan))

    def mean(self, values: Numbers) -> Estimate:
        """A mean over cases; NaN is not counted."""
        return mean(values, self.patients, seed=self.seed)

    def estimate(self, statistic: Statistic) -> Estimate:
        """A figure of all cases."""
        return estimate(statistic, self.patients, seed=self.seed)


def _of(twin: Twin, model: str) -> Versions:
    return twin.before if model == "before" else twin.after


def _as_they_are(twins: Sequence[Twin], model: str) -> Numbers:
    """Log-odds of the images as they are, (case,)."""
    seen = [(_of(twin, model), twin.carries) for twin in twins]
    return np.array([one.having if carries else one.without for one, carries in seen], np.float64)


# --- the gates ----------------------------------------------------------------------------------------------


def _effect(pair: _Pair) -> Gate:
    """How much of the artefact's effect is left: of those with the finding and of those without, the more."""
    before, after = (pair.values(model, "effect") for model in ("before", "after"))
    scales = [_spread(pair.values(model, "without")) for model in _MODELS]
    compared = pair.estimate(_left(before, after, pair.present, scales))
    shown = pair.mean(before), pair.mean(after)
    outcome = _below(compared, EFFECT_LEFT)
    if shown[0].value is None or abs(shown[0].value) < LEAST_EFFECT:
        outcome = Outcome.UNDECIDED
        why = (
            f"Before, the artefact changes the logit by {shown[0].text()} only: there is nothing to repair, "
            "or it is not this artefact that the model relies on."
        )
    else:
        why = {
            Outcome.PASSED: "What the artefact did to the logit has gone.",
            Outcome.FAILED: "The artefact still moves the logit, whatever the maps show.",
        }.get(outcome, _TOO_FEW)
    return Gate("effect", "Effect of the artefact", outcome, *shown, compared, EFFECT_LEFT, why)


def _left(
    before: Numbers, after: Numbers, present: NDArray[np.bool_], scales: Sequence[Statistic]
) -> Statistic:
    """|mean effect after| by |mean effect before|; the larger of cases with the finding and without it.

    Two opposite effects on the two halves would cancel each other in the mean of all. Where the repair has
    shrunk all logits, the effects are measured by how far each model's logits lie apart without the artefact:
    a head divided by five decides as it did.
    """

    def of(weights: Weights) -> Numbers:
        halves = [weights * present, weights * ~present, weights]
        with np.errstate(invalid="ignore", divide="ignore"):
            means = [[half @ one / half.sum(axis=1) for one in (before, after)] for half in halves]
            left = np.maximum(abs(means[0][1]), abs(means[1][1]))
            shrunk = np.maximum(1, scales[0](weights) / scales[1](weights))
            return np.asarray(shrunk * left / abs(means[2][0]))

    return of


def _spread(values: Numbers) -> Statistic:
    """The standard deviation over cases."""

    def of(weights: Weights) -> Numbers:
        shares = weights / weights.sum(axis=1, keepdims=True)
        return np.asarray(np.sqrt(np.maximum(shares @ values**2 - (shares @ values) ** 2, 0)))

    return of


def _worst_group(pair: _Pair) -> Gate:
    """Accuracy in the worst of four groups: with and without the finding, with and without the artefact."""
    right = [_right(pair, model, point) for model, point in zip(_MODELS, pair.points, strict=True)]
    worst = [partial(_worst, one, pair.present) for one in right]
    gained = pair.estimate(lambda weights: worst[1](weights) - worst[0](weights))
    shown = [pair.estimate(one) for one in worst]
    outcome = _above(gained, 0.0)
    why = {
        Outcome.PASSED: "The group that fared worst fares better.",
        Outcome.FAILED: "The group that fares worst fares no better than before.",
    }.get(outcome, _TOO_FEW)
    return Gate("worst-group", "Accuracy in the worst group", outcome, shown[0], shown[1], gained, 0.0, why)


def _right(pair: _Pair, model: str, point: float) -> NDArray[np.bool_]:
    """Whether each case is told rightly at the operating point, without artefact and with it: (2, case)."""
    log_odds = np.stack([pair.values(model, name) for name in ("without", "having")])
    return np.asarray((expit(log_odds) >= point) == pair.present)


def _worst(right: NDArray[np.bool_], present: NDArray[np.bool_], weights: Weights) -> Numbers:
    """The least of four accuracies; NaN for a resample that lacks a group."""
    shares = [
        ratio(version * half, half)(weights)
        for half in (present, ~present)
        for version in right.astype(np.float64)
    ]
    return np.asarray(np.min(shares, axis=0))


def _discrimination(pair: _Pair) -> Gate:
    """AUC on images without the artefact: what the model knows of the disease itself."""
    areas = [auc(pair.present, pair.values(model, "without")) for model in _MODELS]
    lost = pair.estimate(lambda weights: areas[0](weights) - areas[1](weights))
    shown = [pair.estimate(one) for one in areas]
    outcome = _below(lost, AUC_LOSS)
    why = {
        Outcome.PASSED: "It tells the finding as well as before.",
        Outcome.FAILED: "It tells the finding less well than before.",
    }.get(outcome, _TOO_FEW)
    return Gate("auc", "AUC without the artefact", outcome, shown[0], shown[1], lost, AUC_LOSS, why)


def _localisation(pair: _Pair) -> Gate:
    """Evidence inside readers' marks, where there are any."""
    inside = [np.where(pair.present, pair.values(model, "inside"), np.nan) for model in _MODELS]
    # A map without any support holds nothing inside the marks.
    known = np.isfinite(inside[0]) | np.isfinite(inside[1])
    before, after = (np.where(known, np.nan_to_num(one), np.nan) for one in inside)
    shown, lost = (pair.mean(before), pair.mean(after)), pair.mean(before - after)
    if not known.any():
        why = "No case has a reader's mark (--annotations): not part of the verdict."
        return Gate("localisation", _INSIDE, Outcome.NOT_ASKED, *shown, lost, INSIDE_LOSS, why)
    outcome = _below(lost, INSIDE_LOSS)
    why = {
        Outcome.PASSED: "The evidence lies where readers marked the finding, as before or more so.",
        Outcome.FAILED: "Less of the evidence lies where readers marked the finding.",
    }.get(outcome, _TOO_FEW)
    return Gate("localisation", _INSIDE, outcome, *shown, lost, INSIDE_LOSS, why)


_MODELS = ("before", "after")
_INSIDE = "Evidence inside the marks"
_TOO_FEW = "Too few cases: the interval holds the limit."


def _left_open(gate: Gate) -> Gate:
    """A gate of too few patients: it may fail, and cannot pass."""
    if gate.outcome is not Outcome.PASSED:
        return gate
    why = f"Fewer than {LEAST_PATIENTS} patients have the finding, or have it not: too few to certify."
    return replace(gate, outcome=Outcome.UNDECIDED, why=why)


def _below(found: Estimate, limit: float) -> Outcome:
    """Whether a figure is at most the limit, surely, surely not, or not surely either."""
    low, high = _ends(found)
    if high <= limit:
        return Outcome.PASSED
    return Outcome.FAILED if low > limit else Outcome.UNDECIDED


def _above(found: Estimate, limit: float) -> Outcome:
    low, high = _ends(found)
    if low > limit:
        return Outcome.PASSED
    return Outcome.FAILED if high <= limit else Outcome.UNDECIDED


def _ends(found: Estimate) -> tuple[float, float]:
    """An interval's ends; where every resample gives the same value it is both, where there is none, all."""
    if found.low is not None and found.high is not None:
        return found.low, found.high
    same = found.value is not None and found.patients > 1 and "same value" in found.note
    return (found.value, found.value) if same and found.value is not None else (-np.inf, np.inf)


def _effects(pair: _Pair) -> list[tuple[str, Estimate, Estimate]]:
    """Effects by the way in which they were found, and by what the image shows."""
    groups = {
        "pasted": ~pair.carries,
        "taken out": pair.carries,
        "with the finding": pair.present,
        "without it": ~pair.present,
    }
    return [
        (name, pair.mean_of("before", "effect", chosen), pair.mean_of("after", "effect", chosen))
        for name, chosen in groups.items()
        if chosen.any()
    ]
