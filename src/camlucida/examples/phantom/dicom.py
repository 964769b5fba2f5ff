"""Phantom studies as DICOM files, such as a modality would send: what `camlucida demo` shows.

Radiographs are Digital X-Ray Images for Presentation (PS3.3 A.26), volumes CT Images (PS3.3 A.3). All UIDs
follow from the phantom's number, so that the same studies come out again. Names, descriptions and comments
say "phantom".
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence as Items
from pydicom.uid import CTImageStorage, DigitalXRayImageStorageForPresentation, ExplicitVRLittleEndian

from camlucida.examples.phantom.anatomy import draw_anatomy
from camlucida.examples.phantom.radiograph import WHITE, Radiograph, radiograph
from camlucida.examples.phantom.volume import FIELD, Volume, ct_volume

FILM_ROWS = 1200
CT_SIZE = (64, 224)  # slices, rows


@dataclass(frozen=True)
class DemoFilm:
    """One radiograph of the demo. Study time follows from `visit`: higher is later."""

    seed: int
    findings: tuple[str, ...] = ()
    visit: int = 0
    marker: bool = False
    inverted: bool = False  # MONOCHROME1
    sides: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class DemoVolume:
    """One CT of the demo."""

    seed: int
    findings: tuple[str, ...] = ()


# Between them the films show all of `FINDINGS`; visit 1 has a prior film, visit 0, of the same patient.
DEMO_FILMS = (
    DemoFilm(7101),
    DemoFilm(7102, ("Pneumothorax",), sides={"Pneumothorax": 1}),
    DemoFilm(7103, (), visit=0),
    DemoFilm(7103, ("Effusion",), visit=1, sides={"Effusion": -1}),
    DemoFilm(7104, ("Consolidation",), visit=0, sides={"Consolidation": -1}),
    DemoFilm(7104, (), visit=1),
    DemoFilm(7105, ("Nodule",), inverted=True),
    DemoFilm(7106, ("Cardiomegaly", "Effusion")),
    DemoFilm(7107, ("Effusion",), marker=True, sides={"Effusion": 1}),
    DemoFilm(7108, (), marker=True),
)
DEMO_VOLUMES = (DemoVolume(7201, ("Nodule",)), DemoVolume(7202, ("Nodule", "Effusion")))


def write_demo_studies(folder: Path, progress: Callable[[int, int], None] | None = None) -> list[Path]:
    """Write the phantom studies of the demo into `folder` and give the DICOM files.

    Radiographs are `folder/radiograph-NUMBER-VISIT.dcm`, CT slices `folder/ct-NUMBER/SLICE.dcm`. The truth is
    in the folder `{folder}-truth` beside it: for each radiograph or CT an .npz with one mask a finding, on
    the pixel grid.
    `progress(done, total)` is called after each radiograph or CT.
    """
    folder.mkdir(parents=True, exist_ok=True)
    truth = folder.parent / f"{folder.name}-truth"
    truth.mkdir(exist_ok=True)
    total, files = len(DEMO_FILMS) + len(DEMO_VOLUMES), list[Path]()
    for done, film in enumerate(DEMO_FILMS, start=1):
        files.append(_write_film(film, folder, truth))
        if progress:
            progress(done, total)
    for done, volume in enumerate(DEMO_VOLUMES, start=len(DEMO_FILMS) + 1):
        files += _write_volume(volume, folder, truth)
        if progress:
            progress(done, total)
    return files


def write_radiograph(film: Radiograph, path: Path, *, inverted: bool = False) -> None:
    """One phantom film as a DICOM file; `inverted` stores it as MONOCHROME1."""
    uid = ("radiograph", film.anatomy.seed, film.visit)
    data = _identified(uid, film.anatomy.seed, film.visit, DigitalXRayImageStorageForPresentation)
    data.Modality = "DX"
    data.PresentationIntentType = "FOR PRESENTATION"
    data.StudyDescription = "Phantom chest radiograph"
    data.SeriesDescription = "Phantom chest PA"
    _describe_projection(data)
    stored = (WHITE - film.values) if inverted else film.values
    _put_pixels(data, stored, "MONOCHROME1" if inverted else "MONOCHROME2", bits=12)
    data.PixelSpacing = data.ImagerPixelSpacing = [f"{film.spacing:.6f}"] * 2
    data.PixelIntensityRelationship = "LOG"
    data.PixelIntensityRelationshipSign = 1 if inverted else -1
    data.RescaleIntercept, data.RescaleSlope, data.RescaleType = "0", "1", "US"
    data.PresentationLUTShape = "INVERSE" if inverted else "IDENTITY"
    data.LossyImageCompression = "00"
    low, high = np.percentile(stored, [1, 99.5])
    data.WindowCenter, data.WindowWidth = str(round((low + high) / 2)), str(round((high - low) * 1.1))
    _save(data, path)


def write_ct(volume: Volume, folder: Path) -> list[Path]:
    """One phantom CT as a series of DICOM files, one a slice, from the feet to the head."""
    folder.mkdir(parents=True, exist_ok=True)
    slices, rows, columns = volume.spacing
    paths = []
    for index, plane in enumerate(volume.values):
        data = _ct_slice(volume, index)
        data.PixelSpacing = [f"{rows:.6f}", f"{columns:.6f}"]
        data.SliceThickness = data.SpacingBetweenSlices = f"{slices:.6f}"
        corner = [
            -(FIELD[2] - columns) / 2,
            -(FIELD[1] - rows) / 2,
            -(FIELD[0] - slices) / 2 + index * slices,
        ]
        data.ImagePositionPatient = [f"{mm:.6f}" for mm in corner]
        data.SliceLocation = f"{corner[2]:.6f}"
        _put_pixels(data, (plane.astype(np.int32) + 1024).astype(np.uint16), "MONOCHROME2", bits=12)
        paths.append(folder / f"{index + 1:03d}.dcm")
        _save(data, paths[-1])
    return paths


def uid_of(*parts: object) -> str:
    """A UID that follows from `parts`, under 2.25 (PS3.5 B.2, a UUID as a decimal number)."""
    digest = hashlib.sha256("/".join(["camlucida-phantom", *map(str, parts)]).encode()).digest()[:16]
    number = int.from_bytes(digest, "big")
    # The bits of RFC 9562 for a UUID of version 8 (custom) and variant 10.
    number = number & ~(0xF << 76) | 0x8 << 76
    return f"2.25.{number & ~(0x3 << 62) | 0x2 << 62}"


def _write_film(demo: DemoFilm, folder: Path, truth: Path) -> Path:
    film = radiograph(
        demo.seed, demo.findings, rows=FILM_ROWS, visit=demo.visit, marker=demo.marker, sides=demo.sides
    )
    path = folder / f"radiograph-{demo.seed}-{demo.visit}.dcm"
    write_radiograph(film, path, inverted=demo.inverted)
    _write_truth(truth / f"{path.stem}.npz", film.masks)
    return path


def _write_volume(demo: DemoVolume, folder: Path, truth: Path) -> list[Path]:
    volume = ct_volume(demo.seed, demo.findings, slices=CT_SIZE[0], rows=CT_SIZE[1])
    _write_truth(truth / f"ct-{demo.seed}.npz", volume.masks)
    return write_ct(volume, folder / f"ct-{demo.seed}")


def _write_truth(path: Path, masks: Mapping[str, NDArray[np.bool_]]) -> None:
    np.savez_compressed(path, allow_pickle=False, **masks)


def _identified(parts: Sequence[object], seed: int, visit: int, sop_class: str) -> Dataset:
    """Patient, study, series and equipment: everything says that this is a phantom."""
    data = Dataset()
    data.SOPClassUID, data.SOPInstanceUID = sop_class, uid_of(*parts, "instance")
    data.StudyInstanceUID, data.SeriesInstanceUID = uid_of(*parts, "study"), uid_of(*parts, "series")
    anatomy = draw_anatomy(seed)
    data.PatientName, data.PatientID = f"PHANTOM^{seed}", f"PHANTOM-{seed}"
    data.PatientSex, data.PatientAge = anatomy.sex, f"{anatomy.age:03d}Y"
    data.PatientBirthDate = ""
    data.PatientIdentityRemoved, data.DeidentificationMethod = (
        "YES",
        "Phantom: drawn by a program, no patient",
    )
    data.PatientComments = "Phantom: drawn by a program, no patient"
    data.StudyDate = data.SeriesDate = data.ContentDate = data.AcquisitionDate = (
        f"2026{1 + 3 * visit:02d}{1 + seed % 27:02d}"
    )
    data.StudyTime = data.SeriesTime = data.ContentTime = data.AcquisitionTime = f"{8 + seed % 10:02d}1500"
    data.StudyID, data.AccessionNumber = str(seed), f"PH{seed}{visit}"
    data.SeriesNumber, data.InstanceNumber = "1", "1"
    data.ReferringPhysicianName = data.OperatorsName = ""
    data.Manufacturer, data.ManufacturerModelName = "camlucida", "Phantom generator"
    data.DeviceSerialNumber, data.SoftwareVersions = "0", "1"
    data.InstitutionName = "Phantom"
    data.BodyPartExamined, data.BurnedInAnnotation = "CHEST", "NO"
    data.QualityControlImage = "YES"  # PS3.3 C.7.6.1: this is an image of a phantom
    return data


def _describe_projection(data: Dataset) -> None:
    """How a PA film is said to be taken (DX Anatomy, DX Positioning and DX Detector modules)."""
    data.ImageType = ["ORIGINAL", "PRIMARY"]
    data.ImageLaterality, data.ViewPosition, data.PatientOrientation = "U", "PA", ["L", "F"]
    data.AnatomicRegionSequence = Items([_code("51185008", "SCT", "Chest")])
    view = _code("399348003", "SCT", "postero-anterior")
    view.ViewModifierCodeSequence = Items()
    data.ViewCodeSequence = Items([view])
    data.PositionerType = ""
    data.DetectorType = "SCINTILLATOR"
    data.AcquisitionContextSequence = Items()


def _ct_slice(volume: Volume, index: int) -> Dataset:
    data = _identified(("ct", volume.seed), volume.seed, 0, CTImageStorage)
    data.SOPInstanceUID = uid_of("ct", volume.seed, "instance", index)
    data.FrameOfReferenceUID = uid_of("ct", volume.seed, "frame of reference")
    data.PositionReferenceIndicator = ""
    data.Modality, data.ImageType = "CT", ["ORIGINAL", "PRIMARY", "AXIAL"]
    data.StudyDescription, data.SeriesDescription = "Phantom chest CT", "Phantom chest CT, axial"
    data.InstanceNumber, data.AcquisitionNumber = str(index + 1), "1"
    data.ImageOrientationPatient = ["1", "0", "0", "0", "1", "0"]
    data.PatientPosition, data.KVP = "HFS", "120"
    data.RescaleSlope, data.RescaleIntercept, data.RescaleType = "1", "-1024", "HU"
    data.WindowCenter, data.WindowWidth = ["-500", "40"], ["1500", "400"]
    data.WindowCenterWidthExplanation = ["LUNG", "MEDIASTINUM"]
    return data


def _put_pixels(data: Dataset, stored: NDArray[np.uint16], photometric: str, bits: int) -> None:
    data.Rows, data.Columns = stored.shape
    data.SamplesPerPixel, data.PhotometricInterpretation = 1, photometric
    data.BitsAllocated, data.BitsStored, data.HighBit, data.PixelRepresentation = 16, bits, bits - 1, 0
    data.PixelData = np.ascontiguousarray(stored, "<u2").tobytes()
    data["PixelData"].VR = "OW"


def _code(value: str, scheme: str, meaning: str) -> Dataset:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, scheme, meaning
    return item


def _save(data: Dataset, path: Path) -> None:
    data.file_meta = FileMetaDataset()
    data.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    data.file_meta.MediaStorageSOPClassUID = data.SOPClassUID
    data.file_meta.MediaStorageSOPInstanceUID = data.SOPInstanceUID
    data.save_as(path, enforce_file_format=True)
