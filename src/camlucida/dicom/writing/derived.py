"""What all written objects have in common: patient, study, series, equipment, dates, file header.

Patient and study are those of the source, word for word, so that the objects join its study in any archive
(PS3.3 C.7.1, C.7.2). Everything else follows from the explanation, nothing from the clock.
"""

import json
import re
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any

from highdicom.content import AlgorithmIdentificationSequence
from pydicom import config
from pydicom.datadict import dictionary_VR, tag_for_keyword
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code
from pydicom.uid import UID, ExplicitVRLittleEndian

from camlucida.dicom import elements
from camlucida.dicom.thread_warnings import warned
from camlucida.dicom.writing.codes import OWN_SCHEME
from camlucida.dicom.writing.material import Material
from camlucida.errors import UnreadableFile
from camlucida.records.method_name import spelling
from camlucida.version import __version__

MANUFACTURER = "camlucida"
IMPLEMENTATION_CLASS_UID = UID("2.25.270838137926834421903829402087139205172")
ARTIFICIAL_INTELLIGENCE = codes.cid7162.ArtificialIntelligence
UNICODE = "ISO_IR 192"
# Characters of a Short String, a Code String, a Long String and a Short Text (PS3.5 6.2).
LONGEST_SH = LONGEST_CS = 16
LONGEST_LO, LONGEST_ST = 64, 1024

PATIENT = (
    "PatientName", "PatientID", "IssuerOfPatientID", "IssuerOfPatientIDQualifiersSequence", "TypeOfPatientID",
    "PatientBirthDate", "PatientBirthTime", "PatientSex", "OtherPatientIDsSequence",
    "OtherPatientNames", "EthnicGroup", "PatientComments", "QualityControlSubject",
    "PatientSpeciesDescription", "PatientIdentityRemoved", "DeidentificationMethod",
    "DeidentificationMethodCodeSequence",
    "ClinicalTrialSponsorName", "ClinicalTrialProtocolID", "ClinicalTrialProtocolName", "ClinicalTrialSiteID",
    "ClinicalTrialSiteName", "ClinicalTrialSubjectID", "ClinicalTrialSubjectReadingID",
)  # fmt: skip
STUDY = (
    "StudyInstanceUID", "StudyDate", "StudyTime", "ReferringPhysicianName", "StudyID", "AccessionNumber",
    "IssuerOfAccessionNumberSequence", "StudyDescription", "PhysiciansOfRecord", "ConsultingPhysicianName",
    "NameOfPhysiciansReadingStudy", "ReferencedStudySequence", "ProcedureCodeSequence",
    "AdmittingDiagnosesDescription", "PatientAge", "PatientSize", "PatientWeight", "Occupation",
    "AdditionalPatientHistory", "MedicalAlerts", "Allergies", "PregnancyStatus", "PatientSexNeutered",
    "SmokingStatus", "PatientState", "AdmissionID", "ClinicalTrialTimePointID",
    "ClinicalTrialTimePointDescription", "LongitudinalTemporalInformationModified",
)  # fmt: skip
BODY_PART = ("BodyPartExamined", "Laterality")
IMAGED = (*BODY_PART, "ImageLaterality", "PatientOrientation")
SIDED = (*BODY_PART, "ImageLaterality")
REQUIRED = (  # type 2: there even where the source does not say (PS3.5 7.4.3)
    "PatientName", "PatientID", "PatientBirthDate", "PatientSex", "StudyDate", "StudyTime",
    "ReferringPhysicianName", "StudyID", "AccessionNumber",
)  # fmt: skip
OF_THE_CLOCK = (
    "SeriesDate", "SeriesTime", "InstanceCreationDate", "InstanceCreationTime", "ContentDate", "ContentTime",
    "PresentationCreationDate", "PresentationCreationTime",
)  # fmt: skip
OFFSET = re.compile(r"[+-](0\d|1[0-4])[0-5]\d")
TEXTS = frozenset({"LO", "LT", "PN", "SH", "ST", "UC", "UT"})


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of written object: its word, its Series Number, and what it repeats of the imaged body part."""

    word: str
    series_number: int
    imaged: tuple[str, ...] = ()


SECONDARY_CAPTURE = Kind("overlay", 7101, IMAGED)
STRUCTURED_REPORT = Kind("report", 7102)
KEY_OBJECT = Kind("key images", 7103)


def finish(dataset: Dataset, material: Material, kind: Kind, *words: str, number: int = 1) -> Dataset:
    """Fill in what all objects have in common, over whatever a library has put there, and give the data set.

    `words` tell the objects of one kind apart (the finding); `number` is the Instance Number. The data set
    must have its SOP Class UID.
    """
    _put_patient_and_study(dataset, material.first, kind)
    _put_series(dataset, material, kind)
    _put_equipment(dataset, material)
    _put_dates(dataset, material)
    dataset.SOPInstanceUID = object_uid(material, kind, *words)
    dataset.InstanceNumber = number
    dataset.SpecificCharacterSet = UNICODE
    dataset.CodingSchemeIdentificationSequence = [_own_scheme()]
    dataset.file_meta = _file_meta(dataset)
    return dataset


def object_uid(material: Material, kind: Kind, *words: str) -> str:
    """The SOP Instance UID of an object, whether it has been written or not."""
    return material.uid("instance", kind.word, *words)


def bare(source: Dataset) -> Dataset:
    """A source with its UIDs and an empty patient: what libraries may look at, so that they complain of none.

    `finish` then puts in what the source says.
    """
    plain = Dataset()
    for keyword in ("SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID"):
        setattr(plain, keyword, str(source[keyword].value))
    for keyword in REQUIRED:
        setattr(plain, keyword, "")
    for keyword in ("Rows", "Columns", "NumberOfFrames", "FrameOfReferenceUID", "Modality"):
        if keyword in source:
            setattr(plain, keyword, source[keyword].value)
    return plain


def algorithm(material: Material) -> AlgorithmIdentificationSequence:
    """The model as an algorithm (PS3.3 10.17): name, version, digest and method as parameters."""
    provenance = material.explanation.provenance
    found = AlgorithmIdentificationSequence(
        name=_short(provenance.model_name),
        family=ARTIFICIAL_INTELLIGENCE,
        version=_short(provenance.model_version),
    )
    found[0].AlgorithmParameters = json.dumps(parameters(material), sort_keys=True)
    return found


def parameters(material: Material) -> dict[str, str]:
    """What, beside model name and version, decides about a map."""
    provenance = material.explanation.provenance
    return {
        "model digest (SHA-256)": provenance.model_digest,
        "preprocessing digest (SHA-256)": provenance.preprocessing_digest,
        "method": spelling(provenance.method),
        "target layer": provenance.target_layer,
        "target": provenance.target,
        "camlucida": provenance.library_version,
    }


def series_description(material: Material, kind: Kind) -> str:
    """`camlucida Grad-CAM overlay, MODEL VERSION`."""
    provenance = material.explanation.provenance
    model = f"{provenance.model_name} {provenance.model_version}"
    return _short(f"{MANUFACTURER} {spelling(provenance.method)} {kind.word}, {model}")


def created(material: Material) -> datetime:
    """When the explanation was computed, in the source's time zone; in UTC where it names none.

    Timezone Offset From UTC (0008,0201) is said of all dates of an object, those of the study too, so it can
    only be the source's.
    """
    offset = _offset(material.first)
    return material.created.astimezone(_zone(offset)) if offset else material.created


def _offset(source: Dataset) -> str:
    """What the source's times are ahead of UTC, "" where it does not say."""
    found = elements.text(source, "TimezoneOffsetFromUTC")
    return found if OFFSET.fullmatch(found) else ""


def _zone(offset: str) -> timezone:
    ahead = timedelta(hours=int(offset[1:3]), minutes=int(offset[3:]))
    return timezone(-ahead if offset[0] == "-" else ahead)


def _put_patient_and_study(dataset: Dataset, source: Dataset, kind: Kind) -> None:
    for keyword in (*PATIENT, *STUDY, *kind.imaged):
        _remove(dataset, keyword)
        element = _copied(source, keyword)
        if element is None and keyword in REQUIRED:
            element = DataElement(_tag(keyword), dictionary_VR(_tag(keyword)), "")
        if element is not None:
            dataset[element.tag] = element
    if kind.imaged and not any(elements.text(dataset, keyword) for keyword in SIDED):
        dataset.Laterality = ""  # type 2C: of a body part that nobody names it is unknown (PS3.3 C.7.3.1)


def _copied(source: Dataset, keyword: str) -> DataElement | None:
    """The element in Unicode; None where it is missing or cannot be read."""
    with warned():  # of values that break a rule: the text of a warning may be the patient's
        try:
            elements.value(source, keyword)
            return _plain(source[keyword]) if keyword in source else None
        except UnreadableFile:
            return None


def _plain(element: DataElement) -> DataElement:
    value: Any = element.value
    if element.VR == "SQ":
        value = [_plain_item(item) for item in value or ()]
    elif element.VR in TEXTS:
        value = [str(one) for one in value] if element.VM > 1 else str(value or "")
    return DataElement(element.tag, element.VR, value, validation_mode=config.IGNORE)


def _plain_item(item: Dataset) -> Dataset:
    plain = Dataset()
    for element in item:
        if element.keyword != "SpecificCharacterSet":
            plain[element.tag] = _plain(element)
    return plain


def _put_series(dataset: Dataset, material: Material, kind: Kind) -> None:
    dataset.SeriesInstanceUID = material.uid("series", kind.word)
    dataset.SeriesNumber = kind.series_number
    dataset.SeriesDescription = series_description(material, kind)


def _put_equipment(dataset: Dataset, material: Material) -> None:
    """Made by camlucida; the modality and the model had a share in it (PS3.3 C.7.5.1, C.12.1)."""
    provenance = material.explanation.provenance
    dataset.Manufacturer = dataset.ManufacturerModelName = MANUFACTURER
    dataset.DeviceSerialNumber = provenance.model_digest[:LONGEST_LO]
    dataset.SoftwareVersions = provenance.library_version
    model = _equipment(codes.cid7005.ProcessingEquipment, MANUFACTURER)
    model.ManufacturerModelName = _short(provenance.model_name)
    model.SoftwareVersions = _short(provenance.model_version)
    model.DeviceSerialNumber = provenance.model_digest[:LONGEST_LO]
    model.ContributionDateTime = material.created.strftime("%Y%m%d%H%M%S.%f+0000")
    model.ContributionDescription = (
        f"Explained by {spelling(provenance.method)} at the layer {provenance.target_layer}."
    )[:LONGEST_ST]
    dataset.ContributingEquipmentSequence = [*_acquisition(material.first), model]


def _acquisition(source: Dataset) -> list[Dataset]:
    manufacturer = elements.text(source, "Manufacturer")
    if not manufacturer:
        return []
    item = _equipment(codes.cid7005.AcquisitionEquipment, manufacturer)
    for keyword in ("ManufacturerModelName", "SoftwareVersions", "DeviceSerialNumber"):
        element = _copied(source, keyword)
        if element is not None:
            item[element.tag] = element
    return [item]


def _equipment(purpose: Code, manufacturer: str) -> Dataset:
    item = Dataset()
    item.PurposeOfReferenceCodeSequence = [coded(purpose)]
    item.Manufacturer = _short(manufacturer)
    return item


def coded(code: Code) -> Dataset:
    """A code as an item of a sequence (PS3.3 8.8, Code Sequence Macro)."""
    item = Dataset()
    if len(code.value) > 16:
        item.LongCodeValue = code.value
    else:
        item.CodeValue = code.value
    item.CodingSchemeDesignator = code.scheme_designator
    item.CodeMeaning = code.meaning
    return item


def put_compression(dataset: Dataset, source: Dataset) -> None:
    """What was lost once stays lost (PS3.3 C.7.6.1.1.5)."""
    lossy = elements.text(source, "LossyImageCompression") == "01"
    dataset.LossyImageCompression = "01" if lossy else "00"
    for keyword in ("LossyImageCompressionRatio", "LossyImageCompressionMethod"):
        if lossy and (given := elements.values(source, keyword)):
            setattr(dataset, keyword, given)


def even(content: bytes) -> bytes:
    """Values have an even length (PS3.5 7.1.1)."""
    return content + b"\0" * (len(content) % 2)


def _own_scheme() -> Dataset:
    """Whose the codes are that no standard has (PS3.3 C.12.1, Coding Scheme Identification Sequence)."""
    item = Dataset()
    item.CodingSchemeDesignator = OWN_SCHEME
    item.CodingSchemeName = "Findings and measurements of camlucida"
    item.CodingSchemeResponsibleOrganization = MANUFACTURER
    return item


def _put_dates(dataset: Dataset, material: Material) -> None:
    moment = created(material)
    for keyword in OF_THE_CLOCK[:4]:
        _put_moment(dataset, keyword, moment)
    for keyword in OF_THE_CLOCK[4:]:
        if keyword in dataset:
            _put_moment(dataset, keyword, moment)
    _remove(dataset, "TimezoneOffsetFromUTC")
    if _offset(material.first):
        dataset.TimezoneOffsetFromUTC = _offset(material.first)


def _put_moment(dataset: Dataset, keyword: str, moment: datetime) -> None:
    setattr(dataset, keyword, moment.strftime("%Y%m%d" if keyword.endswith("Date") else "%H%M%S.%f"))


def _file_meta(dataset: Dataset) -> FileMetaDataset:
    meta = FileMetaDataset()
    meta.FileMetaInformationVersion = b"\x00\x01"
    meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.ImplementationClassUID = IMPLEMENTATION_CLASS_UID
    meta.ImplementationVersionName = f"CAMLUCIDA {__version__}"[:16]
    return meta


def _remove(dataset: Dataset, keyword: str) -> None:
    if keyword in dataset:
        delattr(dataset, keyword)


def _tag(keyword: str) -> int:
    return tag_for_keyword(keyword) or 0


def _short(text: str) -> str:
    """A text that fits a Long String."""
    return text if len(text) <= LONGEST_LO else f"{text[: LONGEST_LO - 1]}…"
