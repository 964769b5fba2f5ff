"""Paediatric chest radiographs of Kermany, Zhang and Goldbaum (2018, Mendeley Data rscbjbr9sj v2, CC BY 4.0).

Read from the folder that holds `kermany224/train.zip` and `kermany224/test.zip`: JPEG files of 224 × 224
pixels, with the diagnosis as their folder and the patient's number in their name.
"""

import io
import re
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image as Picture
from torch import Tensor

from camlucida.images.prepare import Preparation, prepare
from camlucida.records import FileFormat, Image, Source

_PATIENT = re.compile(r"(person\d+)_|(?:NORMAL2-)?(IM-\d+)-")


@dataclass(frozen=True)
class Films:
    """Prepared films `(n, 1, row, column)` with their label (1: pneumonia) and patient."""

    values: Tensor
    labels: NDArray[np.float64]
    patients: NDArray[np.str_]

    def of(self, chosen: NDArray[np.bool_]) -> "Films":
        """Some of the films."""
        return Films(self.values[torch.as_tensor(chosen)], self.labels[chosen], self.patients[chosen])


def read_films(data: Path, part: str, preparation: Preparation) -> Films:
    """All films of `part`, "train" or "test", in the order of their names."""
    values, labels, patients = [], [], []
    for name, image in _images(data / "kermany224" / f"{part}.zip"):
        values.append(torch.as_tensor(prepare(image, preparation).values, dtype=torch.float16))
        labels.append(float(name.startswith("PNEUMONIA")))
        patients.append(patient_of(name))
    return Films(torch.stack(values), np.array(labels), np.array(patients))


def patient_of(name: str) -> str:
    """The patient that a file name tells. The same number under bacteria and virus counts as one patient."""
    match = _PATIENT.match(name.rpartition("/")[2])
    if match is None:
        raise ValueError(f"“{name}” does not name a patient as the Kermany collection does.")
    return match.group(1) or match.group(2)


def validation_part(films: Films, share: float = 0.125, seed: int = 7) -> NDArray[np.bool_]:
    """Which films belong to the patients set aside for validation."""
    patients = np.unique(films.patients)
    chosen = np.random.default_rng(seed).permutation(patients)[: int(len(patients) * share)]
    return np.isin(films.patients, chosen)


def _images(archive: Path) -> Iterator[tuple[str, Image]]:
    with zipfile.ZipFile(archive) as files:
        for name in sorted(files.namelist()):
            if name.endswith(".jpeg"):
                grey = np.asarray(Picture.open(io.BytesIO(files.read(name))).convert("L"))
                yield name, Image(grey, source=Source(format=FileFormat.PICTURE))
