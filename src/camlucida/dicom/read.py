"""DICOM files to images: one file, all frames of a multi-frame file, or a series as a volume.

Sorting is by position along the normal of the slices (PS3.3 C.7.6.2.1.1), never by file name or number.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom._uid_dict import UID_dictionary
from pydicom.dataset import Dataset

from camlucida.dicom import elements, geometry, pixels
from camlucida.dicom.container import is_dicom, open_dataset, reading
from camlucida.dicom.frame_view import frame_view
from camlucida.dicom.geometry import Plane, Stack
from camlucida.dicom.identity import read_source
from camlucida.dicom.pixels import Layout
from camlucida.dicom.rescale import Rescale, padded_value, read_rescale
from camlucida.dicom.window import read_voi_luts, read_windows
from camlucida.errors import CamlucidaError, MissingGeometry, UnreadableFile
from camlucida.records import Image

__all__ = ["is_dicom", "read_dicom", "series_of", "single_frame"]

SERIES_OF_SLICES = frozenset({"CT", "MR", "PT"})
DERIVED_OBJECTS = {  # they have pixel data, but what it means is not an image of a patient
    "1.2.840.10008.5.1.4.1.1.66.4": "a segmentation",
    "1.2.840.10008.5.1.4.1.1.66.7": "a label map segmentation",
    "1.2.840.10008.5.1.4.1.1.30": "a parametric map",
    "1.2.840.10008.5.1.4.1.1.481.2": "a radiation dose",
    "1.2.840.10008.1.3.10": "a DICOMDIR, the index of a disc (give the folder instead)",
}


@dataclass(frozen=True, slots=True, eq=False)
class Slice:
    """One frame that is to become a slice: where it lies, how it is rescaled, and who it is."""

    plane: Plane
    layout: Layout
    rescale: Rescale
    view: Dataset
    instance: str
    path: Path


def read_dicom(paths: Sequence[Path]) -> list[Image]:
    """Read DICOM files.

    Slices of one CT, MR or PET series become one volume (slice, row, column), sorted by position; an
    enhanced multi-frame file with positions becomes one volume; any other multi-frame file becomes one image
    a frame; everything else is one image a file. What a user should know of the source is in `Image.notes`.

    Raises
    ------
    UnreadableFile
        A file is damaged, not DICOM, or of a kind that is not read.
    FileTooLarge
        A file or an image is beyond `max_file_bytes` or `max_pixels`; checked before pixels are decoded.
    MissingGeometry
        The slices of a series cannot be put in order.
    """
    images: list[Image] = []
    for group in series_of([Path(path) for path in paths]):
        images.extend(_read_file(group[0]) if len(group) == 1 else _read_series(group))
    return images


def series_of(paths: Sequence[Path]) -> list[tuple[Path, ...]]:
    """Group files: slices of one CT, MR or PET series together, everything else one file a group.

    Slices belong together when Series Instance UID, size, photometric interpretation and orientation agree.
    A file that cannot be read is a group of its own; reading it gives the error.
    """
    groups: list[tuple[tuple[Any, ...] | None, Plane | None, list[Path]]] = []
    by_key: dict[tuple[Any, ...], list[tuple[Plane, list[Path]]]] = {}
    for path in paths:
        key, plane = _series_key(path)
        if key is None or plane is None:
            groups.append((None, None, [path]))
            continue
        known = by_key.setdefault(key, [])
        for other, files in known:
            if other.parallel(plane):
                files.append(path)
                break
        else:
            files = [path]
            known.append((plane, files))
            groups.append((key, plane, files))
    return [tuple(files) for _, _, files in groups]


def _series_key(path: Path) -> tuple[tuple[Any, ...] | None, Plane | None]:
    """What the slices of one series have in common; None for a file that is no such slice."""
    try:
        with reading(path.name, []):
            dataset = open_dataset(path, pixels=False)
            if elements.text(dataset, "Modality") not in SERIES_OF_SLICES or "NumberOfFrames" in dataset:
                return None, None
            keywords = (
                "SeriesInstanceUID",
                "Rows",
                "Columns",
                "SamplesPerPixel",
                "PhotometricInterpretation",
            )
            key = tuple(elements.text(dataset, keyword) for keyword in keywords)
            grey = key[-1].upper() in pixels.GREY
            return (key if all(key) and grey else None), geometry.read_plane(dataset, [])
    except CamlucidaError:  # reading it later gives the error, with the other files done
        return None, None


def _read_file(path: Path) -> list[Image]:
    """One image, one image a frame, or one volume."""
    notes: list[str] = []
    with reading(path.name, notes):
        dataset = open_dataset(path)
        layout = _image_layout(dataset, notes)
        frames = pixels.read_frames(dataset, layout)
        views = [frame_view(dataset, index) for index in range(layout.frames)]
        planes = _planes(dataset, views, notes)
        found = [plane for plane in planes if plane is not None]
        if _is_volume(found, layout):
            images = [_enhanced_volume(dataset, layout, views, found, frames, path, notes)]
        else:
            images = _single_frames(dataset, layout, views, planes, frames, path, notes)
    return [replace(image, notes=_unique(notes + list(image.notes))) for image in images]


def _planes(dataset: Dataset, views: Sequence[Dataset], notes: list[str]) -> list[Plane | None]:
    """The plane of each frame. One position at the root is not that of many frames."""
    if len(views) > 1 and "PerFrameFunctionalGroupsSequence" not in dataset:
        return [None] * len(views)
    return [geometry.read_plane(view, notes) for view in views]


def _unique(notes: Sequence[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(notes))


def _image_layout(dataset: Dataset, notes: list[str]) -> Layout:
    """The layout of an image, with notes about the whole file; refuses files that hold something else."""
    sop_class = elements.text(dataset, "SOPClassUID") or elements.text(
        getattr(dataset, "file_meta", Dataset()), "MediaStorageSOPClassUID"
    )
    if sop_class in DERIVED_OBJECTS:
        raise UnreadableFile(f"the file holds {DERIVED_OBJECTS[sop_class]}, not an image.")
    if "PixelData" not in dataset:
        name = UID_dictionary[sop_class][0] if sop_class in UID_dictionary else "of unknown kind"
        raise UnreadableFile(f"the file ({name}) holds no image, or it is cut off before its pixels.")
    layout = pixels.read_layout(dataset)
    if elements.text(dataset, "LossyImageCompression") == "01":
        notes.append("The image was compressed with loss.")
    if layout.interpretation in pixels.COLOUR and layout.bits_stored > 8:
        notes.append(f"Colour of {layout.bits_stored} bits a channel is reduced to 8 bits.")
    if layout.interpretation in pixels.GREY and "RedPaletteColorLookupTableDescriptor" in dataset:
        notes.append(
            "Parts of the image are meant to be shown in colour (supplemental palette); not done here."
        )
    return layout


def _is_volume(planes: Sequence[Plane], layout: Layout) -> bool:
    """Whether all frames have planes that are parallel and not all at one place."""
    return (
        1 < layout.frames == len(planes)
        and layout.interpretation in pixels.GREY
        and all(planes[0].parallel(plane) for plane in planes)
        and geometry.distinct_positions(planes) > 1
    )


def _single_frames(
    dataset: Dataset,
    layout: Layout,
    views: Sequence[Dataset],
    planes: Sequence[Plane | None],
    frames: Iterable[NDArray[Any]],
    path: Path,
    notes: list[str],
) -> list[Image]:
    several = layout.frames > 1
    if several and elements.text(dataset, "Modality") in SERIES_OF_SLICES:
        notes.append("The frames have no positions that make a volume; each frame is an image of its own.")
    return [
        single_frame(dataset, layout, view, plane, frame, path, index + 1 if several else None)
        for index, (view, plane, frame) in enumerate(zip(views, planes, frames, strict=True))
    ]


def single_frame(
    dataset: Dataset,
    layout: Layout,
    view: Dataset,
    plane: Plane | None,
    frame: NDArray[Any],
    path: Path,
    frame_number: int | None,
) -> Image:
    """The image of one frame."""
    notes: list[str] = []
    spacing = geometry.read_spacing(view, notes)
    image = Image(
        values=frame,
        photometric=layout.photometric,
        modality=elements.text(dataset, "Modality"),
        bits_stored=layout.bits_stored,
        spacing=spacing,
        source=read_source(dataset, path, frame_number=frame_number),
    )
    if plane is not None and spacing is not None:
        matrix = geometry.plane_matrix(plane, spacing, geometry.read_thickness(view))
        image = replace(image, pixel_to_patient=matrix)
        _note_frame_of_reference(image, notes)
    if image.colour:
        image = replace(image, bits_stored=8)
    else:
        image = _rescaled(image, read_rescale(view, layout, notes), layout)
        image = replace(
            image,
            windows=read_windows(view, notes),
            voi_luts=read_voi_luts(view, layout.order, notes),
        )
    return replace(image, notes=tuple(notes))


def _note_frame_of_reference(image: Image, notes: list[str]) -> None:
    if not image.source.frame_of_reference_uid:
        notes.append(
            "There is no Frame of Reference UID, so patient coordinates hold within this image only."
        )


def _rescaled(image: Image, rescale: Rescale, layout: Layout) -> Image:
    """The image with its rescale; values become modality values where no slope can say it."""
    values = _narrow(image.values)
    if rescale.lut is None and values.dtype.itemsize <= 2:
        return replace(
            image,
            values=values,
            slope=rescale.slope,
            intercept=rescale.intercept,
            unit=rescale.unit,
            padding=rescale.padding,
        )
    padded = padded_value([rescale], [layout])
    return replace(
        image,
        values=rescale.modality_values(values, padded),
        unit=rescale.unit,
        padding=None if rescale.padding is None else (padded, padded),
        bits_stored=layout.bits_stored if rescale.lut is None else rescale.lut.bits,
    )


def _narrow(values: NDArray[Any]) -> NDArray[Any]:
    """32-bit integers as 16-bit ones where they fit."""
    if values.dtype.itemsize <= 2:
        return values
    for narrow in (np.uint16, np.int16):
        if np.iinfo(narrow).min <= values.min() and values.max() <= np.iinfo(narrow).max:
            return values.astype(narrow)
    return values


def _enhanced_volume(
    dataset: Dataset,
    layout: Layout,
    views: Sequence[Dataset],
    planes: Sequence[Plane],
    frames: Iterable[NDArray[Any]],
    path: Path,
    notes: list[str],
) -> Image:
    """The volume of an enhanced multi-frame file."""
    instance = elements.text(dataset, "SOPInstanceUID")
    slices = [
        Slice(plane, layout, read_rescale(view, layout, notes), view, instance, path)
        for view, plane in zip(views, planes, strict=True)
    ]
    return _volume(dataset, slices, _stack(slices, notes), enumerate(frames), notes)


def _stack(slices: Sequence[Slice], notes: list[str]) -> Stack:
    """The slices in order; they must have one spacing."""
    spacings = [geometry.read_spacing(one.view, []) for one in slices]
    if any(not _close(spacing, spacings[0]) for spacing in spacings):
        raise MissingGeometry("The slices have different Pixel Spacing (0028,0030), so they are no volume.")
    return geometry.stack([one.plane for one in slices], spacings[0], notes)


def _close(one: tuple[float, float] | None, other: tuple[float, float] | None) -> bool:
    if one is None or other is None:
        return one is other
    return bool(np.allclose(one, other, rtol=1e-3))


def _read_series(paths: Sequence[Path]) -> list[Image]:
    """The volume of a series of files; one image a file where all lie at the same position."""
    notes: list[str] = []
    slices: dict[str, Slice] = {}
    for path in paths:
        with reading(path.name, notes):
            found = _read_slice(path, notes)
            slices.setdefault(found.instance or str(path), found)
    if len(slices) < len(paths):
        notes.append(
            f"{len(paths) - len(slices)} file(s) with a SOP Instance UID that was there are left out."
        )
    kept = list(slices.values())
    if len(kept) == 1 or geometry.distinct_positions([one.plane for one in kept]) == 1:
        images = [image for one in kept for image in _read_file(one.path)]
    else:
        series = f"{paths[0].name} and {len(paths) - 1} more"
        with reading(series, notes):
            pixels.check_count(kept[0].layout.rows * kept[0].layout.columns, len(kept), 1)
            stack = _stack(kept, notes)
            header = open_dataset(kept[0].path, pixels=False)
        with reading(series, notes, named=True):
            images = [_volume(header, kept, stack, _decoded(kept, stack.order, notes), notes)]
    return [replace(image, notes=_unique(notes + list(image.notes))) for image in images]


def _read_slice(path: Path, notes: list[str]) -> Slice:
    """What the header of one file says; its pixels are decoded later, when its place is known."""
    dataset = open_dataset(path, pixels=False)
    layout = pixels.read_layout(dataset)
    view = frame_view(dataset, 0)
    plane = geometry.read_plane(view, notes)
    if plane is None:
        raise MissingGeometry("the slice has no position and orientation any more; was the file changed?")
    rescale = read_rescale(view, layout, notes)
    return Slice(plane, layout, rescale, view, elements.text(dataset, "SOPInstanceUID"), path)


def _decoded(
    slices: Sequence[Slice], order: Iterable[int], notes: list[str]
) -> Iterator[tuple[int, NDArray[Any]]]:
    """Each slice's index with its pixels, one file at a time."""
    for index in order:
        one = slices[index]
        with reading(one.path.name, notes):
            dataset = open_dataset(one.path)
            layout = _image_layout(dataset, notes)
            frame = next(iter(pixels.read_frames(dataset, layout)))
        yield index, frame


def _volume(
    dataset: Dataset,
    slices: Sequence[Slice],
    stack: Stack,
    frames: Iterable[tuple[int, NDArray[Any]]],
    notes: list[str],
) -> Image:
    """The volume of the stack; `frames` gives the index in `slices` and the pixels of each slice."""
    spacing = geometry.read_spacing(slices[0].view, notes)
    kept = [slices[index] for index in stack.order]
    image = _filled(kept, stack.order, frames, notes)
    middle = kept[len(kept) // 2]
    if len({elements.text(one.view, "WindowCenter") for one in kept}) > 1:
        notes.append("The slices have different windows; those of the middle slice are used.")
    image = replace(
        image,
        modality=elements.text(dataset, "Modality"),
        bits_stored=max(one.layout.bits_stored for one in kept),
        windows=read_windows(middle.view, notes),
        voi_luts=read_voi_luts(middle.view, middle.layout.order, notes),
        source=read_source(dataset, kept[0].path, tuple(dict.fromkeys(one.instance for one in kept))),
    )
    if spacing is None:
        return image
    image = replace(image, spacing=(stack.distance, *spacing))
    if stack.step is not None:
        image = replace(image, pixel_to_patient=geometry.stack_matrix(kept[0].plane, stack.step, spacing))
        _note_frame_of_reference(image, notes)
    return image


def _filled(
    kept: Sequence[Slice], order: Sequence[int], frames: Iterable[tuple[int, NDArray[Any]]], notes: list[str]
) -> Image:
    """The volume's values: stored ones where one rescale fits all slices, otherwise modality values."""
    first = kept[0]
    shape = (len(kept), first.layout.rows, first.layout.columns)
    one_rescale = len({_rescale_key(one) for one in kept}) == 1 and _fits_integers(first)
    padded = padded_value([one.rescale for one in kept], [one.layout for one in kept])
    values = np.empty(shape, _stored_type(first.layout) if one_rescale else np.float32)
    places = {index: place for place, index in enumerate(order)}
    for index, frame in frames:
        if index in places:
            place = places[index]
            values[place] = frame if one_rescale else kept[place].rescale.modality_values(frame, padded)
    image = Image(values=values, photometric=first.layout.photometric, unit=first.rescale.unit)
    if one_rescale:
        rescale = first.rescale
        return replace(image, slope=rescale.slope, intercept=rescale.intercept, padding=rescale.padding)
    notes.append("The slices have no single rescale; values are modality values in float32.")
    has_padding = any(one.rescale.padding is not None for one in kept)
    return replace(image, padding=(padded, padded) if has_padding else None)


def _rescale_key(one: Slice) -> tuple[Any, ...]:
    rescale = one.rescale
    return rescale.slope, rescale.intercept, rescale.padding, _stored_type(one.layout)


def _fits_integers(one: Slice) -> bool:
    return one.rescale.lut is None and one.layout.bits_allocated <= 16


def _stored_type(layout: Layout) -> Any:
    """The integer type that holds all decoded values of a layout of up to 16 bits."""
    if layout.signed:
        return np.int16
    return np.uint8 if layout.bits_allocated <= 8 else np.uint16
