"""Any instance as Explicit VR Little Endian, frame after frame: what every receiver reads (PS3.5 A.2)."""

import struct
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import NamedTuple

from pydicom import dcmwrite
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian

from camlucida.dicom.container import open_dataset, reading
from camlucida.dicom.elements import text
from camlucida.dicom.pixels import COLOUR
from camlucida.dicom.retrieving.frames import FLOATS, PIXEL_DATA, Frames, open_frames, swap_words
from camlucida.errors import UnreadableFile

LONGEST = 0xFFFFFFFE  # bytes of a value, PS3.5 7.1.2
META = ("MediaStorageSOPClassUID", "MediaStorageSOPInstanceUID")


class Explicit(NamedTuple):
    """A Part 10 file in pieces, and how long it is."""

    length: int
    pieces: Iterator[bytes]


def explicit_little_endian(path: Path) -> Explicit:
    """The instance with its pixels decoded; the first frame has been decoded when this returns.

    What stands behind the pixel data (padding, signatures, which hold no more) is left out.

    Raises
    ------
    UnreadableFile
        The instance is damaged, or its pixel data cannot be decoded here.
    """
    frames = open_frames(path)
    with reading("The instance", []):
        header = _header(path, frames)
    if frames is None:
        return Explicit(len(header), iter((header,)))
    length = frames.frame_bits * frames.count // 8 if frames.bits_allocated > 1 else frames.length
    if length > LONGEST:
        raise UnreadableFile("The decoded pixel data is longer than Explicit VR Little Endian allows.")
    if not frames.compressed and length > frames.length:
        raise UnreadableFile("The pixel data is shorter than the image; the file is cut off.")
    padding = b"\0" * (length % 2)
    element = _element_header(frames, length + len(padding))
    first = frames.decoded(1)
    return Explicit(
        len(header) + len(element) + length + len(padding),
        _pieces(header + element, first, frames, padding),
    )


def _pieces(head: bytes, first: bytes, frames: Frames, padding: bytes) -> Iterator[bytes]:
    yield head
    if frames.bits_allocated == 1:  # frames follow each other without a gap, so they are not cut apart
        yield from frames.all_values()
    else:
        yield first
        for number in range(2, frames.count + 1):
            yield frames.decoded(number)
    yield padding


def _header(path: Path, frames: Frames | None) -> bytes:
    """Preamble, file meta group and all that stands before the pixel data."""
    dataset = open_dataset(path, pixels=False)
    if frames is not None and frames.compressed:
        _say_decoded(dataset, frames)
    if not dataset.original_encoding[1]:
        swap_words(dataset)
    meta = FileMetaDataset()
    for keyword, own in zip(META, ("SOPClassUID", "SOPInstanceUID"), strict=True):
        setattr(meta, keyword, text(dataset, own))
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    content = Dataset()
    content.update({element.tag: element for element in dataset if element.tag.group > 2})
    content.file_meta = meta
    file = BytesIO()
    dcmwrite(file, content, enforce_file_format=True, implicit_vr=False, little_endian=True)
    return file.getvalue()


def _say_decoded(dataset: Dataset, frames: Frames) -> None:
    """What decoding has changed (PS3.5 8.2): colour is RGB and interleaved, offsets are gone."""
    if frames.layout is not None and frames.layout.interpretation in COLOUR:
        dataset.PhotometricInterpretation = "RGB"
        dataset.PlanarConfiguration = 0
    for keyword in ("ExtendedOffsetTable", "ExtendedOffsetTableLengths"):
        if keyword in dataset:
            delattr(dataset, keyword)


def _element_header(frames: Frames, length: int) -> bytes:
    tag = next((tag for tag, (vr, _) in FLOATS.items() if vr == frames.vr), PIXEL_DATA)
    vr = frames.vr if tag != PIXEL_DATA else "OW" if frames.bits_allocated > 8 else "OB"
    return struct.pack("<HH2s2xL", tag >> 16, tag & 0xFFFF, vr.encode(), length)
