"""What happened at the station, at a screen or by itself: an entry of the audit trail."""

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
    FLAGGED = "flagged"  # `view` has the flag's number, finding and reason
    JUDGED = "judged"  # a finding was agreed with, or not; `view` has finding and stance
    LOST = "lost"  # the browser could not keep some events; `view` says how many
    IMPORTED = "imported"  # an image was kept; `view` says of what origin
    EXPLAINED = "explained"  # an explanation was kept, refused or has failed; `view` says which
    ASKED = "asked"  # somebody wants an explanation; `view` has model and method
    CANCELLED = "cancelled"  # what was wanted is wanted no more
    TRIED_AGAIN = "tried again"  # what had failed is wanted again; `view` says what
    RESOLVED = "resolved"  # a flag was; `view` has its number and the outcome
    EXPORTED = "exported"  # results, flags or events were written for use elsewhere; `view` says what
    RETRIEVED = "retrieved"  # of a study by DICOMweb; told once in ten minutes
    SENT = "sent"  # a result reached another node; `view` says which node
    SIGNED_IN = "signed in"
    SIGNED_OUT = "signed out"
    SIGN_IN_REFUSED = "sign-in refused"  # `view` says why, never what was typed
    USER_CHANGED = "user changed"  # added, disabled, given other roles; `view` says which
    TOKEN_CHANGED = "token changed"  # noqa: S105 - no password: an access token was added or revoked
    SETTING_CHANGED = "setting changed"  # `view` has name and value, never a secret
    MODEL_CHANGED = "model changed"  # became current or was retired; `view` has its name and version
    DAMAGED = "damaged"  # a kept file was found damaged or missing; `view` has its digest
    PRUNED = "pruned"  # kept files were removed by a rule of retention; `view` says how many
    BACKED_UP = "backed up"
    RESTORED = "restored"


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
