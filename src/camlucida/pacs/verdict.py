"""What is sent, and what a receiver makes of it, the same for C-STORE and STOW-RS."""

from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple


class Fate(StrEnum):
    """What became of an object that was sent."""

    KEPT = "kept"
    LATER = "later"  # a fault that may pass: try again
    NEVER = "never"  # the receiver will not take it


class Verdict(NamedTuple):
    """What a receiver said, and why, in our own words: its words may hold a patient's."""

    fate: Fate
    reason: str = ""


KEPT = Verdict(Fate.KEPT)


_MEANINGS = (  # how far the status is shifted to the right, what is left, what it means
    (0, 0x0000, Fate.KEPT, ""),
    (0, 0x0111, Fate.KEPT, ""),  # a duplicate: it has it
    (12, 0xB, Fate.KEPT, ""),  # kept, with a warning
    (8, 0xA7, Fate.LATER, "is out of resources"),
    (8, 0xA9, Fate.NEVER, "says that the object does not match its SOP class"),
    (12, 0xC, Fate.NEVER, "cannot understand the object"),
    (0, 0x0122, Fate.NEVER, "does not support the SOP class"),
    (0, 0x0124, Fate.NEVER, "does not allow us to store"),
)


def of_status(status: int) -> Verdict:
    """What a C-STORE status (PS3.4 B.2.3, PS3.7 C), or a failure reason of STOW-RS (PS3.18 I.2.2), means."""
    for shift, value, fate, words in _MEANINGS:
        if status >> shift == value:
            return Verdict(fate, words and f"The receiver {words} ({status:04X}).")
    return Verdict(Fate.LATER, f"The receiver failed ({status:04X}).")


class Parcel(NamedTuple):
    """One instance to send. `path()` is its checked Part 10 file; it raises DamagedBlob."""

    delivery_id: int
    sop_class_uid: str
    sop_instance_uid: str
    transfer_syntax_uid: str
    path: Callable[[], Path]
