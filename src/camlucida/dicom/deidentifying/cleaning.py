"""Takes the identity out of a data set, by the table and by what its own values say of whom it is."""

import re
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property
from typing import Any

from pydicom._uid_dict import UID_dictionary
from pydicom.datadict import keyword_for_tag
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.multival import MultiValue
from pydicom.sequence import Sequence
from pydicom.sr.coding import Code
from pydicom.tag import BaseTag

from camlucida.dicom import elements
from camlucida.dicom.deidentifying.profile import EDITION, Action, Retained, action_of
from camlucida.dicom.deidentifying.pseudonyms import Key
from camlucida.dicom.deidentifying.traces import Traces, strings
from camlucida.errors import UnreadableFile
from camlucida.version import __version__

REMOVED = "REMOVED"
DUMMY_DATE = "20000101"
DUMMIES: dict[str, Any] = {
    "AE": REMOVED, "AS": "000Y", "CS": REMOVED, "DA": DUMMY_DATE, "DS": "0", "DT": f"{DUMMY_DATE}000000",
    "FD": 0.0, "FL": 0.0, "IS": "0", "LO": REMOVED, "LT": REMOVED, "OB": b"\0\0", "OW": b"\0\0",
    "PN": REMOVED, "SH": REMOVED, "SL": 0, "SS": 0, "ST": REMOVED, "TM": "000000", "UC": REMOVED, "UL": 0,
    "UN": b"\0\0", "UR": "https://removed.invalid", "US": 0, "UT": REMOVED,
}  # fmt: skip
# Sequences of which the item itself says who or where: nothing in it is worth keeping.
DUMMY_CODES = frozenset({"PersonIdentificationCodeSequence", "InstitutionCodeSequence"})
# Texts that camlucida itself has put into a report or onto an image: the finding, the model, the method.
OWN_TEXTS = frozenset({"TextValue", "UnformattedTextValue"})
PIXELS = frozenset({"PixelData", "FloatPixelData", "DoubleFloatPixelData"})
TEXTS = frozenset(
    (
        "AE", "AS", "CS", "DA", "DS", "DT", "IS", "LO", "LT", "PN", "SH", "ST", "TM", "UC", "UI", "UR",
        "UT",
    )
)  # fmt: skip
BLANKABLE = frozenset({"CS", "LO", "LT", "PN", "SH", "ST", "UC", "UT"})
NUMERIC_TEXTS = frozenset({"AS", "DS", "IS"})
DATE_AND_TIME = re.compile(
    r"([0-9]{4})([0-9]{2})([0-9]{2})((?:[0-9]{2}){0,3}(?:\.[0-9]{1,6})?(?:[+-][0-9]{4})?)"
)
TIME = re.compile(r"[0-9]{2,6}(\.[0-9]{1,6})?|[+-][0-9]{4}")
OLDEST_AGE = 89  # years; beyond it an age alone may tell who it is (45 CFR 164.514(b)(2))

BASIC_PROFILE = Code("113100", "DCM", "Basic Application Confidentiality Profile")
CLEAN_GRAPHICS = Code("113103", "DCM", "Clean Graphics Option")
CLEAN_STRUCTURED_CONTENT = Code("113104", "DCM", "Clean Structured Content Option")
MODIFIED_DATES = Code("113107", "DCM", "Retain Longitudinal Temporal Information Modified Dates Option")
PATIENT_CHARACTERISTICS = Code("113108", "DCM", "Retain Patient Characteristics Option")
DEVICE_IDENTITY = Code("113109", "DCM", "Retain Device Identity Option")
# What the declaration says: a patient who happens to be called so is not named by it.
OPTIONS = (
    BASIC_PROFILE, CLEAN_GRAPHICS, CLEAN_STRUCTURED_CONTENT, MODIFIED_DATES, PATIENT_CHARACTERISTICS,
    DEVICE_IDENTITY,
)  # fmt: skip
METHOD = f"camlucida {__version__}, PS3.15 E.1 {EDITION}"
DECLARED = (*(option.meaning for option in OPTIONS), METHOD, DUMMIES["UR"], REMOVED, "MODIFIED", "Removed")


@dataclass(frozen=True)
class Cleaning:
    """How the data sets of one patient are cleaned.

    `ours`: camlucida has written the object, so its texts are about findings, models and methods.
    """

    key: Key
    retained: Retained
    patient: str
    traces: Traces
    ours: bool = False

    @cached_property
    def days(self) -> timedelta:
        """By how much all dates are moved into the past."""
        return timedelta(days=self.key.days(self.patient))

    @cached_property
    def pseudonym(self) -> str:
        """The patient's new ID and name."""
        return self.key.patient(self.patient)

    def clean(self, dataset: Dataset) -> None:
        """Take the identity out of `dataset`, in place, and say in it what was done.

        Raises
        ------
        UnreadableFile
            A value cannot be read, so nobody knows what is in it.
        """
        self._clean_items(dataset)
        dataset.PatientName = dataset.PatientID = self.pseudonym
        self._declare(dataset)

    def _clean_items(self, dataset: Dataset) -> None:
        for tag in sorted(dataset.keys()):
            element = _read(dataset, tag)
            if not self._clean_element(element):
                del dataset[tag]

    def _clean_element(self, element: DataElement) -> bool:
        """Clean one element; whether it may stay."""
        action = action_of(element.tag, element.VR, self.retained)
        keyword = keyword_for_tag(element.tag)
        if action is Action.REMOVE:
            return False
        if self.ours and keyword in OWN_TEXTS:
            action = Action.KEEP
        if element.VR == "SQ":
            self._clean_sequence(element, keyword, action)
        elif action is Action.EMPTY:
            element.clear()
        elif action is Action.REPLACE_UID or (action is Action.DUMMY and element.VR == "UI"):
            self._replace_uids(element)
        elif action is Action.DUMMY:
            element.value = DUMMIES.get(element.VR)
        elif action is Action.SHIFT_DATE:
            self._shift(element)
        elif keyword not in PIXELS:
            return self._keep(element, keyword)
        return True

    def _keep(self, element: DataElement, keyword: str) -> bool:
        """An attribute that the profile lets stay, unless its value names someone."""
        if keyword == "PatientAge":
            element.value = _rounded_age(str(element.value))
        return self._is_clean(element) or self._blank(element)

    def _clean_sequence(self, element: DataElement, keyword: str, action: Action) -> None:
        if action is Action.EMPTY:
            element.value = Sequence()
        elif keyword in DUMMY_CODES and action is Action.DUMMY:
            element.value = Sequence([code_item(Code(REMOVED, "99REMOVED", "Removed"))])
        else:
            for item in element.value:
                self._clean_items(item)

    def _is_clean(self, element: DataElement) -> bool:
        if isinstance(element.value, bytes):
            return self.traces.in_bytes(element.value) is None
        texts = strings(element) if element.VR in TEXTS else []
        return all(self._names_nobody(text, element.VR) for text in texts)

    def _names_nobody(self, text: str, vr: str) -> bool:
        return self.traces.in_text(text, numeric=vr in NUMERIC_TEXTS) is None

    def _blank(self, element: DataElement) -> bool:
        """Put something else in place of values that name someone; False where the attribute has to go."""
        if element.VR not in BLANKABLE:
            return False
        several = element.value if isinstance(element.value, MultiValue) else [element.value]
        kept = [str(one) if self._names_nobody(str(one), element.VR) else REMOVED for one in several]
        element.value = kept if len(kept) > 1 else kept[0]
        return True

    def _replace_uids(self, element: DataElement) -> None:
        several = element.value if isinstance(element.value, MultiValue) else [element.value]
        new = [self._uid(str(one).strip(" \0")) for one in several if one]
        element.value = new if len(new) > 1 else "".join(new)

    def _uid(self, uid: str) -> str:
        return uid if uid in UID_dictionary else self.key.uid(uid)

    def _shift(self, element: DataElement) -> None:
        """Move dates; a time of day stays, and what is neither becomes a dummy."""
        several = element.value if isinstance(element.value, MultiValue) else [element.value]
        texts = [str(one).strip(" \0") for one in several if one]
        if element.VR in ("DA", "DT"):
            new = [self.moved(text) for text in texts]
        else:
            dummy = str(DUMMIES.get(element.VR, ""))
            new = [text if TIME.fullmatch(text) else dummy for text in texts]
        element.value = new if len(new) > 1 else "".join(new)

    def moved(self, text: str) -> str:
        """A date, or a date with a time behind it, moved into the past."""
        found = DATE_AND_TIME.fullmatch(text)
        try:
            moved = date(*map(int, found.groups()[:3])) - self.days if found else None
        except (ValueError, OverflowError):
            moved = None
        return DUMMY_DATE if found is None or moved is None else f"{moved:%Y%m%d}{found[4]}"

    def _declare(self, dataset: Dataset) -> None:
        """Say that the identity is removed, and how (PS3.3 C.7.1.1, CID 7050).

        These are attributes of the patient, so all objects of an export say the same.
        """
        codes = [BASIC_PROFILE, CLEAN_GRAPHICS, CLEAN_STRUCTURED_CONTENT]
        codes += [MODIFIED_DATES] if self.retained.modified_dates else []
        codes += [PATIENT_CHARACTERISTICS] if self.retained.patient_characteristics else []
        codes += [DEVICE_IDENTITY] if self.retained.device_identity else []
        dataset.PatientIdentityRemoved = "YES"
        dataset.DeidentificationMethod = METHOD
        dataset.DeidentificationMethodCodeSequence = Sequence(code_item(code) for code in codes)
        modified = self.retained.modified_dates
        dataset.LongitudinalTemporalInformationModified = "MODIFIED" if modified else "REMOVED"


def code_item(code: Code) -> Dataset:
    """An item of a code sequence (PS3.3 8.8)."""
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator = code.value, code.scheme_designator
    item.CodeMeaning = code.meaning
    return item


def patient_of(dataset: Dataset) -> str:
    """What tells this patient from others: the ID and its issuer, or the study where there is no ID."""
    patient_id = elements.text(dataset, "PatientID")
    if not patient_id:
        return "study\0" + elements.text(dataset, "StudyInstanceUID")
    return f"id\0{patient_id}\0{elements.text(dataset, 'IssuerOfPatientID')}"


def _read(dataset: Dataset, tag: BaseTag) -> DataElement:
    try:
        return dataset[tag]
    except Exception:  # noqa: BLE001 - a conversion of a hostile value may raise anything
        raise UnreadableFile(
            f"The attribute ({tag.group:04X},{tag.element:04X}) has a damaged value; it may name anyone."
        ) from None


def _rounded_age(age: str) -> str:
    """An age as it is, but 90 years for all who are older than 89."""
    return "090Y" if age[-1:] == "Y" and age[:-1].isdigit() and int(age[:-1]) > OLDEST_AGE else age
