"""Which findings of an image are worth the cost of measuring."""

from math import isnan

from camlucida.evaluation.data.seen import Seen
from camlucida.records import Prediction

LIKELY = 0.5
"""Probability from which a finding without an operating point counts as reported."""


def reports(prediction: Prediction, index: int) -> bool:
    """Whether a finding is reported: it reaches its operating point, or without one is likely."""
    reported = prediction.reported(index)
    return prediction.probabilities[index] >= LIKELY if reported is None else reported


def findings_of_interest(seen: Seen, most: int) -> list[str]:
    """The findings that are there, then those that are reported, each by probability; at most `most`.

    Only those of which there are maps. A map of what is neither there nor reported has nothing to explain.
    Of a regression, which reports nothing, the first.
    """
    mapped = [name for name in _names(seen) if all(name in one.findings for one in seen.maps.values())]
    ranked = sorted(mapped, key=lambda name: -_rank(seen, name))
    return [name for name in ranked if _rank(seen, name) > 0][:most]


def _names(seen: Seen) -> list[str]:
    return [finding.name for finding in seen.prediction.findings]


def _rank(seen: Seen, name: str) -> float:
    """2 and the probability where it is there, the probability where it is reported, else 0."""
    index = seen.finding(name)
    probability = seen.prediction.probabilities[index]
    if isnan(probability):
        return 1.0
    if seen.labels.get(name):
        return 2 + probability
    return probability if reports(seen.prediction, index) else 0.0
