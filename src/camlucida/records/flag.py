"""What a radiologist remarks on a map."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import TypeAlias


class FlagReason(StrEnum):
    """What is wrong with the evidence, in the words of the screen."""

    WRONG_PLACE = "wrong place"  # evidence lies where the finding is not
    INCOHERENT = "incoherent"  # scattered, or no shape that the finding could have
    SHORTCUT = "shortcut or device"  # evidence from a marker, a tube, a border: where disease cannot be
    WRONG_SIDE = "wrong side"  # the mirror image of where the finding is
    ARTEFACT = "artefact"  # of the acquisition or of the drawing
    OTHER = "other"  # the text says what


ViewState: TypeAlias = dict[str, str | float | bool | None]
"""What the reader looked at: viewer, slice, opacity, zoom …; bounded, and nothing of a patient."""


@dataclass(frozen=True, slots=True)
class Region:
    """A closed outline on one plane of an image: its corners as (row, column), pixel centres at integers.

    The plane is perpendicular to `axis` of the pixel grid (0: the slices), at the index `at`.
    """

    axis: int
    at: int
    places: tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True)
class Flag:
    """A radiologist's remark on the map of one finding.

    `who` is the name of an access token, or "browser": the station knows no person. `text` is free text:
    it may hold what it should not, so it is never logged.
    """

    finding: str
    reason: FlagReason
    text: str = field(default="", repr=False)
    view: ViewState = field(default_factory=dict, repr=False)
    who: str = ""
    created: datetime | None = None
    region: Region | None = None


class Outcome(StrEnum):
    """What a scientist found a flag to be."""

    CONFIRMED = "confirmed"  # the map is at fault, and nothing repairs it yet
    NOT_A_FAULT = "not a fault"  # the map is right
    REPAIRED = "repaired"  # a later version of the model does not have the fault
    DUPLICATE = "duplicate"  # another flag says the same


@dataclass(frozen=True, slots=True)
class Resolution:
    """What came of a flag, and why; of several the last one holds.

    `repaired_by` is the model that no longer has the fault, as name@version; `duplicate_of` the number of the
    flag that says the same.
    """

    outcome: Outcome
    reason: str = field(repr=False)
    repaired_by: str | None = None
    duplicate_of: int | None = None
    who: str = ""
    created: datetime | None = None
