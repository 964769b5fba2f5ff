"""How sure is a figure? Its 95 % interval, from resamples of patients.

Images of one patient are alike, so patients are drawn, with all their images: drawing images would give
intervals that are too narrow. A resample is a row of weights, how often each case is in it, so that a
statistic of all resamples is computed at once (Efron and Tibshirani, An Introduction to the Bootstrap, 1993,
chapter 13: percentile intervals; Saporta et al. 2022 use 1,000 resamples too).
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

DRAWS = 1000
TAIL = 0.025
"""Probability on each side of an interval: it is one of 95 %."""

LEAST_DEFINED = 0.9
"""Share of the resamples that must have a value; of fewer, an interval would be of the lucky ones only."""

LEAST_PATIENTS = 10
"""Of fewer, resamples are too much alike for a verdict: of two, the interval ends at their own values."""

CHUNK_VALUES = 2**21
"""Weights that are held at once: 16 MB."""

Weights: TypeAlias = NDArray[np.float64]
"""How often each case is in each resample: (draw, case)."""

Statistic: TypeAlias = Callable[[Weights], NDArray[np.float64]]
"""A figure of every resample at once: (draw,), NaN where it is not defined."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure with its 95 % interval, and of how many cases and patients it is.

    `value` is None where the figure is not defined, `low` and `high` where there is no interval; `note` says
    why.
    """

    value: float | None
    low: float | None
    high: float | None
    cases: int
    patients: int
    note: str = ""

    def text(self, digits: int = 2) -> str:
        """For a table: "0.78 (0.57 to 0.92)", "0.78", or "–"."""
        if self.value is None:
            return "–"
        shown = f"{self.value:.{digits}f}"
        if self.low is None or self.high is None:
            return shown
        return f"{shown} ({self.low:.{digits}f} to {self.high:.{digits}f})"


def estimate(statistic: Statistic, patients: Sequence[str], *, draws: int = DRAWS, seed: int = 0) -> Estimate:
    """A statistic of cases with its interval; `patients` says whose each case is.

    The same patients and seed give the same resamples, so that statistics of the same cases may be
    subtracted inside one `Statistic`, and their difference has a paired interval.
    """
    cases, people = len(patients), len(set(patients))
    value = float(statistic(np.ones((1, cases)))[0]) if cases else np.nan
    if not np.isfinite(value):
        return Estimate(None, None, None, cases, people, "Not defined for these cases.")
    if people < 2:
        return Estimate(value, None, None, cases, people, "No interval: all cases are of one patient.")
    drawn = np.concatenate([statistic(weights) for weights in resamples(patients, draws, seed)])
    defined = drawn[np.isfinite(drawn)]
    if len(defined) < LEAST_DEFINED * draws:
        why = f"No interval: not defined in {draws - len(defined)} of {draws} resamples."
        return Estimate(value, None, None, cases, people, why)
    if np.ptp(defined) <= 1e-12 * max(1.0, abs(value)):
        return Estimate(value, None, None, cases, people, "No interval: every resample gives the same value.")
    low, high = np.quantile(defined, [TAIL, 1 - TAIL])
    missing = draws - len(defined)
    note = f"Not defined in {missing} of {draws} resamples, which were left out." if missing else ""
    return Estimate(value, float(low), float(high), cases, people, note)


def mean(values: ArrayLike, patients: Sequence[str], *, draws: int = DRAWS, seed: int = 0) -> Estimate:
    """The mean of values (case,) with its interval; a case whose value is NaN is not counted."""
    every = np.asarray(values, np.float64)
    defined = np.isfinite(every)
    whose = [patient for patient, counts in zip(patients, defined, strict=True) if counts]
    return estimate(ratio(every[defined], np.ones(len(whose))), whose, draws=draws, seed=seed)


def proportion(hits: ArrayLike, patients: Sequence[str], *, draws: int = DRAWS, seed: int = 0) -> Estimate:
    """The share of cases (case,) that are hits, with its interval.

    Where all cases are hits, or none, all resamples agree and say nothing; the interval is then the exact one
    (Clopper and Pearson, Biometrika 1934), with patients for trials: the cautious choice.
    """
    found = mean(np.asarray(hits, np.float64), patients, draws=draws, seed=seed)
    if found.value not in {0.0, 1.0}:
        return found
    bound = TAIL ** (1 / found.patients)
    low, high = (bound, 1.0) if found.value else (0.0, 1 - bound)
    return replace(found, low=low, high=high, note="")


def ratio(above: ArrayLike, below: ArrayLike) -> Statistic:
    """The sum of one quantity (case,) by that of another: a mean, or a share of some of the cases."""
    numerator, denominator = np.asarray(above, np.float64), np.asarray(below, np.float64)

    def of(weights: Weights) -> NDArray[np.float64]:
        counted = weights @ denominator
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.asarray(weights @ numerator / counted)

    return of


def resamples(patients: Sequence[str], draws: int = DRAWS, seed: int = 0) -> Iterator[Weights]:
    """Weights (some draws, case) of patients drawn with replacement, as many as there are; in all `draws`."""
    _, whose = np.unique(np.asarray(patients, np.str_), return_inverse=True)
    people = int(whose.max()) + 1
    random = np.random.default_rng(seed)
    at_once = max(1, CHUNK_VALUES // len(patients))
    for start in range(0, draws, at_once):
        count = min(at_once, draws - start)
        drawn = random.integers(people, size=(count, people))
        place = drawn + people * np.arange(count)[:, None]
        times = np.bincount(place.ravel(), minlength=count * people).reshape(count, people)
        yield times[:, whose].astype(np.float64)
