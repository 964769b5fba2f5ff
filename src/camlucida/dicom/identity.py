"""Who and what an image is of: patient, study, series and instance (PS3.3 C.7.1 to C.7.5)."""

from collections.abc import Sequence
from pathlib import Path

from pydicom.dataset import Dataset

from camlucida.dicom.elements import text
from camlucida.records import FileFormat, Patient, Source


def read_patient(dataset: Dataset) -> Patient:
    """The patient as the file names him; empty where it does not."""
    return Patient(
        name=text(dataset, "PatientName"),
        patient_id=text(dataset, "PatientID"),
        birth_date=text(dataset, "PatientBirthDate"),
        sex=text(dataset, "PatientSex"),
        age=text(dataset, "PatientAge"),
    )


def read_source(
    dataset: Dataset, path: Path, instances: Sequence[str] = (), frame_number: int | None = None
) -> Source:
    """Where an image came from.

    `instances` are the SOP Instance UIDs of a volume's slices, in order; by default the data set's own.
    """
    return Source(
        format=FileFormat.DICOM,
        path=str(path),
        study_instance_uid=text(dataset, "StudyInstanceUID"),
        series_instance_uid=text(dataset, "SeriesInstanceUID"),
        sop_instance_uids=tuple(instances) or (text(dataset, "SOPInstanceUID"),),
        sop_class_uid=text(dataset, "SOPClassUID"),
        frame_number=frame_number,
        frame_of_reference_uid=text(dataset, "FrameOfReferenceUID"),
        study_date=text(dataset, "StudyDate"),
        study_time=text(dataset, "StudyTime"),
        study_description=text(dataset, "StudyDescription"),
        series_description=text(dataset, "SeriesDescription"),
        accession_number=text(dataset, "AccessionNumber"),
        body_part=text(dataset, "BodyPartExamined"),
        view_position=text(dataset, "ViewPosition"),
        laterality=text(dataset, "ImageLaterality") or text(dataset, "Laterality"),
        manufacturer=text(dataset, "Manufacturer"),
        manufacturer_model=text(dataset, "ManufacturerModelName"),
        patient=read_patient(dataset),
    )
