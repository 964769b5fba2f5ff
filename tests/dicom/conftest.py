"""Makes small DICOM files, one element changed at a time."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, generate_uid

from camlucida.settings import settings
from dicom import sources

Make = Callable[..., Path]


def ct_slice(values: np.ndarray, **elements: Any) -> Dataset:
    """A CT slice with the elements given; None takes one away."""
    dataset = Dataset()
    dataset.SOPClassUID = "1.2.840.10008.5.1.4.1.1.2"
    dataset.SOPInstanceUID = generate_uid()
    dataset.StudyInstanceUID = "1.2.3"
    dataset.SeriesInstanceUID = "1.2.3.4"
    dataset.FrameOfReferenceUID = "1.2.3.5"
    dataset.PatientName = "Secret^Person"
    dataset.PatientID = "SECRET-4711"
    dataset.Modality = "CT"
    dataset.SamplesPerPixel = 1
    dataset.PhotometricInterpretation = "MONOCHROME2"
    dataset.Rows, dataset.Columns = values.shape[-2:] if values.shape[-1] != 3 else values.shape[-3:-1]
    dataset.BitsAllocated = 8 * values.dtype.itemsize
    dataset.BitsStored = dataset.BitsAllocated
    dataset.HighBit = dataset.BitsStored - 1
    dataset.PixelRepresentation = int(values.dtype.kind == "i")
    dataset.RescaleSlope, dataset.RescaleIntercept = 1, -1024
    dataset.PixelSpacing = [1, 1]
    dataset.ImagePositionPatient = [0, 0, 0]
    dataset.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    dataset.PixelData = values.tobytes() + b"\0" * (values.nbytes % 2)
    for keyword, value in elements.items():
        if value is None:
            delattr(dataset, keyword)
        else:
            setattr(dataset, keyword, value)
    dataset["PixelData"].VR = "OW" if dataset.BitsAllocated > 8 else "OB"
    return dataset


def write(path: Path, dataset: Dataset, syntax: str = ExplicitVRLittleEndian) -> Path:
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = syntax
    dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    path.parent.mkdir(parents=True, exist_ok=True)
    dataset.save_as(path, enforce_file_format=True)
    return path


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """Write a CT slice: `make(values, name="a.dcm", syntax=…, Keyword=value…)`."""

    def one(values: np.ndarray, name: str = "a.dcm", syntax: str = ExplicitVRLittleEndian, **elements: Any):
        return write(tmp_path / name, ct_slice(np.asarray(values), **elements), syntax)

    return one


@pytest.fixture
def dataset() -> Callable[..., Dataset]:
    """A CT slice as a data set: `dataset(values, Keyword=value…)`."""
    return ct_slice


@pytest.fixture
def save(tmp_path: Path) -> Make:
    """Write a data set: `save(dataset, "a.dcm", syntax)`."""
    return lambda made, name="a.dcm", syntax=ExplicitVRLittleEndian: write(tmp_path / name, made, syntax)


@pytest.fixture
def bundled() -> Callable[[str], Path]:
    """A file of pydicom's test files or of pydicom-data, never downloaded."""
    return sources.bundled


@pytest.fixture
def bounds(monkeypatch):
    """Change settings for one test: `bounds(max_pixels=100)`."""

    def change(**values: int) -> None:
        for name, value in values.items():
            monkeypatch.setenv(f"CAMLUCIDA_{name.upper()}", str(value))
        settings.cache_clear()

    yield change
    monkeypatch.undo()
    settings.cache_clear()
