"""Contours and words over the original image: Softcopy Presentation States (PS3.3 A.33.1, A.33.2).

Grayscale for grey images, Color for coloured ones. Each finding has its own graphic layer, so that a viewer
can switch it off; the image keeps the grey that it has without the state.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.uid import ColorSoftcopyPresentationStateStorage, GrayscaleSoftcopyPresentationStateStorage
from pydicom.valuerep import DSfloat

from camlucida.dicom.elements import values
from camlucida.dicom.writing.derived import BODY_PART, LONGEST_CS, LONGEST_LO, Kind, finish
from camlucida.dicom.writing.material import Material, indices
from camlucida.dicom.writing.segmentation import COLOURS
from camlucida.dicom.writing.softcopy import put_colour, put_grey
from camlucida.dicom.writing.source_grid import evidence_slices, level, unit_word
from camlucida.dicom.writing.sources import SourceFrame, source_frames
from camlucida.rendering.contour import contours

KIND = Kind("contours", 7108, BODY_PART)
NOT_ANATOMY = "Model's evidence, not anatomy"
CENTRE = 0.5  # PIXEL units count from the corner of the first pixel, whose centre is 0.5\\0.5
WHITE = 65535


@dataclass(frozen=True, slots=True, eq=False)
class Outlined:
    """A finding, the level of its lines, and for each slice that they reach the lines (point, 2)."""

    finding: int
    level: float
    lines: dict[int, list[NDArray[np.float64]]]


def write(material: Material, findings: Sequence[int] | None = None) -> list[Dataset]:
    """One presentation state with the contour of each finding that has evidence, and its probability.

    The contour is where the evidence reaches half of its maximum on the source's pixels, on every slice that
    it reaches. No object where no finding has evidence.

    Raises
    ------
    MissingGeometry
        Nobody knows which frame of the source a slice is.
    """
    found = [_outlined(material, finding) for finding in indices(material.explanation, findings)]
    outlined = [one for one in found if one is not None]
    if not outlined:
        return []
    frames = source_frames(material)
    dataset = Dataset()
    dataset.Modality = "PR"
    dataset.ContentLabel = "EVIDENCE"
    dataset.ContentDescription = "Contours of a model's evidence, not of anatomy"
    dataset.ContentCreatorName = dataset.PresentationCreationDate = dataset.PresentationCreationTime = ""
    dataset.ReferencedSeriesSequence = [_referenced(frames)]
    dataset.DisplayedAreaSelectionSequence = [_displayed_area(material)]
    labels = [material.explanation.saliency_map.label(one.finding) for one in outlined]
    layers = layer_names(labels)
    dataset.GraphicLayerSequence = [
        _layer(material, one, order, name)
        for order, (one, name) in enumerate(zip(outlined, layers, strict=True), start=1)
    ]
    dataset.GraphicAnnotationSequence = [
        _annotation(frames[index], name, _words(material, one.finding), lines)
        for one, name in zip(outlined, layers, strict=True)
        for index, lines in one.lines.items()
    ]
    if material.image.colour:
        dataset.SOPClassUID = ColorSoftcopyPresentationStateStorage
        put_colour(dataset, material.first)
    else:
        dataset.SOPClassUID = GrayscaleSoftcopyPresentationStateStorage
        put_grey(dataset, material, frames)
    return [finish(dataset, material, KIND, *labels)]


def layer_names(names: Sequence[str]) -> list[str]:
    """Names as Code Strings (capital letters, digits, blanks), numbered so that no two are the same."""
    plain = [
        "".join(one if one.isascii() and one.isalnum() else " " for one in name.upper()) for name in names
    ]
    numbered = [f"{number} {name}" for number, name in enumerate(plain, start=1)]
    return [" ".join(name.split())[:LONGEST_CS].strip() for name in numbered]


def _outlined(material: Material, finding: int) -> Outlined | None:
    saliency_map = material.explanation.saliency_map
    lowest = level(saliency_map, finding)
    if lowest is None:
        return None
    slices = (contours(evidence, lowest) for evidence in evidence_slices(saliency_map, finding))
    return Outlined(finding, lowest, {index: lines for index, lines in enumerate(slices) if lines})


def _words(material: Material, finding: int) -> str:
    """What stands beside a contour: little, because it hides what is behind it."""
    prediction, saliency_map = material.explanation.prediction, material.explanation.saliency_map
    probability = prediction.probabilities[prediction.index(saliency_map.findings[finding])]
    return f"{saliency_map.label(finding)}: probability {probability:.2f}\r\n{NOT_ANATOMY}"


def _referenced(frames: Sequence[SourceFrame]) -> Dataset:
    """The images that the state applies to: all slices, so that none changes its grey (PS3.3 C.11.11)."""
    item = Dataset()
    item.SeriesInstanceUID = frames[0].dataset.SeriesInstanceUID
    of_instances: dict[str, Dataset] = {}
    for frame in frames:
        whole = frame if len(frames) == 1 else SourceFrame(frame.dataset, None)
        of_instances.setdefault(str(frame.dataset.SOPInstanceUID), whole.reference())
    item.ReferencedImageSequence = list(of_instances.values())
    return item


def _displayed_area(material: Material) -> Dataset:
    """The whole image, its pixels as wide and high as they are (PS3.3 C.10.4)."""
    rows, columns = material.image.space[-2:]
    item = Dataset()
    item.DisplayedAreaTopLeftHandCorner = [1, 1]  # pixels are counted from 1 here
    item.DisplayedAreaBottomRightHandCorner = [columns, rows]
    item.PresentationSizeMode = "SCALE TO FIT"
    if material.image.spacing is None:
        item.PresentationPixelAspectRatio = _aspect_ratio(material.first)
    else:
        item.PresentationPixelSpacing = [DSfloat(mm, auto_format=True) for mm in material.image.spacing[-2:]]
    return item


def _aspect_ratio(source: Dataset) -> list[int]:
    """Height and width of a pixel (PS3.3 C.7.6.3.1.7); square where the source says nothing possible."""
    given = [int(one) for one in values(source, "PixelAspectRatio") if str(one).isdecimal()]
    return given if len(given) == 2 and min(given) > 0 else [1, 1]


def _layer(material: Material, outlined: Outlined, order: int, name: str) -> Dataset:
    item = Dataset()
    item.GraphicLayer, item.GraphicLayerOrder = name, order
    item.GraphicLayerRecommendedDisplayGrayscaleValue = WHITE
    item.GraphicLayerRecommendedDisplayCIELabValue = list(COLOURS[(order - 1) % len(COLOURS)])
    saliency_map = material.explanation.saliency_map
    area = f"evidence from {outlined.level:.3g} {unit_word(saliency_map)}"
    item.GraphicLayerDescription = f"{saliency_map.label(outlined.finding)}: {area}"[:LONGEST_LO]
    return item


def _annotation(frame: SourceFrame, layer: str, words: str, lines: Sequence[NDArray[np.float64]]) -> Dataset:
    """The lines of one finding on one slice, and the words at the highest point of the largest."""
    item, beside = Dataset(), Dataset()
    item.ReferencedImageSequence = [frame.reference()]
    item.GraphicLayer = layer
    item.GraphicObjectSequence = [_polyline(line) for line in lines]
    largest = lines[0]
    beside.UnformattedTextValue = words
    beside.AnchorPointAnnotationUnits = "PIXEL"
    beside.AnchorPoint = _pixel_units(largest[largest[:, 0].argmin()][np.newaxis])
    beside.AnchorPointVisibility = "N"
    item.TextObjectSequence = [beside]
    return item


def _polyline(line: NDArray[np.float64]) -> Dataset:
    item = Dataset()
    item.GraphicAnnotationUnits, item.GraphicDimensions = "PIXEL", 2
    item.NumberOfGraphicPoints = len(line)
    item.GraphicData = _pixel_units(line)
    item.GraphicType, item.GraphicFilled = "POLYLINE", "N"
    return item


def _pixel_units(points: NDArray[np.float64]) -> list[float]:
    """(row, column) with pixel centres at integers as column, row from the image's corner (PS3.3 C.10.5)."""
    return [float(np.float32(one)) for one in (points[:, ::-1] + CENTRE).ravel()]
