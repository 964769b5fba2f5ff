"""The header of any instance, image or not: who it is, and what is searched of it (QIDO-RS, routing)."""

import re
from pathlib import Path
from typing import Any

from pydicom.datadict import tag_for_keyword
from pydicom.dataset import Dataset
from pydicom.filereader import read_dataset, read_preamble
from pydicom.tag import BaseTag

from camlucida.dicom.container import open_dataset, reading
from camlucida.dicom.elements import naming, text
from camlucida.errors import UnreadableFile
from camlucida.records import InstanceHeader

IMPLICIT_LITTLE_ENDIAN = "1.2.840.10008.1.2"
UID = re.compile(r"[0-9]+(\.[0-9]+)+")
LONGEST_UID = 64
LONGEST_VALUE = 1024  # characters of a value that is searched; longer ones are left out

# What QIDO-RS finds at each level (PS3.18 10.6.3.3), and what rules and worklists ask for.
STUDY_LEVEL = (
    "SpecificCharacterSet", "StudyDate", "StudyTime", "AccessionNumber", "ReferringPhysicianName",
    "TimezoneOffsetFromUTC", "PatientName", "PatientID", "IssuerOfPatientID", "PatientBirthDate",
    "PatientSex", "PatientAge", "StudyInstanceUID", "StudyID", "StudyDescription", "InstitutionName",
)  # fmt: skip
SERIES_LEVEL = (
    "Modality", "SeriesDescription", "SeriesInstanceUID", "SeriesNumber", "SeriesDate", "SeriesTime",
    "PerformedProcedureStepStartDate", "PerformedProcedureStepStartTime", "BodyPartExamined", "Laterality",
    "ProtocolName", "Manufacturer", "ManufacturerModelName", "StationName", "FrameOfReferenceUID",
)  # fmt: skip
INSTANCE_LEVEL = (
    "SOPClassUID", "SOPInstanceUID", "InstanceNumber", "ImageType", "ViewPosition", "ImageLaterality",
    "ContentDate", "ContentTime", "AcquisitionNumber", "Rows", "Columns", "BitsAllocated", "BitsStored",
    "NumberOfFrames", "SamplesPerPixel", "PhotometricInterpretation", "PixelSpacing", "ContentLabel",
    "ImagePositionPatient", "ImageOrientationPatient", "BurnedInAnnotation",
)  # fmt: skip
SEARCHED = STUDY_LEVEL + SERIES_LEVEL + INSTANCE_LEVEL


def read_header(path: Path) -> InstanceHeader:
    """Read a file's header.

    Raises
    ------
    UnreadableFile
        It is not DICOM, damaged, or one of its five UIDs is missing or not a UID (PS3.5 9.1).
    FileTooLarge
        It is larger than the setting `max_file_bytes`.
    """
    with reading(path.name, []):
        dataset = open_dataset(path, pixels=False)
        meta, content_offset = file_meta(path)
        return InstanceHeader(
            sop_class_uid=_uid(dataset, "SOPClassUID"),
            sop_instance_uid=_uid(dataset, "SOPInstanceUID"),
            study_instance_uid=_uid(dataset, "StudyInstanceUID"),
            series_instance_uid=_uid(dataset, "SeriesInstanceUID"),
            transfer_syntax_uid=_uid(meta, "TransferSyntaxUID", IMPLICIT_LITTLE_ENDIAN),
            attributes=searched(dataset),
            content_offset=content_offset,
        )


def searched(dataset: Dataset) -> dict[str, Any]:
    """DICOM JSON of the attributes in `SEARCHED` that are there and can be read."""
    found: dict[str, Any] = {}
    for keyword in SEARCHED:
        tag = tag_for_keyword(keyword)
        if tag is None or tag not in dataset:
            continue
        try:
            described = dataset[tag].to_json_dict(lambda _: "", LONGEST_VALUE)
            length = len(str(described.get("Value", "")))
        except Exception:  # noqa: BLE001, S112 - a broken value is not searched; reading the image tells it
            continue
        if length <= LONGEST_VALUE and "BulkDataURI" not in described:
            found[f"{tag:08X}"] = described
    return found


def file_meta(path: Path) -> tuple[Dataset, int]:
    """The file meta group (PS3.10 7.1), empty where there is none, and where the data set begins."""
    with path.open("rb") as file:
        read_preamble(file, force=True)
        begin = file.tell()
        if file.read(2) != b"\x02\x00":
            return Dataset(), begin
        file.seek(begin)
        meta = read_dataset(file, is_implicit_VR=False, is_little_endian=True, stop_when=_behind_meta)
        return meta, file.tell()


def is_uid(text: str) -> bool:
    """Whether this is a UID (PS3.5 9.1), which also means that it may be put into an address."""
    return len(text) <= LONGEST_UID and UID.fullmatch(text) is not None


def _behind_meta(tag: BaseTag, _vr: str | None, _length: int) -> bool:
    return tag.group != 2


def _uid(dataset: Dataset, keyword: str, otherwise: str = "") -> str:
    found = text(dataset, keyword) or otherwise
    if not is_uid(found):
        raise UnreadableFile(
            f"{naming(keyword)} is missing or not a UID; PS3.5 9.1 wants digits and dots, at most 64."
        )
    return found
