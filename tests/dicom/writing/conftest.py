"""Material of every kind that objects are written of: made-up maps with real geometry, and their sources."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset

from camlucida.dicom.read import read_dicom
from camlucida.dicom.writing.material import Material, to_bytes
from camlucida.examples.phantom.dicom import write_radiograph
from camlucida.examples.phantom.radiograph import radiograph
from camlucida.records import (
    CodedConcept,
    Explanation,
    Finding,
    FindingTrust,
    Geometry,
    HeadKind,
    Image,
    Prediction,
    Provenance,
    SaliencyMap,
    TrustReport,
    Unit,
)
from camlucida.records.geometry import resizing
from dicom.sources import bundled, oblique_ct

EFFUSION = CodedConcept("60046008", "SCT", "Pleural effusion")
HOT = 2.0  # logits in the one hot cell


@dataclass(frozen=True)
class Case:
    """A written object's material, the files that it was read from, and where the evidence was planted.

    `hot` is the native cell that holds nearly all the evidence for finding 0; finding 1 has no support and
    finding 2 is below its operating point.
    """

    name: str
    material: Material
    paths: tuple[Path, ...]
    hot: tuple[int, ...]

    @property
    def geometry(self) -> Geometry:
        return self.material.explanation.saliency_map.geometry


def native_shape(image: Image) -> tuple[int, ...]:
    """A grid as a network might have: 7 cells along the rows, 6 along the columns, 2 or 5 slices."""
    return (7, 6) if len(image.space) == 2 else (2 if image.space[0] < 5 else 5, 7, 6)


def explain(image: Image, **changes) -> tuple[Explanation, tuple[int, ...]]:
    """An explanation of three findings, and the cell in which the evidence for the first is."""
    native = native_shape(image)
    hot = (*(1,) * (len(native) - 2), 2, 4)
    values = np.zeros((3, *native), np.float32)
    cells = math.prod(native)
    values[0] -= 0.4 / cells
    values[(0, *hot)] = HOT
    values[1] -= 1.5 / cells
    values[2] += 0.8 / cells
    names = ("Effusion", "Nodule", "Cardiomegaly")
    bias = (-0.5, 1.2, -2.0)
    sums = values.reshape(3, -1).sum(axis=1, dtype=np.float64).tolist()
    residual = (0.25, 0.0, 0.0)
    logits = tuple(sum(parts) for parts in zip(sums, bias, residual, strict=True))
    probabilities = tuple(1 / (1 + math.exp(-logit)) for logit in logits)
    points = (0.5, probabilities[1] - 0.01, probabilities[2] + 0.1)
    concepts = (EFFUSION, None, CodedConcept("8186001", "SCT", "Cardiomegaly"))
    findings = tuple(Finding(*given) for given in zip(names, concepts, points, strict=True))
    geometry = Geometry(
        native, image.space, resizing(image.space, native), image.spacing, image.pixel_to_patient
    )
    explanation = Explanation(
        Prediction(findings, logits, probabilities),
        SaliencyMap(names, values, logits, bias, residual, "grad-cam", "features.denseblock4", geometry),
        TrustReport(
            HeadKind.LINEAR,
            1e-6,
            tuple(FindingTrust(0.1, 0.03, 0.0, f"The map of {name} explains the logit.") for name in names),
            ("It explains the model, not the disease.",),
        ),
        Provenance(
            image.digest,
            "c" * 64,
            "d" * 64,
            "made-up",
            "1.0",
            "grad-cam",
            "",
            "features.denseblock4",
            "logit",
            "0.1.0",
            "2.6",
            "float32",
            "cpu",
            "2026-01-02T03:04:05.678901+00:00",
        ),
    )
    return replace(explanation, **changes), hot


def case_of(name: str, paths: Sequence[Path], frame: int | None = None) -> Case:
    """The material of files, which make one image; or of one frame, counted from 1."""
    images = [image for image in read_dicom(paths) if image.source.frame_number == frame]
    assert len(images) == 1
    explanation, hot = explain(images[0])
    headers = {
        str(found.SOPInstanceUID): found for found in (dcmread(p, stop_before_pixels=True) for p in paths)
    }
    sources = tuple(headers[uid] for uid in images[0].source.sop_instance_uids)
    return Case(name, Material(explanation, images[0], sources), tuple(paths), hot)


def _radiograph(folder: Path) -> Case:
    path = folder / "radiograph.dcm"
    write_radiograph(radiograph(7102, ("Effusion",), rows=300), path)
    return case_of("radiograph", [path])


MAKERS: dict[str, Callable[[Path], Case]] = {
    "radiograph": _radiograph,
    "RG1": lambda _: case_of("RG1", [bundled("RG1_UNCR.dcm")]),
    "enhanced": lambda _: case_of("enhanced", [bundled("eCT_Supplemental.dcm")]),
    "oblique CT": lambda folder: case_of("oblique CT", oblique_ct(folder / "ct")),
    "photograph": lambda _: case_of("photograph", [bundled("SC_rgb.dcm")]),
    "frame": lambda _: case_of("frame", [bundled("emri_small.dcm")], frame=3),
}
"""Each kind of source once: a phantom radiograph; RG1, a real one with MONOCHROME1, spacing 0\\0 and no
frame of reference; an enhanced CT; an oblique CT; a colour photograph; one frame of a multi-frame MR."""


@pytest.fixture(scope="session")
def cases(tmp_path_factory) -> Callable[[str], Case]:
    """`cases("oblique CT")`: one of `MAKERS`, made once."""
    made: dict[str, Case] = {}

    def case(name: str) -> Case:
        if name not in made:
            made[name] = MAKERS[name](tmp_path_factory.mktemp(name.replace(" ", "-")))
        return made[name]

    return case


@pytest.fixture(params=list(MAKERS))
def case(request, cases) -> Case:
    """Every kind of source in turn."""
    return cases(request.param)


@pytest.fixture
def relative() -> Callable[[Case], Case]:
    """The same case with a map that has no unit."""

    def change(case: Case) -> Case:
        whole = case.material.explanation
        without = replace(whole, saliency_map=replace(whole.saliency_map, unit=Unit.RELATIVE))
        return replace(case, material=replace(case.material, explanation=without))

    return change


@pytest.fixture
def saved(tmp_path) -> Callable[[Sequence[Dataset]], list[Path]]:
    """Write data sets as files: `saved(datasets)`."""

    def save(datasets: Sequence[Dataset]) -> list[Path]:
        paths = [tmp_path / f"written-{number}.dcm" for number in range(len(datasets))]
        for path, dataset in zip(paths, datasets, strict=True):
            path.write_bytes(to_bytes(dataset))
        return paths

    return save
