"""One frame of an instance as an Image to be shown, without reading the others.

Beside images, what holds numbers on a grid can be looked at: segmentations and parametric maps.
"""

from dataclasses import replace
from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, SegmentationStorage

from camlucida.dicom import elements, pixels
from camlucida.dicom.container import open_dataset, reading
from camlucida.dicom.frame_view import frame_view
from camlucida.dicom.identity import read_source
from camlucida.dicom.read import single_frame
from camlucida.dicom.retrieving.frames import Frames, swap_words
from camlucida.dicom.window import read_windows
from camlucida.records import Image, VoiLutFunction, Window

LABEL_MAP = "1.2.840.10008.5.1.4.1.1.66.7"


def representative_frame(path: Path, frames: Frames) -> int:
    """The frame that stands for the whole instance: the one that it names (0028,6010), else the middle."""
    with reading("The instance", []):
        named = elements.integer(open_dataset(path, pixels=False), "RepresentativeFrameNumber") or 0
    return named if 1 <= named <= frames.count else (frames.count + 1) // 2


def read_frame(path: Path, frames: Frames, number: int) -> Image:
    """Frame `number` (from 1) as an image, with its own windows.

    Raises
    ------
    UnreadableFile
        There is no such frame, or it is damaged.
    """
    content = frames.kept(number)
    with reading("The instance", []):
        dataset = open_dataset(path, pixels=False)
        if frames.syntax == ExplicitVRBigEndian:
            swap_words(dataset)
        view = frame_view(dataset, number - 1)
        if frames.layout is None:
            values = np.frombuffer(content, f"<f{frames.bits_allocated // 8}")
            shown = np.nan_to_num(values.reshape(frames.rows, frames.columns)).astype(np.float32)
            return Image(shown, windows=read_windows(view, []), source=read_source(dataset, path))
        image = _image(dataset, view, frames, content, path, number)
        window = _window(dataset, image)
    return image if window is None else replace(image, windows=(window,))


def _image(dataset: Dataset, view: Dataset, frames: Frames, content: bytes, path: Path, number: int) -> Image:
    """The image of a data set that has this frame only."""
    assert frames.layout is not None  # noqa: S101 - for the type checker: floats have been dealt with
    syntax = frames.syntax if frames.compressed else ExplicitVRLittleEndian  # as `content` is
    layout = replace(frames.layout, frames=1, syntax=syntax)
    for keyword in ("ExtendedOffsetTable", "ExtendedOffsetTableLengths"):
        dataset.pop(keyword, None)
    if frames.compressed:
        dataset.add_new("PixelData", "OB", encapsulate([content]))
    else:
        dataset.add_new("PixelData", frames.vr, content)
    stored = next(iter(pixels.read_frames(dataset, layout)))
    return single_frame(dataset, layout, view, None, stored, path, number)


def _window(dataset: Dataset, image: Image) -> Window | None:
    """Segmentations have no windows: from nothing to the most that a value can say is shown."""
    sop_class = elements.text(dataset, "SOPClassUID")
    if sop_class not in (SegmentationStorage):
        return None
    most = 1.0
    if elements.text(dataset, "SegmentationType") == "FRACTIONAL":
        most = float(elements.integer(dataset, "MaximumFractionalValue") or 255)
    elif sop_class == LABEL_MAP:
        most = float(image.values.max()) or 1.0
    return Window(most / 2, most, VoiLutFunction.LINEAR_EXACT)
