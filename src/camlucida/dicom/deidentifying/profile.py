"""Table E.1-1 of PS3.15 (edition 2026c): which attributes identify someone, and what is done with each."""

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from functools import cache
from importlib.resources import files
from typing import NamedTuple

from pydicom.datadict import dictionary_has_tag, keyword_for_tag
from pydicom.tag import BaseTag, Tag

EDITION = "2026c"


class Action(Enum):
    """What is done with an attribute; the letters of PS3.15 table E.1-1a.

    Where the table leaves a choice by the type that an IOD gives an attribute (X/Z, X/D, Z/D, X/Z/D), the one
    is taken that is valid for every type: a dummy value rather than none.
    """

    KEEP = "K"
    DUMMY = "D"
    EMPTY = "Z"
    REMOVE = "X"
    REPLACE_UID = "U"
    SHIFT_DATE = "C"
    DESCEND = "X/Z/U*"  # a sequence that is kept for the references in it


CONDITIONAL = {"X/Z": Action.EMPTY, "Z/D": Action.DUMMY, "X/D": Action.DUMMY, "X/Z/D": Action.DUMMY}


@dataclass(frozen=True, slots=True)
class Retained:
    """What an export keeps beyond the basic profile, by the options of PS3.15 E.3."""

    modified_dates: bool = False  # E.3.6: dates moved by the same number of days for all of a patient
    patient_characteristics: bool = False  # E.3.7: age, sex, size, weight …
    device_identity: bool = False  # E.3.8


class Row(NamedTuple):
    """One attribute of the table."""

    action: str
    option: str


# Attributes that the table leaves out or leaves to options that are always applied here.
BEYOND_THE_TABLE = {
    "TextValue": Action.DUMMY,  # free text of a report (Clean Structured Content)
    "EncryptedAttributesSequence": Action.REMOVE,  # nobody can look inside
    "HL7InstanceIdentifier": Action.REMOVE,
    "StorageMediaFileSetID": Action.REMOVE,
    "RetrieveURL": Action.REMOVE,
    "RetrieveURI": Action.REMOVE,
    "PixelDataProviderURL": Action.REMOVE,
    "AudioComments": Action.REMOVE,
    "AudioSampleData": Action.REMOVE,
    "TimezoneOffsetFromUTC": Action.REMOVE,
}
# The table removes them, but the IODs that have them need them (type 1): a dummy says as little.
NEEDED = frozenset({"PresentationCreationDate", "PresentationCreationTime"})
# UIDs that say what a thing is, not which one.
KINDS = frozenset(
    (
        "SOPClassUID", "ReferencedSOPClassUID", "ReferencedSOPClassUIDInFile",
        "RelatedGeneralSOPClassUID", "OriginalSpecializedSOPClassUID", "SOPClassesInStudy",
        "SOPClassesSupported", "TransferSyntaxUID", "AvailableTransferSyntaxUID", "CodingSchemeUID",
        "MappingResourceUID", "ContextUID", "ImplementationClassUID",
    )
)  # fmt: skip


@cache
def table() -> Mapping[int, Row]:
    """The rows of the table by tag; the repeating groups and private attributes are in `action_of`."""
    text = files("camlucida.dicom.deidentifying").joinpath("profile.csv").read_text(encoding="utf-8")
    return {
        int(row["tag"], 16): Row(row["action"], row["retained by"])
        for row in csv.DictReader(text.splitlines())
    }


def action_of(tag: BaseTag, vr: str, retained: Retained) -> Action:
    """What is done with an attribute of this tag and value representation."""
    if _unknowable(tag):
        return Action.REMOVE
    keyword = keyword_for_tag(tag)
    row = table().get(int(tag))
    if row is not None and _is_retained(row.option, retained):
        return Action.SHIFT_DATE if row.option == "dates" else Action.KEEP
    if keyword in BEYOND_THE_TABLE:
        return BEYOND_THE_TABLE[keyword]
    if keyword in NEEDED:
        return Action.DUMMY
    if row is not None:
        return CONDITIONAL.get(row.action) or Action(row.action)
    return _unlisted(keyword, vr, retained)


def _is_retained(option: str, retained: Retained) -> bool:
    return {
        "dates": retained.modified_dates,
        "patient": retained.patient_characteristics,
        "device": retained.device_identity,
    }.get(option, False)


def _unlisted(keyword: str, vr: str, retained: Retained) -> Action:
    """Names, UIDs, addresses and dates identify, whatever attribute they are in."""
    if vr == "PN":
        return Action.EMPTY
    if vr == "UI":
        return Action.KEEP if keyword in KINDS else Action.REPLACE_UID
    if vr in ("DA", "DT", "TM"):
        return Action.SHIFT_DATE if retained.modified_dates else Action.EMPTY
    return Action.REMOVE if vr in ("AE", "UR") else Action.KEEP


def _unknowable(tag: BaseTag) -> bool:
    """Private attributes, curves, overlays, group lengths, padding, and what the dictionary does not know."""
    group = tag.group
    return (
        tag.is_private
        or group in (0x0000, 0x0002)
        or 0x5000 <= group <= 0x50FF
        or 0x6000 <= group <= 0x60FF
        or group >= 0xFFFA
        or tag.element == 0
        or not dictionary_has_tag(tag)
    )


def tag_text(tag: BaseTag | int) -> str:
    """`(0010,0010)`, with the keyword where the dictionary has one and nobody private chose it."""
    number = Tag(tag)
    return f"{keyword_for_tag(number) or 'an attribute'} ({number.group:04X},{number.element:04X})"
