"""What a reader did at the screen: an entry of the audit trail."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from camlucida.records.flag import ViewState


class EventKind(StrEnum):
    """What happened."""

    OPENED = "opened"  # a study; `view` is all of how it is looked at
    CHANGED = (
        "changed"  # something is looked at differently; `view` is what, None where it is as at the start
    )
    LEFT = "left"  # the study
    FLAGGED = "flagged"  # `view` has finding and reason
    JUDGED = "judged"  # a finding was agreed with, or not; `view` has finding and stance
    LOST = "lost"  # the browser could not keep some events; `view` says how many


@dataclass(frozen=True, slots=True)
class Event:
    """One event. `key` is made by whoever saw it happen, so that one that is sent twice is kept once.

    `happened` is by the browser's clock. `tab` tells open pages of one reader apart. Studies, images and
    explanations are named by their opaque keys, which outlast them; "" where none has a part.
    """

    key: str
    kind: EventKind
    happened: datetime
    tab: str = ""
    study: str = ""
    image: str = ""
    explanation: str = ""
    view: ViewState = field(default_factory=dict, repr=False)
