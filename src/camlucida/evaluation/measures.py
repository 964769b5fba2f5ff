"""What a measure is: its name, its unit, which way is better, and where it comes from."""

from dataclasses import dataclass
from enum import StrEnum


class Better(StrEnum):
    """Which way a measure's value is better."""

    HIGHER = "higher"
    LOWER = "lower"
    NEITHER = "neither"  # describes, and judges nothing


class Topic(StrEnum):
    """The chapter of the report that a measure belongs to."""

    CLASSIFICATION = "classification"
    LOCALISATION = "localisation"
    FAITHFULNESS = "faithfulness"
    SANITY = "sanity"
    ROBUSTNESS = "robustness"
    COHERENCE = "coherence"
    COST = "cost"
    SHORTCUT = "shortcut"


@dataclass(frozen=True, slots=True)
class Measure:
    """One measure.

    `sentence` says in plain words what the number means, with its trap where it has one; `source` is the
    paper and where in it. `digits` are those after the point that are worth showing.
    """

    key: str
    title: str
    topic: Topic
    better: Better
    sentence: str
    source: str
    unit: str = ""
    digits: int = 2
