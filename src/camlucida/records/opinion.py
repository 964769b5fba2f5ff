"""Whether a reader agrees with what a model says of a finding."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Stance(StrEnum):
    """What a reader thinks of a finding, as the model reports it."""

    AGREE = "agree"
    DISAGREE = "disagree"
    WITHDRAWN = "withdrawn"  # neither any longer


@dataclass(frozen=True, slots=True)
class Opinion:
    """A reader's stance on one finding of an explained image; `who` is as in a flag."""

    finding: str
    stance: Stance
    who: str = ""
    created: datetime | None = None
