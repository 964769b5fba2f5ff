"""DICOM Structured Reports: regions (SCOORD, SCOORD3D) of findings, as in TID 1500's measurement groups.

The finding of a region is the code of the concept "Finding" (121071, DCM) beside it or above it in the tree.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from camlucida.dicom import elements
from camlucida.dicom.container import open_dataset, reading
from camlucida.errors import InputError
from camlucida.evaluation.data.annotations.gallery import Gallery
from camlucida.evaluation.data.annotations.marks import BoxMark, Plane, PointMark, PolygonMark
from camlucida.evaluation.data.annotations.references import DEEPEST, case_of
from camlucida.evaluation.data.case import Mark
from camlucida.evaluation.data.labels import Vocabulary
from camlucida.evaluation.data.told import Told
from camlucida.records import Annotation, Image

FINDING = {"121071", "121073", "111059"}  # Finding, Impression, Single Image Finding (DCM)
CORNERS = 64  # of the polygon that an ellipse is drawn as
MOST_NUMBERS = 200_000


@dataclass(frozen=True, slots=True)
class PatientMark(Mark):
    """A point, or a closed line in one slice's plane: (x, y, z, …) in the patient, mm, LPS."""

    points: tuple[float, ...]

    def on(self, image: Image) -> Annotation:
        """On the slice whose plane is nearest.

        Raises
        ------
        InputError
            The image has no place in the patient, or the points lie beside it or on several slices.
        """
        if image.pixel_to_patient is None:
            raise InputError("the image has no place in the patient, where the mark has its coordinates.")
        points = np.array(self.points).reshape(-1, 3)
        homogeneous = np.concatenate([points, np.ones((len(points), 1))], axis=1)
        at = (homogeneous @ np.linalg.inv(image.pixel_to_patient).T)[:, :3]
        place = round(float(at[:, 0].mean()))
        if np.abs(at[:, 0] - place).max() > 0.75:
            raise InputError("the mark does not lie in the plane of one slice.")
        flat = tuple((at[:, [2, 1]] + 0.5).ravel().tolist())
        plane = Plane(place)
        mark: Mark = PolygonMark(self.finding, (flat,), None, plane)
        if len(points) == 1:
            mark = PointMark(self.finding, flat[0], flat[1], None, plane)
        return mark.on(image)


def read(path: Path, gallery: Gallery, vocabulary: Vocabulary, told: Told) -> Iterator[tuple[int, Mark]]:
    """The regions of findings; what cannot be used is told.

    Raises
    ------
    UnreadableFile, FileTooLarge
        The file is damaged or too large.
    """
    with reading(path.name, []):
        dataset = open_dataset(path, pixels=False)
        if not elements.items(dataset, "ContentSequence"):
            told.note("DICOM files that are neither a segmentation nor a report", path.name)
            return
        whole = case_of(dataset, gallery)
        regions = list(_regions(dataset, "", 0))
    for item, word in regions:
        finding = vocabulary.finding(word)
        instance = _instance(item)
        number = gallery.instance(instance) if instance else whole
        if finding is None:
            told.note(f"Regions of what is no finding of the model (“{word:.40}”)", path.name)
        elif number is None:
            told.note("Regions on images that are not in the data", path.name)
        else:
            try:
                marks = list(_marks(finding, item, instance))
            except InputError as error:
                told.note(str(error).rstrip("."), path.name)
                continue
            yield from ((number, mark) for mark in marks)


def _regions(item: Dataset, finding: str, depth: int) -> Iterator[tuple[Dataset, str]]:
    """All coordinates in the tree, each with the word of its finding."""
    content = elements.items(item, "ContentSequence")
    named = [word for one in content if (word := _finding(one))]
    own = _finding(item) or (named[0] if len(set(named)) == 1 else finding)
    for one in content if depth < DEEPEST else ():
        if elements.text(one, "ValueType") in {"SCOORD", "SCOORD3D"}:
            yield one, own
        yield from _regions(one, own, depth + 1)


def _finding(item: Dataset) -> str:
    """What a content item says was found; empty where it says something else."""
    name = elements.item(item, "ConceptNameCodeSequence")
    code = elements.item(item, "ConceptCodeSequence")
    if name is None or code is None or elements.text(name, "CodeValue") not in FINDING:
        return ""
    return elements.text(code, "CodeMeaning")


def _instance(item: Dataset) -> str:
    """The SOP Instance UID of the image that coordinates were selected from; empty where it does not say."""
    for one in elements.items(item, "ContentSequence"):
        for referenced in elements.items(one, "ReferencedSOPSequence"):
            return elements.text(referenced, "ReferencedSOPInstanceUID")
    return ""


def _marks(finding: str, item: Dataset, instance: str) -> Iterator[Mark]:
    kind = elements.text(item, "GraphicType")
    numbers = elements.numbers(item, "GraphicData")
    solid = elements.text(item, "ValueType") == "SCOORD3D"
    if not numbers or len(numbers) > MOST_NUMBERS or len(numbers) % (3 if solid else 2):
        raise InputError(f"A region has {len(numbers)} coordinates, which make no points.")
    points = np.array(numbers).reshape(-1, 3 if solid else 2)
    if kind in {"POINT", "MULTIPOINT"}:
        for point in points:
            yield _point(finding, point, instance)
    elif kind in {"POLYLINE", "POLYGON"}:
        yield _outline(finding, _closed(points), instance)
    elif kind in {"CIRCLE", "ELLIPSE"} and len(points) == (2 if kind == "CIRCLE" else 4):
        yield _outline(finding, _ellipse(points), instance)
    else:
        raise InputError(f"A region is a {kind or 'shape without a name'}, which is not read.")


def _point(finding: str, point: NDArray[np.float64], instance: str) -> Mark:
    if len(point) == 3:
        return PatientMark(finding, tuple(point.tolist()))
    return PointMark(finding, float(point[0]), float(point[1]), None, Plane(instance=instance))


def _outline(finding: str, points: NDArray[np.float64], instance: str) -> Mark:
    """A rectangle along the axes is a box: what lies in it, its reader did not say."""
    flat = tuple(points.ravel().tolist())
    if points.shape[1] == 3:
        return PatientMark(finding, flat)
    plane = Plane(instance=instance)
    low, high = points.min(axis=0), points.max(axis=0)
    at_corners = ((points == low) | (points == high)).all()
    if len(points) == 4 and at_corners and len(np.unique(points, axis=0)) == 4:
        (x, y), (width, height) = low.tolist(), (high - low).tolist()
        return BoxMark(finding, x, y, width, height, None, plane)
    return PolygonMark(finding, (flat,), None, plane)


def _closed(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """The corners of a line that ends where it began, each once."""
    if len(points) < 4 or not np.allclose(points[0], points[-1], atol=1e-3):
        raise InputError("A region is a line that does not end where it began: nothing lies inside.")
    return points[:-1]


def _ellipse(points: Sequence[NDArray[np.float64]] | NDArray[np.float64]) -> NDArray[np.float64]:
    """Corners of a circle (centre, a point on it) or an ellipse (ends of the long and the short axis)."""
    points = np.asarray(points)
    if len(points) == 2:
        if points.shape[1] == 3:
            raise InputError("A region is a circle in space, whose plane nothing says.")
        centre, radius = points[0], np.linalg.norm(points[1] - points[0])
        axes = np.eye(2) * radius
    else:
        centre = points[:2].mean(axis=0)
        axes = np.stack([points[1] - points[0], points[3] - points[2]]) / 2
    around = 2 * np.pi * np.arange(CORNERS) / CORNERS
    return np.asarray(centre + np.stack([np.cos(around), np.sin(around)], axis=1) @ axes)
