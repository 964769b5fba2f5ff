"""The strings that identify someone in a file, and the search for them in text and in bytes.

Names are searched word by word, identifiers and institutions whole, dates in the ways in which they are
written, and all of them in the encodings that DICOM files and the things inside them use. A string of three
or four characters is found as a word of its own; one that is shorter says too little to be searched.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import Enum
from functools import cached_property

from pydicom._uid_dict import UID_dictionary
from pydicom.datadict import keyword_for_tag
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.multival import MultiValue
from pydicom.sequence import Sequence

from camlucida.dicom.deidentifying.profile import KINDS, Action, Retained, action_of, tag_text

SHORTEST = 3
SHORTEST_FOREIGN = 2  # a Chinese or Korean name may be two characters
SUBSTRING = 5  # from here on a string is found inside other words, too
CHUNK = 16 << 20
ENCODINGS = (
    "latin_1", "utf_8", "utf_16_le", "utf_16_be",
    *(f"iso8859_{part}" for part in (2, 3, 4, 5, 6, 7, 8, 9, 11, 13, 15)),
    "gb18030", "euc_kr", "shift_jis", "euc_jp", "iso2022_jp", "iso2022_kr", "iso2022_jp_2", "cp1252",
)  # fmt: skip
TITLES = frozenset(
    (
        "prof", "professor", "doctor", "miss", "mrs", "ms", "mr", "phd", "med", "dipl", "herr", "frau",
        "anonymous", "anonymized", "anonymised", "unknown", "none", "null", "removed",
    )
)  # fmt: skip
IDENTIFIERS = frozenset(
    (
        "PatientID", "OtherPatientIDs", "IssuerOfPatientID", "AccessionNumber", "StudyID", "AdmissionID",
        "IssuerOfAdmissionID", "ServiceEpisodeID", "IssuerOfServiceEpisodeID", "MedicalRecordLocator",
        "InsurancePlanIdentification", "RequestedProcedureID", "ScheduledProcedureStepID",
        "PerformedProcedureStepID", "PlacerOrderNumberImagingServiceRequest",
        "FillerOrderNumberImagingServiceRequest", "SpecimenIdentifier", "SpecimenAccessionNumber",
        "ContainerIdentifier", "BarcodeValue", "ClinicalTrialSubjectID", "ClinicalTrialSubjectReadingID",
        "ClinicalTrialProtocolID", "ClinicalTrialSiteID", "ClinicalTrialSiteName",
        "ClinicalTrialSponsorName", "PatientAddress", "PatientTelephoneNumbers",
        "PatientTelecomInformation", "PatientInstitutionResidence", "CurrentPatientLocation",
        "ReferringPhysicianAddress", "ReferringPhysicianTelephoneNumbers", "PersonAddress",
        "PersonTelephoneNumbers", "PersonTelecomInformation", "OrderCallbackPhoneNumber",
        "OrderCallbackTelecomInformation", "InstitutionName", "InstitutionAddress",
        "InstitutionalDepartmentName", "ResponsibleOrganization", "RequestingService",
        "VerifyingOrganization", "HumanPerformerOrganization", "StationName", "PerformedStationName",
        "ScheduledStationName", "DeviceSerialNumber", "DetectorID", "PlateID", "CassetteID", "GantryID",
        "GeneratorID", "LensSerialNumber", "SourceSerialNumber", "UniqueDeviceIdentifier",
        "StationAETitle", "PerformedStationAETitle", "ScheduledStationAETitle", "RetrieveAETitle",
        "SourceApplicationEntityTitle", "SendingApplicationEntityTitle",
        "ReceivingApplicationEntityTitle",
    )
)  # fmt: skip
NOT_OF_A_PATIENT = frozenset(
    (
        "ContextGroupVersion", "ContextGroupLocalVersion", "TemplateVersion", "TemplateLocalVersion",
    )
)  # fmt: skip
NUMBER = re.compile(r"[0-9.]+")
DATE = re.compile(r"[0-9]{8}")
SHIFTS = re.compile(rb"\x1b[ -/]+[0-~]|[\x0e\x0f]")  # escape sequences and shifts of ISO 2022
DIGEST = re.compile(r"[0-9a-f]{64}")  # of a model, which is the serial number of what camlucida writes
DUMMY_DATES = frozenset({"20000101", "00010101", "19000101"})  # they say nothing, and one of them is ours


class Kind(Enum):
    """How a trace is searched."""

    WORD = "word"
    NUMBER = "number"  # digits and dots: not as a part of a longer number
    DATE = "date"  # digits may follow: a time


@dataclass(frozen=True, slots=True)
class Trace:
    """One identifying string and the attribute that it is in."""

    text: str
    kind: Kind
    attribute: str

    @property
    def pattern(self) -> str:
        """A regular expression for lower-case text, with the bounds of what must be a word of its own."""
        escaped = re.escape(self.text.lower())
        if self.kind is Kind.DATE:
            return rf"(?<![0-9]){escaped}"
        if self.kind is Kind.NUMBER:
            return rf"(?<![0-9])(?<![0-9]\.){escaped}(?![0-9])(?!\.[0-9])"
        if len(self.text) < SUBSTRING and self.text.isascii():
            return rf"(?<![^\W_]){escaped}(?![^\W_])"
        return escaped

    @property
    def is_short(self) -> bool:
        """Whether chance alone may put it into bytes that are no text."""
        return self.text.isascii() and len(self.text) < SUBSTRING

    @property
    def is_short_number(self) -> bool:
        """Whether a measurement may have the same value."""
        return self.is_short and self.kind is Kind.NUMBER


class Traces:
    """All identifying strings of a file, without those that its copy may hold."""

    def __init__(self, traces: Iterable[Trace], allowed: Iterable[str] = ()) -> None:
        dropped = {word.lower() for word in allowed}
        unique = {trace.text.lower(): trace for trace in traces if trace.text.lower() not in dropped}
        self.all = sorted(unique.values(), key=lambda trace: -len(trace.text))

    def without(self, allowed: Iterable[str]) -> "Traces":
        """The same without these strings."""
        return Traces(self.all, allowed)

    def joined(self, other: "Traces") -> "Traces":
        """These and the other ones."""
        return Traces([*self.all, *other.all])

    def __len__(self) -> int:
        return len(self.all)

    def in_text(self, text: str, *, numeric: bool = False) -> str | None:
        """The attribute whose value, or a part of it, is in `text`; None where none is.

        A `numeric` text is a measurement: that it is a number of up to four digits says nothing.
        """
        if self._expression is None:
            return None
        for match in self._expression.finditer(text.lower()):
            trace = self.all[int(str(match.lastgroup)[1:])]
            if not (numeric and trace.is_short_number):
                return trace.attribute
        return None

    def in_bytes(self, data: bytes, *, opaque: bool = False) -> str | None:
        """The attribute that is in `data` in any encoding; `opaque` bytes are pixels, which are no text.

        In opaque bytes strings of fewer than five characters are not searched, because chance puts them
        there, and numbers of fewer than five digits in none, because measurements are numbers: `in_text`
        looks for those.
        """
        for begin in range(0, max(len(data), 1), CHUNK):
            part = data[begin : begin + CHUNK + 512].lower()
            if not opaque and b"\x1b" in part:  # a name may change its character set in its middle
                part += bytes(1) + SHIFTS.sub(b"", part)
            for pattern, trace in self._encoded:
                by_chance = trace.is_short or len(pattern) < SUBSTRING
                if trace.is_short_number or (opaque and by_chance):
                    continue
                if _holds(part, pattern, trace):
                    return trace.attribute
        return None

    @cached_property
    def _expression(self) -> re.Pattern[str] | None:
        alternatives = [f"(?P<t{index}>{trace.pattern})" for index, trace in enumerate(self.all)]
        return re.compile("|".join(alternatives)) if alternatives else None

    @cached_property
    def _encoded(self) -> tuple[tuple[bytes, Trace], ...]:
        found: dict[bytes, Trace] = {}
        for trace in self.all:
            for pattern in _encodings(trace.text):
                found.setdefault(pattern, trace)
        return tuple(found.items())


def _holds(data: bytes, pattern: bytes, trace: Trace) -> bool:
    if pattern not in data:
        return False
    if b"\0" in pattern or not trace.text.isascii():
        return True
    return re.search(trace.pattern.encode(), data) is not None


def _encodings(text: str) -> Iterator[bytes]:
    """The text in every encoding that has its characters, ASCII letters in lower case."""
    cases = {text} if text.isascii() else {text, text.lower(), text.upper(), text.title()}
    for case in cases:
        for encoding in ENCODINGS:
            try:
                encoded = case.encode(encoding)
            except UnicodeError:
                continue
            if encoding.startswith("iso2022"):
                encoded = SHIFTS.sub(b"", encoded)
            # Without the zero byte at an end, UTF-16 in one order is in the other where all is ASCII.
            yield encoded.strip(b"\0").lower()


def traces_of(dataset: Dataset, retained: Retained) -> Traces:
    """The identifying strings of a data set, at every depth, but for those that are retained."""
    return Traces(_gather(dataset, retained))


def _gather(dataset: Dataset, retained: Retained) -> Iterator[Trace]:
    for element in dataset:
        if element.VR == "SQ":
            for item in element.value or ():
                yield from _gather(item, retained)
        elif not element.tag.is_private:
            yield from _traces_in(element, retained)


def _traces_in(element: DataElement, retained: Retained) -> Iterator[Trace]:
    keyword = keyword_for_tag(element.tag)
    action = action_of(element.tag, element.VR, retained)
    attribute = tag_text(element.tag)
    if keyword in IDENTIFIERS and action is not Action.KEEP:
        yield from _whole(element, attribute)
    elif element.VR == "PN":
        yield from _names(element, attribute)
    elif element.VR in ("DA", "DT") and keyword not in NOT_OF_A_PATIENT:
        for text in strings(element):
            yield from _date(text, attribute)
    elif element.VR == "UI" and keyword not in KINDS and action is not Action.KEEP:
        for text in strings(element):
            if text not in UID_dictionary and len(text) >= SUBSTRING:
                yield Trace(text, Kind.NUMBER if NUMBER.fullmatch(text) else Kind.WORD, attribute)


def _whole(element: DataElement, attribute: str) -> Iterator[Trace]:
    for text in strings(element):
        if len(text) >= SHORTEST and text.lower() not in TITLES and not DIGEST.fullmatch(text):
            yield Trace(text, Kind.NUMBER if NUMBER.fullmatch(text) else Kind.WORD, attribute)


def _names(element: DataElement, attribute: str) -> Iterator[Trace]:
    for text in strings(element):
        for word in re.split(r"[\s^=,;.()]+", text):
            enough = SHORTEST if word.isascii() else SHORTEST_FOREIGN
            if len(word) >= enough and word.lower() not in TITLES:
                yield Trace(word, Kind.NUMBER if NUMBER.fullmatch(word) else Kind.WORD, attribute)


def _date(text: str, attribute: str) -> Iterator[Trace]:
    if not DATE.match(text) or text[:8] in DUMMY_DATES:
        return
    year, month, day = text[:4], text[4:6], text[6:8]
    yield Trace(text[:8], Kind.DATE, attribute)
    for order in ((year, month, day), (day, month, year), (month, day, year)):
        for mark in "-./":
            yield Trace(mark.join(order), Kind.DATE, attribute)


def strings(element: DataElement) -> list[str]:
    """The values of an element as text, without padding; nothing for numbers, bytes and sequences."""
    value = element.value
    if value is None or isinstance(value, bytes | Sequence):
        return []
    several = value if isinstance(value, MultiValue | list | tuple) else [value]
    return [text for text in (str(one).strip(" \0") for one in several) if text]
