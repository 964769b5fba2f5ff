"""What QIDO-RS's parameters ask for, as conditions on the kept headers (PS3.18 8.3.4, PS3.4 C.2.2.2)."""

import re
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from fastapi import HTTPException
from pydicom.datadict import dictionary_keyword, dictionary_VR, tag_for_keyword
from sqlalchemy import ColumnElement, and_, func, or_, select, true
from sqlalchemy.orm import aliased

from camlucida.store.dialects import each_of_json, in_json, is_number, matches
from camlucida.store.tables import InstanceRow

WILD = frozenset({"AE", "CS", "LO", "LT", "PN", "SH", "ST", "UC", "UR", "UT"})
NUMBERS = frozenset({"DS", "FD", "FL", "IS", "SL", "SS", "UL", "US"})
RANGES = {"DA": re.compile(r"\d{8}"), "TM": re.compile(r"\d{2}(\d{2}(\d{2}(\.\d{1,6})?)?)?")}
LONGEST = 1024  # characters of a value
MOST_UIDS = 1000
COLUMNS: Mapping[str, Any] = {
    "StudyInstanceUID": InstanceRow.study_instance_uid,
    "SeriesInstanceUID": InstanceRow.series_instance_uid,
    "SOPInstanceUID": InstanceRow.sop_instance_uid,
    "SOPClassUID": InstanceRow.sop_class_uid,
}
_SHOWN = aliased(InstanceRow)


class Attribute(NamedTuple):
    """An attribute of the data dictionary."""

    keyword: str
    tag: str  # eight hexadecimal digits
    vr: str


def attribute(name: str) -> Attribute:
    """An attribute by its keyword or its tag (PS3.18 8.3.4.1).

    Raises
    ------
    HTTPException
        400: the data dictionary has none of this name.
    """
    try:
        tag = int(name, 16) if re.fullmatch(r"[0-9A-Fa-f]{8}", name) else tag_for_keyword(name)
        keyword = dictionary_keyword(tag or 0)
    except KeyError:
        keyword = ""
    if not keyword or tag is None:
        raise HTTPException(400, "A parameter is neither an attribute of DICOM nor one of QIDO-RS.")
    return Attribute(keyword, f"{tag:08X}", dictionary_VR(tag))


def condition(wanted: Attribute, text: str) -> ColumnElement[bool] | None:
    """What an instance's header must hold; None where every value will do.

    Raises
    ------
    HTTPException
        400: the value cannot be one of this attribute.
    """
    if len(text) > LONGEST and wanted.vr != "UI":
        raise HTTPException(400, f"The value of {wanted.keyword} is longer than {LONGEST} characters.")
    if not text or set(text) == {"*"}:
        return None
    if wanted.keyword in COLUMNS:
        return _is_one_of(COLUMNS[wanted.keyword], text)
    value = _values(InstanceRow.header, wanted)
    return select(1).select_from(value).where(_compared(value.c.value, wanted, text)).exists()


def has_modality(text: str) -> ColumnElement[bool] | None:
    """Studies with a series of one of these modalities (0008,0061)."""
    words = [word for word in re.split(r"[\\,]", text) if word.strip("*")]
    if not words:
        return None
    modality = _SHOWN.header[("00080060", "Value", 0)].as_string()
    first = (
        select(func.min(InstanceRow.id))
        .where(~InstanceRow.conflicting)
        .group_by(InstanceRow.study_instance_uid, InstanceRow.series_instance_uid)
    )
    studies = select(_SHOWN.study_instance_uid).where(
        _SHOWN.id.in_(first), or_(*(matches(modality, _pattern(word.upper())) for word in words))
    )
    return InstanceRow.study_instance_uid.in_(studies)


def _values(header: Any, wanted: Attribute) -> Any:
    """Each value of an attribute; the component groups of a person's name."""
    place = (wanted.tag, "Value", 0) if wanted.vr == "PN" else (wanted.tag, "Value")
    return each_of_json(header, *place).table_valued("value")


def _compared(kept: Any, wanted: Attribute, text: str) -> ColumnElement[bool]:
    value = in_json(kept)
    if wanted.vr == "UI":
        return _is_one_of(value, text)
    if wanted.vr in RANGES:
        return _in_range(value, wanted, text)
    found: ColumnElement[bool]
    if wanted.vr in NUMBERS:
        found = is_number(kept, _number(wanted, text))
    elif wanted.vr == "PN":
        pattern = _pattern(text.rstrip("^").casefold())
        found = matches(func.casefold(func.rtrim(value, "^")), pattern)
    else:
        found = matches(value, _pattern(text)) if wanted.vr in WILD else value == text
    return found


def _is_one_of(value: Any, text: str) -> ColumnElement[bool]:
    found: ColumnElement[bool] = value.in_(_uids(text))
    return found


def _uids(text: str) -> list[str]:
    uids = [uid for uid in re.split(r"[\\,]", text) if uid]
    if len(uids) > MOST_UIDS:
        raise HTTPException(400, f"{len(uids)} UIDs are asked for; at most {MOST_UIDS} are looked up.")
    return uids


def _in_range(value: Any, wanted: Attribute, text: str) -> ColumnElement[bool]:
    """A day or a time, or from one to another, both included; a time as far as it was said."""
    low, dash, high = text.partition("-")
    form = RANGES[wanted.vr]
    if not (low or high) or any(end and not form.fullmatch(end) for end in (low, high)):
        raise HTTPException(400, f"The value of {wanted.keyword} is no {wanted.vr}, and no range of two.")
    if not dash:
        high = low
    until = func.substr(value, 1, len(high)) <= high if high else true()
    return and_(value >= low, until)


def _number(wanted: Attribute, text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise HTTPException(400, f"The value of {wanted.keyword} is no number.") from None


def _pattern(text: str) -> str:
    """Many stars say no more than one, and take much longer."""
    return re.sub(r"\*+", "*", text)


def tags(keywords: Iterable[str]) -> frozenset[str]:
    """Tags as DICOM JSON writes them."""
    return frozenset(f"{tag_for_keyword(keyword):08X}" for keyword in keywords)
