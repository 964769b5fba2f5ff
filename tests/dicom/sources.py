"""Files to read and to write about: those of pydicom-data, and a CT at an angle to the patient."""

import math
from pathlib import Path

import numpy as np
from pydicom import dcmread
from pydicom.data import get_testdata_file

from camlucida.examples.phantom.dicom import write_ct
from camlucida.examples.phantom.volume import ct_volume


def bundled(name: str) -> Path:
    """A file of pydicom-data, never downloaded."""
    found = get_testdata_file(name, download=False)
    assert found is not None, f"{name}: install pydicom-data"
    return Path(str(found))


def oblique_ct(folder: Path, slices: int = 16, rows: int = 64) -> list[Path]:
    """A phantom CT that was taken at an angle to all three axes of the patient, its files in no order."""
    paths = write_ct(ct_volume(7201, ("Nodule",), slices=slices, rows=rows), folder)
    turned = rotation(0.35, -0.5, 0.2)
    for path in paths:
        data = dcmread(path)
        data.ImagePositionPatient = [
            f"{mm:.6f}" for mm in turned @ np.array(data.ImagePositionPatient, float)
        ]
        axes = np.array(data.ImageOrientationPatient, float).reshape(2, 3)
        data.ImageOrientationPatient = [f"{cosine:.8f}" for cosine in (axes @ turned.T).ravel()]
        data.ImageType = ["ORIGINAL", "PRIMARY", "OBLIQUE"]
        del data.SliceLocation
        data.save_as(path, enforce_file_format=True)
    return paths[::-1]


def rotation(*angles: float) -> np.ndarray:
    """Turns about x, y and z by angles in radians, one after the other, (3, 3)."""
    turned = np.eye(3)
    for axis, angle in enumerate(angles):
        one, other = (axis + 1) % 3, (axis + 2) % 3
        turn = np.eye(3)
        turn[[one, other], [one, other]] = math.cos(angle)
        turn[one, other], turn[other, one] = -math.sin(angle), math.sin(angle)
        turned = turn @ turned
    return turned
