"""DICOM Segmentation (PS3.3 A.51) and Label Map Segmentation: segments that are findings."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from camlucida.dicom import elements, pixels
from camlucida.dicom.container import open_dataset, reading
from camlucida.dicom.frame_view import frame_view
from camlucida.dicom.geometry import SAME_DIRECTION, read_plane
from camlucida.errors import InputError
from camlucida.evaluation.data.annotations.gallery import Gallery
from camlucida.evaluation.data.annotations.marks import resized
from camlucida.evaluation.data.annotations.references import case_of
from camlucida.evaluation.data.case import Mark
from camlucida.evaluation.data.labels import Vocabulary
from camlucida.evaluation.data.told import Told
from camlucida.records import Annotation, AnnotationKind, Image

SEGMENTATION = "1.2.840.10008.5.1.4.1.1.66.4"
LABEL_MAP = "1.2.840.10008.5.1.4.1.1.66.7"
HALF_A_SLICE = 0.51  # of the volume's slice distance: how far a frame may lie off a slice


@dataclass(frozen=True, slots=True)
class SegmentMark(Mark):
    """One segment of a file, in as many frames as it has there."""

    path: Path
    segment: int
    instance: str = field(default="", repr=False)

    @property
    def files(self) -> tuple[Path, ...]:
        """The segmentation's file."""
        return (self.path,)

    def on(self, image: Image) -> Annotation:
        """The segment on the image's grid; of fractional ones what is half there.

        Raises
        ------
        UnreadableFile, FileTooLarge
            The file is damaged or too large.
        InputError
            No frame lies on the image, or the frames have another grid.
        """
        inside = np.zeros(image.space, np.bool_)
        found = 0
        with reading(self.path.name, []):
            for view, mask in _frames(self.path, self.segment):
                place = _slice(view, image)
                if place is None:
                    continue
                found += 1
                plane = inside if len(image.space) == 2 else inside[place]
                plane |= _fitting(mask, image)
        if not found:
            raise InputError("no frame of the segment lies on the image.")
        return Annotation(self.finding, AnnotationKind.MASK, inside)


@dataclass(frozen=True, slots=True, eq=False)
class _Frame:
    """Where a frame lies: its flat attributes, and the instances that it was derived from."""

    flat: Dataset
    instances: frozenset[str]


def read(path: Path, gallery: Gallery, vocabulary: Vocabulary, told: Told) -> Iterator[tuple[int, Mark]]:
    """The segments that are findings; the others are told.

    Raises
    ------
    UnreadableFile, FileTooLarge
        The file is damaged or too large.
    """
    with reading(path.name, []):
        dataset = open_dataset(path, pixels=False)
        number = case_of(dataset, gallery)
        segments = [(_number(one), list(_names(one))) for one in elements.items(dataset, "SegmentSequence")]
    if number is None:
        told.note("Segmentations of images that are not in the data, or of several", path.name)
        return
    if not segments:
        told.note("Segmentations that are cut off, or have no segment", path.name)
    for segment, names in segments:
        finding = next((one for name in names if (one := vocabulary.finding(name)) is not None), None)
        if finding is None:
            told.note(f"Segments that are no finding of the model (“{(names or ['?'])[0]:.40}”)", path.name)
        else:
            yield number, SegmentMark(finding, path, segment)


def _number(segment: Dataset) -> int:
    return elements.integer(segment, "SegmentNumber") or 0


def _names(segment: Dataset) -> Iterator[str]:
    """What a segment may be called by: its label, what it is of, and its description."""
    yield elements.text(segment, "SegmentLabel")
    for code in elements.items(segment, "SegmentedPropertyTypeCodeSequence"):
        yield elements.text(code, "CodeMeaning")
    yield elements.text(segment, "SegmentDescription")


def _frames(path: Path, segment: int) -> Iterator[tuple[_Frame, NDArray[np.bool_]]]:
    """The frames of one segment."""
    dataset = open_dataset(path)
    layout = pixels.read_layout(dataset)
    by_value = elements.text(dataset, "SOPClassUID") == LABEL_MAP
    fractional = elements.text(dataset, "SegmentationType") == "FRACTIONAL"
    least = (elements.integer(dataset, "MaximumFractionalValue") or 255) / 2 if fractional else 0.5
    for index, stored in enumerate(pixels.read_frames(dataset, layout)):
        if not by_value and _segment_of(dataset, index) != segment:
            continue
        mask = stored == segment if by_value else stored >= least
        yield _Frame(frame_view(dataset, index), _derived_from(dataset, index)), mask


def _groups(dataset: Dataset, index: int, macro: str) -> list[Dataset]:
    """A functional group's items, the frame's own before the shared ones."""
    own = elements.item(dataset, "PerFrameFunctionalGroupsSequence", index)
    shared = elements.item(dataset, "SharedFunctionalGroupsSequence")
    return elements.items(own, macro) or elements.items(shared, macro)


def _segment_of(dataset: Dataset, index: int) -> int | None:
    for group in _groups(dataset, index, "SegmentIdentificationSequence"):
        return elements.integer(group, "ReferencedSegmentNumber")
    return None


def _derived_from(dataset: Dataset, index: int) -> frozenset[str]:
    return frozenset(
        elements.text(source, "ReferencedSOPInstanceUID")
        for group in _groups(dataset, index, "DerivationImageSequence")
        for source in elements.items(group, "SourceImageSequence")
    )


def _slice(frame: _Frame, image: Image) -> int | None:
    """The slice that a frame lies on, 0 of a single image; None where it lies beside it."""
    instances = image.source.sop_instance_uids
    if len(image.space) == 2:
        return 0 if not frame.instances or frame.instances & set(instances) else None
    plane = read_plane(frame.flat, [])
    if plane is None or image.pixel_to_patient is None:
        found = [place for place, one in enumerate(instances) if one in frame.instances]
        return found[0] if len(found) == 1 and len(instances) == image.space[0] else None
    _check_directions(image.pixel_to_patient, plane.along_row, plane.along_column)
    at = np.linalg.inv(image.pixel_to_patient) @ [*plane.position, 1.0]
    if np.abs(at[1:3]).max() > HALF_A_SLICE:
        raise InputError("its frames begin at another place than the image's slices: the grid is another.")
    place = round(float(at[0]))
    return place if abs(at[0] - place) <= HALF_A_SLICE and 0 <= place < image.space[0] else None


def _check_directions(
    to_patient: NDArray[np.float64], along_row: NDArray[np.float64], along_column: NDArray[np.float64]
) -> None:
    for axis, wanted in ((2, along_row), (1, along_column)):
        own = to_patient[:3, axis] / np.linalg.norm(to_patient[:3, axis])
        if np.abs(own - wanted).max() > 10 * SAME_DIRECTION:
            raise InputError("its frames are turned against the image's slices.")


def _fitting(mask: NDArray[Any], image: Image) -> NDArray[np.bool_]:
    if len(image.space) == 3 and mask.shape != image.space[1:]:
        raise InputError(
            f"its frames have {mask.shape[1]} × {mask.shape[0]} pixels and the slices {image.space[2]} × "
            f"{image.space[1]}; save it on the image's grid."
        )
    return resized(mask, image.space[-2:])
