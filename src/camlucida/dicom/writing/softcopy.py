"""From stored values to grey as the image is usually shown, in a presentation state's own words.

A presentation state replaces all that the image says of it (PS3.4 N.2), so it must say it all again: modality
LUT or rescale, window or VOI LUT, and whether low values are white (PS3.3 C.11.1, C.11.6, C.11.8).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import ImageCms
from pydicom.dataset import Dataset
from pydicom.valuerep import DSfloat

from camlucida.dicom import elements
from camlucida.dicom.frame_view import frame_view
from camlucida.dicom.window import read_table
from camlucida.dicom.writing.derived import LONGEST_LO
from camlucida.dicom.writing.material import Material
from camlucida.dicom.writing.sources import SourceFrame
from camlucida.records import Photometric, VoiLut, VoiLutFunction, Window
from camlucida.rendering.window import default_display, default_window

NARROWEST = 1e-6  # stored values; a width must be above 0 (PS3.3 C.11.2.1.3.2)
PROFILE_CLASS, PROFILE_DATE = slice(12, 16), slice(24, 36)  # of an ICC profile's header
SOME_DAY = bytes([7, 234, 0, 1, 0, 1, 0, 0, 0, 0, 0, 0])  # 2026-01-01: nothing is taken from the clock


@dataclass(frozen=True, slots=True)
class _Rescale:
    slope: float
    intercept: float
    type: str


def put_grey(dataset: Dataset, material: Material, frames: Sequence[SourceFrame]) -> None:
    """Modality LUT, softcopy VOI LUT and presentation LUT, so that the image looks as without the state.

    Where the slices have different rescales, which one modality LUT cannot say, each gets its window in
    stored values.
    """
    inverted = material.image.photometric is Photometric.MONOCHROME1
    dataset.PresentationLUTShape = "INVERSE" if inverted else "IDENTITY"
    views = [frame_view(frame.dataset, (frame.frame_number or 1) - 1) for frame in frames]
    table = elements.item(views[0], "ModalityLUTSequence")
    rescales = [_rescale(view) for view in views]
    if len(set(rescales)) > 1:
        dataset.SoftcopyVOILUTSequence = _windows_of_stored_values(material, frames, rescales)
        return
    if rescales[0] is not None:
        dataset.RescaleSlope = DSfloat(rescales[0].slope, auto_format=True)
        dataset.RescaleIntercept = DSfloat(rescales[0].intercept, auto_format=True)
        dataset.RescaleType = rescales[0].type
    elif table is not None:
        dataset.ModalityLUTSequence = [_modality_lut(table, material.first)]
    dataset.SoftcopyVOILUTSequence = [_voi(default_display(material.image))]


def put_colour(dataset: Dataset, source: Dataset) -> None:
    """The colours' profile: the source's own, or sRGB (PS3.3 C.11.15)."""
    given = elements.value(source, "ICCProfile")
    dataset.ICCProfile = given if isinstance(given, bytes) else _srgb()


def _rescale(view: Dataset) -> _Rescale | None:
    slope = elements.number(view, "RescaleSlope")
    if slope is None:
        return None
    intercept = elements.number(view, "RescaleIntercept") or 0.0
    return _Rescale(slope, intercept, elements.text(view, "RescaleType")[:LONGEST_LO] or "US")


def _windows_of_stored_values(
    material: Material, frames: Sequence[SourceFrame], rescales: Sequence[_Rescale | None]
) -> list[Dataset]:
    items = []
    for rescale in dict.fromkeys(rescales):
        item = _voi(_of_stored_values(default_window(material.image), rescale or _Rescale(1.0, 0.0, "US")))
        item.ReferencedImageSequence = [
            frame.reference() for frame, own in zip(frames, rescales, strict=True) if own == rescale
        ]
        items.append(item)
    return items


def _of_stored_values(window: Window, rescale: _Rescale) -> Window:
    """A window of modality values as one of stored values, without the half steps of LINEAR."""
    center, width, function = window.center, window.width, window.function
    if function is VoiLutFunction.LINEAR:
        center, width, function = center - 0.5, width - 1, VoiLutFunction.LINEAR_EXACT
    stored_width = max(width / abs(rescale.slope), NARROWEST)
    return Window((center - rescale.intercept) / rescale.slope, stored_width, function, window.explanation)


def _voi(shown: Window | VoiLut) -> Dataset:
    item = Dataset()
    if isinstance(shown, VoiLut):
        item.VOILUTSequence = [_lut(shown.first_mapped, shown.table, shown.bits, shown.explanation)]
        return item
    item.WindowCenter = DSfloat(shown.center, auto_format=True)
    item.WindowWidth = DSfloat(shown.width, auto_format=True)
    item.VOILUTFunction = shown.function.value
    if shown.explanation:
        item.WindowCenterWidthExplanation = shown.explanation[:LONGEST_LO]
    return item


def _modality_lut(table: Dataset, source: Dataset) -> Dataset:
    big_endian = getattr(source, "original_encoding", None) == (False, False)
    first, entries, bits = read_table(table, ">" if big_endian else "<")
    signed = elements.integer(source, "PixelRepresentation") == 1
    item = _lut(_as_int16(first) if signed else first, entries, bits, elements.text(table, "LUTExplanation"))
    item.ModalityLUTType = elements.text(table, "ModalityLUTType") or "US"
    return item


def _lut(first: int, entries: NDArray[np.uint16], bits: int, explanation: str) -> Dataset:
    """LUT Descriptor and LUT Data (PS3.3 C.11.1.1); a first value below 0 makes the descriptor signed."""
    item = Dataset()
    count = len(entries) % 65536
    signed = first < 0
    item.add_new(
        "LUTDescriptor", "SS" if signed else "US", [_as_int16(count) if signed else count, first, bits]
    )
    item.add_new("LUTData", "OW", entries.astype("<u2").tobytes())
    if explanation:
        item.LUTExplanation = explanation[:LONGEST_LO]
    return item


def _as_int16(value: int) -> int:
    return value - 65536 if value > 32767 else value


def _srgb() -> bytes:
    """The profile sRGB as that of an input device, the same bytes at any time."""
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    profile[PROFILE_CLASS], profile[PROFILE_DATE] = b"scnr", SOME_DAY
    return bytes(profile)
