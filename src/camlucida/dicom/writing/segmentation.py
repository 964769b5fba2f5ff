"""Where a model's evidence is, as areas: Segmentation Storage, BINARY (PS3.3 A.51, C.8.20).

A segment is not anatomy and not the disease: it is where the evidence for a finding reaches half of its
maximum on the source's own pixels.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes as dcm
from pydicom.uid import SegmentationStorage

from camlucida.dicom.writing import codes
from camlucida.dicom.writing.derived import LONGEST_LO, Kind, algorithm, coded, even
from camlucida.dicom.writing.material import Material, indices
from camlucida.dicom.writing.multi_frame import (
    Channel,
    Derivation,
    Frame,
    finish_frames,
    provenance_sentence,
    short_text,
)
from camlucida.dicom.writing.planes import Planes, source_planes
from camlucida.dicom.writing.source_grid import evidence_slices, level, unit_word

KIND = Kind("areas", 7106)
CHANNEL = Channel("ReferencedSegmentNumber", "SegmentIdentificationSequence")
CATEGORY = dcm.cid7150.SpatialAndRelationalConcept  # it claims no structure of the body
LEAST = 1 - 1e-5
"""Of the level: half-way between two cells lies exactly half, and on which side float32 rounds it must not
depend on the processor, or the same map would be written differently."""
AREA = "Where the model's evidence for “{finding}” is at least half of its maximum ({level:.3g} {unit})."
NOT_ANATOMY = "A contour of the model's evidence, not of anatomy or disease."
COLOURS = (  # CIELab (PS3.3 C.10.7.1.1) of colours that colour-blind readers can tell apart
    (46273, 37131, 52089),  # orange
    (45761, 29808, 23959),  # sky blue
    (37842, 21141, 36174),  # green
    (58401, 29471, 52288),  # yellow
    (35512, 44018, 49160),  # vermilion
    (40007, 42800, 30170),  # purple
)


@dataclass(frozen=True, slots=True, eq=False)
class Segment:
    """A finding, what its segment is, and its pixels (row, column) in those planes that have any."""

    finding: int
    description: str
    pixels: Mapping[int, NDArray[Any]]


def write(material: Material, findings: Sequence[int] | None = None) -> list[Dataset]:
    """One Segmentation with a segment for each finding that has evidence, on the source's own pixels.

    A pixel belongs to a segment where the evidence is at least half of its maximum. Slices without such
    pixels are left out. No object where no finding has evidence.

    Raises
    ------
    MissingGeometry
        Nobody knows which frame of the source a slice is.
    """
    found = [_segment(material, finding) for finding in indices(material.explanation, findings)]
    segments = [segment for segment in found if segment is not None]
    if not segments:
        return []
    dataset = Dataset()
    dataset.SegmentationType = "BINARY"
    dataset.BitsAllocated = dataset.BitsStored = 1
    dataset.HighBit = 0
    dataset.PixelData = even(_packed([mask for segment in segments for mask in segment.pixels.values()]))
    return [finish_segmentation(dataset, material, KIND, source_planes(material), segments)]


def finish_segmentation(
    dataset: Dataset, material: Material, kind: Kind, planes: Planes, segments: Sequence[Segment]
) -> Dataset:
    """Describe the segments and place their frames; pixel data and its bits are the caller's.

    Frames are in the order of the segments, then of their planes.
    """
    saliency_map = material.explanation.saliency_map
    dataset.SOPClassUID = SegmentationStorage
    dataset.Modality = "SEG"
    dataset.ImageType = ["DERIVED", "PRIMARY"]
    dataset.ContentLabel = "EVIDENCE"
    dataset.ContentDescription = "Evidence for a model's findings, not anatomy"
    dataset.PixelRepresentation = 0
    dataset.SegmentsOverlap = "YES" if _overlap(segments) else "NO"
    dataset.SegmentSequence = [
        _described(material, number, segment) for number, segment in enumerate(segments, start=1)
    ]
    frames = [
        Frame(channel, plane, _identified(channel + 1))
        for channel, segment in enumerate(segments)
        for plane in segment.pixels
    ]
    derivation = Derivation(
        dcm.cid7203.SegmentationImageDerivation,
        short_text((NOT_ANATOMY, provenance_sentence(material), *planes.notes)),
    )
    words = [saliency_map.label(segment.finding) for segment in segments]
    return finish_frames(dataset, material, kind, planes, frames, CHANNEL, derivation, *words)


def _segment(material: Material, finding: int) -> Segment | None:
    saliency_map = material.explanation.saliency_map
    lowest = level(saliency_map, finding)
    if lowest is None:
        return None
    masks = (values >= lowest * LEAST for values in evidence_slices(saliency_map, finding))
    area = AREA.format(finding=saliency_map.label(finding), level=lowest, unit=unit_word(saliency_map))
    pixels = {plane: mask for plane, mask in enumerate(masks) if mask.any()}
    return Segment(finding, short_text((NOT_ANATOMY, area, provenance_sentence(material))), pixels)


def _described(material: Material, number: int, segment: Segment) -> Dataset:
    """The Segment Description macro (PS3.3 C.8.20.2, table C.8.20-4)."""
    saliency_map, prediction = material.explanation.saliency_map, material.explanation.prediction
    name = saliency_map.findings[segment.finding]
    concept = prediction.findings[prediction.index(name)].concept
    kind = coded(codes.of_method(saliency_map.method))
    kind.SegmentedPropertyTypeModifierCodeSequence = [coded(codes.of_finding(name, concept))]
    identified = algorithm(material)
    item = Dataset()
    item.SegmentNumber = number
    item.SegmentLabel = saliency_map.label(segment.finding)[:LONGEST_LO]
    item.SegmentDescription = segment.description
    item.SegmentAlgorithmType = "AUTOMATIC"
    item.SegmentAlgorithmName = identified[0].AlgorithmName
    item.SegmentationAlgorithmIdentificationSequence = identified
    item.SegmentedPropertyCategoryCodeSequence = [coded(CATEGORY)]
    item.SegmentedPropertyTypeCodeSequence = [kind]
    item.RecommendedDisplayCIELabValue = list(COLOURS[(number - 1) % len(COLOURS)])
    return item


def _identified(number: int) -> Dataset:
    identification, groups = Dataset(), Dataset()
    identification.ReferencedSegmentNumber = number
    groups.SegmentIdentificationSequence = [identification]
    return groups


def _overlap(segments: Sequence[Segment]) -> bool:
    return any(
        bool((pixels.astype(bool) & other.pixels[plane].astype(bool)).any())
        for number, segment in enumerate(segments)
        for other in segments[number + 1 :]
        for plane, pixels in segment.pixels.items()
        if plane in other.pixels
    )


def _packed(masks: Sequence[NDArray[Any]]) -> bytes:
    """Frames as one row of bits, the first of each byte lowest, with no gap in between (PS3.5 8.1.1)."""
    if masks[0].size % 8 == 0:
        return b"".join(np.packbits(mask, bitorder="little").tobytes() for mask in masks)
    return np.packbits(np.concatenate([mask.ravel() for mask in masks]), bitorder="little").tobytes()
