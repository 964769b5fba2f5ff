"""Do probabilities mean what they say? Slope and intercept, calibration error, and the reliability curve."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from camlucida.evaluation.intervals import Estimate, Statistic, Weights, proportion

Numbers = NDArray[np.float64]
Flags = NDArray[np.bool_]

BINS = 10
NEWTON_STEPS = 30
LONGEST_STEP = 4.0
"""A longer one is of a regression without an end, or overshoots."""
STEEPEST = 50.0
"""A slope, by standard deviations of the log odds, beyond this: the classes are parted without overlap."""

BY_CHANCE = 200
"""Made-up sets of labels that say what calibration error chance alone gives."""


def slope(present: Flags, log_odds: Numbers) -> Statistic:
    """The slope of a logistic regression of what was the case on the log odds: 1 where they are right.

    Cox, Biometrika 1958; Van Calster et al., BMC Medicine 2019. NaN where the classes do not overlap.
    """
    return lambda weights: _regression(weights, present, log_odds)[1]


def intercept(present: Flags, log_odds: Numbers) -> Statistic:
    """What must be added to all log odds for their mean to be right: calibration in the large.

    Cox, Biometrika 1958, with the slope fixed at 1. Below 0: the probabilities are too high.
    """
    return lambda weights: _offset(weights, present, log_odds)


def error(present: Flags, probability: Numbers, bins: int = BINS) -> Statistic:
    """Expected calibration error over equal bins of probability.

    Naeini et al., AAAI 2015; Guo et al., ICML 2017, eq. 3. It depends on the bins, and is above 0 by chance
    even where every probability is right: `error_by_chance` says how far.
    """
    place = np.minimum((probability * bins).astype(int), bins - 1)
    member = (place[:, None] == np.arange(bins)).astype(np.float64)
    gap = (probability - present)[:, None] * member

    def of(weights: Weights) -> Numbers:
        return np.asarray(np.abs(weights @ gap).sum(axis=1) / weights.sum(axis=1))

    return of


def error_by_chance(probability: Numbers, bins: int = BINS, seed: int = 0) -> float:
    """What a model that is right would show on as many cases: labels drawn from its own probabilities."""
    random = np.random.default_rng(seed)
    one = np.ones((1, len(probability)))
    drawn = [
        error(random.random(len(probability)) < probability, probability, bins)(one)[0]
        for _ in range(BY_CHANCE)
    ]
    return float(np.mean(drawn))


@dataclass(frozen=True, slots=True)
class Bin:
    """Cases of about one probability: what was said, how many of them had the finding, in what interval."""

    said: float
    seen: Estimate


def reliability(
    present: Flags, probability: Numbers, patients: Sequence[str], bins: int = BINS
) -> tuple[Bin, ...]:
    """Reliability curve in bins of nearly equal numbers of cases, from low to high probability.

    Equal bins of probability would hold one case here and a thousand there.
    """
    order = np.argsort(probability, kind="stable")
    parts = [part for part in np.array_split(order, min(bins, len(order)) or 1) if len(part)]
    return tuple(
        Bin(
            float(probability[part].mean()),
            proportion(present[part], [patients[case] for case in part]),
        )
        for part in parts
    )


def _regression(weights: Weights, present: Flags, x: Numbers) -> tuple[Numbers, Numbers]:
    """Intercept and slope (draw,) of weighted logistic regressions, all at once, by Newton's method."""
    centre, spread = float(x.mean()), float(x.std()) or 1.0
    scaled = (x - centre) / spread
    ones = np.ones_like(scaled)
    products = np.stack([ones, scaled, scaled * scaled], axis=1)

    def step(found: Numbers) -> Numbers:
        said = expit(found @ np.stack([ones, scaled]))
        up, along = (weights * (present - said)) @ ones, (weights * (present - said)) @ scaled
        a, b, c = ((weights * said * (1 - said)) @ products).T
        return np.asarray(
            np.stack([c * up - b * along, a * along - b * up], axis=1) / (a * c - b * b)[:, None]
        )

    found = _newton(step, np.zeros((len(weights), 2)))
    slopes = np.where(np.abs(found[:, 1]) < STEEPEST, found[:, 1] / spread, np.nan)
    return found[:, 0] - slopes * centre, slopes


def _offset(weights: Weights, present: Flags, x: Numbers) -> Numbers:
    """Intercept (draw,) of weighted logistic regressions with a slope of 1."""

    def step(found: Numbers) -> Numbers:
        said = expit(found + x)
        above = (weights * (present - said)).sum(axis=1, keepdims=True)
        return np.asarray(above / (weights * said * (1 - said)).sum(axis=1, keepdims=True))

    return _newton(step, np.zeros((len(weights), 1)))[:, 0]


def _newton(step: Callable[[Numbers], Numbers], found: Numbers) -> Numbers:
    """Where the steps (draw, parameter) end; NaN for a draw in which they do not."""
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        for _ in range(NEWTON_STEPS):
            last = step(found)
            found = found + np.clip(last, -LONGEST_STEP, LONGEST_STEP)
            if np.abs(np.nan_to_num(last)).max() < 1e-9:
                break
    settled = np.all(np.abs(last) < 1e-6, axis=1, keepdims=True)
    return np.where(settled, found, np.nan)
