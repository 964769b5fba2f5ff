"""Search another node or server: QIDO-RS (PS3.18 10.6) or C-FIND (PS3.4 C.4.1), studies and their priors.

What is answered is checked against what was asked: a server that does not know an attribute answers with
everything.
"""

import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, NamedTuple

from pydicom.dataset import Dataset
from pydicom.multival import MultiValue
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian
from pynetdicom import build_context

from camlucida.dicom.header import is_uid
from camlucida.errors import InputError, NotReached
from camlucida.pacs import dicomweb
from camlucida.pacs.configuration import Destination, DicomWeb, Dimse
from camlucida.pacs.requestor import NothingAccepted, address, associated

STUDY_ROOT_FIND = "1.2.840.10008.5.1.4.1.2.2.1"
MOST_STUDIES = 200  # answers to a search; a patient with more is narrowed down by other words
MOST_SERIES = 1000
SEARCH_SECONDS = 120.0  # for all answers of a node
STUDY_WORDS = (
    *("StudyInstanceUID", "PatientID", "AccessionNumber"),
    *("StudyDate", "StudyTime", "ModalitiesInStudy", "NumberOfStudyRelatedInstances"),
)
SERIES_WORDS = ("SeriesInstanceUID", "Modality", "BodyPartExamined")
NO_IMAGES = frozenset({"SR", "KO", "PR", "SEG", "DOC", "OT", "REG", "RTSTRUCT", "AU"})
PENDING = frozenset({0xFF00, 0xFF01})
UNCOMPRESSED = (str(ExplicitVRLittleEndian), str(ImplicitVRLittleEndian))
NOT_ALLOWED = re.compile(r"[*?\\\x00-\x1f\x7f]")  # wildcards and lists would mean other patients, too


@dataclass(frozen=True)
class Query:
    """What is looked for: all that is given has to hold, exactly."""

    study_instance_uid: str = ""
    accession_number: str = ""
    patient_id: str = ""
    modality: str = ""

    def __post_init__(self) -> None:
        """Refuse what would mean anybody's study."""
        if not (self.study_instance_uid or self.accession_number or self.patient_id):
            raise InputError("A Study Instance UID, an accession number or a patient ID is needed.")
        if any(NOT_ALLOWED.search(getattr(self, field.name)) for field in fields(self)):
            raise InputError(
                "`*`, `?` and `\\` would mean more than one patient's studies; give the exact value."
            )


class Study(NamedTuple):
    """A study that the other side has. All but the modalities is a patient's: not for logs."""

    uid: str
    patient_id: str
    accession_number: str
    date: str
    time: str
    modalities: tuple[str, ...]
    instances: int | None


class Series(NamedTuple):
    """A series of a study, of which the body part is asked for."""

    uid: str
    modality: str
    body_part: str


def find_studies(source: Destination, query: Query) -> list[Study]:
    """Studies that the other side has and that are what was asked for, newest first.

    Raises
    ------
    NotReached
        It does not answer, refuses us, or takes no searches.
    """
    matching = {
        "StudyInstanceUID": query.study_instance_uid,
        "AccessionNumber": query.accession_number,
        "PatientID": query.patient_id,
    }
    answers = _search(source, "STUDY", {word: one for word, one in matching.items() if one}, STUDY_WORDS)
    found = [study for study in map(_study, answers) if study is not None and _is_meant(study, query)]
    return sorted(dict.fromkeys(found), key=lambda study: (study.date, study.time), reverse=True)


def find_priors(source: Destination, study: Study, number: int) -> list[Study]:
    """Earlier studies of the same patient, with a modality and a body part in common, newest first.

    What is not said (a study without a body part) counts as in common.

    Raises
    ------
    NotReached
        As `find_studies`.
    """
    if not study.patient_id or number < 1:
        return []
    modalities = set(study.modalities) - NO_IMAGES
    parts: set[str] | None = None
    found: list[Study] = []
    for other in find_studies(source, Query(patient_id=study.patient_id)):
        earlier = other.uid != study.uid and (other.date, other.time) <= (study.date, study.time)
        if not earlier or (modalities and other.modalities and not modalities & set(other.modalities)):
            continue
        if parts is None:
            parts = _body_parts(source, study.uid)
        others = _body_parts(source, other.uid) if parts else set()
        if not parts or not others or parts & others:
            found.append(other)
        if len(found) == number:
            break
    return found


def series_of(source: Destination, study_uid: str) -> list[Series]:
    """The series of a study.

    Raises
    ------
    NotReached
        As `find_studies`.
    """
    answers = _search(source, "SERIES", {"StudyInstanceUID": study_uid}, SERIES_WORDS)
    found = (
        Series(one.get("SeriesInstanceUID", ""), one.get("Modality", ""), one.get("BodyPartExamined", ""))
        for one in answers
    )
    return [one for one in found if is_uid(one.uid)]


def _body_parts(source: Destination, study_uid: str) -> set[str]:
    series = series_of(source, study_uid)
    return {one.body_part.upper() for one in series if one.body_part and one.modality not in NO_IMAGES}


def _search(
    source: Destination, level: str, matching: Mapping[str, str], wanted: Sequence[str]
) -> list[dict[str, str]]:
    """Answers as words and texts; several values are joined by a backslash."""
    if isinstance(source, DicomWeb):
        return _by_qido(source, level, matching, wanted)
    return _by_find(source, level, matching, wanted)


def _by_qido(
    source: DicomWeb, level: str, matching: Mapping[str, str], wanted: Sequence[str]
) -> list[dict[str, str]]:
    resource, most, asked = "studies", MOST_STUDIES, dict(matching)
    if level == "SERIES":
        resource, most = f"studies/{asked.pop('StudyInstanceUID')}/series", MOST_SERIES
    found = dicomweb.search(source, resource, asked, wanted, most)
    return [_texts(one) for one in found]


def _texts(answer: Mapping[str, Any]) -> dict[str, str]:
    try:
        return _words(Dataset.from_json(dict(answer)))
    except Exception:  # noqa: BLE001 - whatever is wrong with one answer: it is none
        return {}


def _words(answer: Dataset | None) -> dict[str, str]:
    try:
        return {one.keyword: _text(one.value) for one in answer or () if one.VR != "SQ"}
    except Exception:  # noqa: BLE001 - as above
        return {}


def _by_find(
    source: Dimse, level: str, matching: Mapping[str, str], wanted: Sequence[str]
) -> list[dict[str, str]]:
    most = MOST_STUDIES if level == "STUDY" else MOST_SERIES
    found: list[dict[str, str]] = []
    last, until = Dataset(), time.monotonic() + SEARCH_SECONDS
    try:
        with associated(source, [build_context(STUDY_ROOT_FIND, list(UNCOMPRESSED))]) as association:
            for status, answer in association.send_c_find(_asking(level, matching, wanted), STUDY_ROOT_FIND):
                last = status
                if status.get("Status") in PENDING:
                    found.append(_words(answer))
                if time.monotonic() > until:
                    raise NotReached(f"{address(source)} takes too long to answer a search.")
                if len(found) == most:
                    association.abort()
                    return found
    except NothingAccepted:
        raise NotReached(f"{address(source)} takes no searches (C-FIND).") from None
    if last.get("Status") != 0x0000:
        code = f" (status {last.Status:04X})" if "Status" in last else ""
        raise NotReached(f"{address(source)} does not answer a search as it should{code}.")
    return found


def _asking(level: str, matching: Mapping[str, str], wanted: Sequence[str]) -> Dataset:
    identifier = Dataset()
    identifier.SpecificCharacterSet = "ISO_IR 192"
    identifier.QueryRetrieveLevel = level
    for word in wanted:
        setattr(identifier, word, None)
    for word, value in matching.items():
        setattr(identifier, word, value)
    return identifier


def _text(value: Any) -> str:
    if isinstance(value, list | tuple | MultiValue):
        return "\\".join(str(one) for one in value)
    return "" if value is None else str(value)


def _study(answer: Mapping[str, str]) -> Study | None:
    if not is_uid(answer.get("StudyInstanceUID", "")):
        return None
    count = answer.get("NumberOfStudyRelatedInstances", "")
    modalities = answer.get("ModalitiesInStudy", "")
    return Study(
        answer["StudyInstanceUID"],
        answer.get("PatientID", "").strip(),
        answer.get("AccessionNumber", "").strip(),
        answer.get("StudyDate", ""),
        answer.get("StudyTime", ""),
        tuple(one for one in modalities.split("\\") if one),
        int(count) if count.isascii() and count.isdigit() else None,
    )


def _is_meant(study: Study, query: Query) -> bool:
    return (
        query.study_instance_uid in {"", study.uid}
        and query.accession_number.strip() in {"", study.accession_number}
        and query.patient_id.strip() in {"", study.patient_id}
        and (not query.modality or not study.modalities or query.modality in study.modalities)
    )
