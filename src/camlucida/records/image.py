"""An image that remembers where it came from."""

import hashlib
import json
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from camlucida.records.window import VoiLut, Window


class Photometric(StrEnum):
    """Photometric Interpretation (0028,0004), as far as it is left after decoding."""

    MONOCHROME1 = "MONOCHROME1"  # the lowest value is shown white
    MONOCHROME2 = "MONOCHROME2"  # the lowest value is shown black
    RGB = "RGB"


class FileFormat(StrEnum):
    """What the image was read from."""

    DICOM = "dicom"
    NIFTI = "nifti"
    PICTURE = "picture"  # PNG or JPEG
    ARRAY = "array"  # handed over by a program


@dataclass(frozen=True, slots=True)
class Patient:
    """Who the image is of: never in a log, a URL or an error."""

    name: str = ""
    patient_id: str = ""
    birth_date: str = ""
    sex: str = ""
    age: str = ""


@dataclass(frozen=True, slots=True)
class Source:
    """Where an image came from, in the words of the DICOM information model; empty where unknown."""

    format: FileFormat = FileFormat.ARRAY
    path: str = ""
    study_instance_uid: str = ""
    series_instance_uid: str = ""
    sop_instance_uids: tuple[str, ...] = ()
    sop_class_uid: str = ""
    frame_number: int | None = None  # counted from 1, as DICOM does; None: the whole object
    frame_of_reference_uid: str = ""
    study_date: str = ""
    study_time: str = ""
    study_description: str = ""
    series_description: str = ""
    accession_number: str = ""
    body_part: str = ""
    view_position: str = ""
    laterality: str = ""
    manufacturer: str = ""
    manufacturer_model: str = ""
    patient: Patient = field(default_factory=Patient, repr=False)

    @property
    def phantom(self) -> bool:
        """Whether Manufacturer or Manufacturer's Model Name says that a program drew it: of no patient."""
        return "phantom" in f"{self.manufacturer} {self.manufacturer_model}".casefold()


@dataclass(frozen=True, eq=False)
class Image:
    """Stored pixel values with all that is needed to show them and to find places on them.

    `values` has shape `(*space)`, or `(*space, 3)` for RGB; `space` is (row, column) or
    (slice, row, column). They are the stored values as decoded (integers), or float32 where the source has
    no single rescale. Modality values (HU for CT) are `values * slope + intercept`.

    `spacing` is in mm along each axis of `space`, None where the source does not say.
    `pixel_to_patient` maps homogeneous (slice, row, column, 1), pixel centres at integers, to patient
    coordinates in mm (LPS: DICOM PS3.3 C.7.6.2.1.1); slice is 0 for a 2D image.
    `padding` are the stored values (lowest, highest) that mean "no pixel here".
    `notes` are sentences about the source that a user should see (missing spacing, gaps in a series).
    """

    values: NDArray[Any]
    photometric: Photometric = Photometric.MONOCHROME2
    modality: str = ""
    slope: float = 1.0
    intercept: float = 0.0
    unit: str = ""
    bits_stored: int = 8
    windows: tuple[Window, ...] = ()
    voi_luts: tuple[VoiLut, ...] = ()
    padding: tuple[float, float] | None = None
    spacing: tuple[float, ...] | None = None
    pixel_to_patient: NDArray[np.float64] | None = None
    source: Source = field(default_factory=Source)
    notes: tuple[str, ...] = ()

    @property
    def colour(self) -> bool:
        """Whether each pixel has three channels."""
        return self.photometric is Photometric.RGB

    @property
    def space(self) -> tuple[int, ...]:
        """Sizes along (row, column) or (slice, row, column)."""
        return self.values.shape[:-1] if self.colour else self.values.shape

    def modality_values(self) -> NDArray[np.float32]:
        """Values after rescale, float32, same shape as `values`."""
        return np.asarray(self.values, np.float32) * np.float32(self.slope) + np.float32(self.intercept)

    @cached_property
    def digest(self) -> str:
        """SHA-256 over the pixel values and what gives them a meaning; independent of patient and window."""
        header = {
            "shape": self.values.shape,
            "dtype": self.values.dtype.newbyteorder("<").str,
            "photometric": self.photometric,
            "slope": self.slope,
            "intercept": self.intercept,
            "padding": self.padding,
        }
        sha256 = hashlib.sha256(json.dumps(header, sort_keys=True).encode())
        sha256.update(np.ascontiguousarray(self.values, self.values.dtype.newbyteorder("<")).data)
        return sha256.hexdigest()
