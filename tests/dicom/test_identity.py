import pytest
from pydicom import dcmread
from pydicom.data import get_charset_files
from pydicom.dataset import Dataset

from camlucida.dicom.identity import read_patient, read_source
from camlucida.records import FileFormat, Patient, Source


def test_the_whole_source(tmp_path):
    dataset = Dataset()
    dataset.PatientName = "Doe^Jane"
    dataset.PatientID = " 42 "
    dataset.PatientBirthDate = "19700101"
    dataset.PatientSex = "F"
    dataset.PatientAge = "056Y"
    dataset.StudyInstanceUID = "1.2"
    dataset.SeriesInstanceUID = "1.2.3"
    dataset.SOPInstanceUID = "1.2.3.4"
    dataset.SOPClassUID = "1.2.840.10008.5.1.4.1.1.1"
    dataset.FrameOfReferenceUID = "1.9"
    dataset.StudyDate, dataset.StudyTime = "20240229", "123456"
    dataset.StudyDescription, dataset.SeriesDescription = "Chest", "PA"
    dataset.AccessionNumber = "A1"
    dataset.BodyPartExamined, dataset.ViewPosition = "CHEST", "PA"
    dataset.Laterality, dataset.ImageLaterality = "R", "L"
    dataset.Manufacturer, dataset.ManufacturerModelName = "Maker", "One"
    path = tmp_path / "a.dcm"
    assert read_source(dataset, path, frame_number=3) == Source(
        format=FileFormat.DICOM,
        path=str(path),
        study_instance_uid="1.2",
        series_instance_uid="1.2.3",
        sop_instance_uids=("1.2.3.4",),
        sop_class_uid="1.2.840.10008.5.1.4.1.1.1",
        frame_number=3,
        frame_of_reference_uid="1.9",
        study_date="20240229",
        study_time="123456",
        study_description="Chest",
        series_description="PA",
        accession_number="A1",
        body_part="CHEST",
        view_position="PA",
        laterality="L",
        manufacturer="Maker",
        manufacturer_model="One",
        patient=Patient("Doe^Jane", "42", "19700101", "F", "056Y"),
    )


def test_a_file_that_says_nothing(tmp_path):
    assert read_patient(Dataset()) == Patient()
    assert read_source(Dataset(), tmp_path).sop_instance_uids == ("",)


@pytest.mark.parametrize(
    ("file", "name"),
    [("chrH31.dcm", "Yamada^Tarou=山田^太郎=やまだ^たろう"), ("chrRuss.dcm", "Люкceмбypг")],
)
def test_names_in_other_scripts(file, name):
    (path,) = get_charset_files(file)
    assert read_patient(dcmread(path)).name == name


def test_the_patient_is_not_in_the_repr_of_a_source(tmp_path):
    dataset = Dataset()
    dataset.PatientName = "Doe^Jane"
    assert "Doe" not in repr(read_source(dataset, tmp_path))
