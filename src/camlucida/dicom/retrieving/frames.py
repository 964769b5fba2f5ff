"""Single frames of an instance as they are kept, each read without the others.

PS3.3 C.7.6.3 (Image Pixel), C.7.6.24 (Floating Point Image Pixel), PS3.5 8.1 and A.4 (encapsulated).
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.encaps import get_frame
from pydicom.uid import UID, ExplicitVRBigEndian

from camlucida.dicom import elements, pixels
from camlucida.dicom.container import open_dataset, reading
from camlucida.dicom.pixels import COMPRESSED, Layout, check_count, read_layout, transfer_syntax
from camlucida.errors import UnreadableFile

DEFERRED_BYTES = 1 << 14  # larger values are left in the file
PIECE_BYTES = 1 << 18
PIXEL_DATA = 0x7FE00010
WORDS = {"OW": 2, "OF": 4, "OL": 4, "OD": 8, "OV": 8}
FLOATS = {0x7FE00008: ("OF", 32), 0x7FE00009: ("OD", 64)}


@dataclass(frozen=True, slots=True)
class Frames:
    """Where the pixel data of an instance lies, and how its frames are cut out of it.

    `layout` is None for floating point pixel data, which is never compressed.
    """

    source: Path | bytes  # bytes: the file was deflated
    begin: int
    length: int
    vr: str
    syntax: UID
    rows: int
    columns: int
    count: int
    bits_allocated: int
    frame_bits: int
    layout: Layout | None
    offsets: tuple[bytes, bytes] | None

    @property
    def compressed(self) -> bool:
        """Whether each frame is a codestream of its own."""
        return self.syntax in COMPRESSED

    @property
    def decoded_bytes(self) -> int:
        """Length of a decoded frame, which is rounded up to whole bytes."""
        return -(-self.frame_bits // 8)

    def kept(self, number: int) -> bytes:
        """Frame `number` (from 1): its codestream as it lies in the file, or its values, little-endian.

        Frames of single bits begin at a byte, their first pixel in its lowest bit (PS3.18 8.7.3.3.2).

        Raises
        ------
        UnreadableFile
            There is no such frame, or the pixel data is damaged.
        """
        if not 1 <= number <= self.count:
            raise UnreadableFile(f"The instance has frames 1 to {self.count}; there is no frame {number}.")
        with reading("The pixel data", []), self._open() as file:
            return self._codestream(file, number) if self.compressed else self._values(file, number)

    def decoded(self, number: int) -> bytes:
        """Frame `number` (from 1), not compressed, little-endian; compressed colour becomes RGB, interleaved.

        Raises
        ------
        UnreadableFile
            As `kept`; or the frame cannot be decoded.
        """
        kept = self.kept(number)
        if self.layout is None or not self.compressed:
            return kept
        with reading("The pixel data", []):
            return _little_endian(pixels.decode(kept, self.layout), self.layout)

    def _bytes(self, file: BinaryIO, begin: int, end: int) -> bytes:
        """Little-endian bytes of the pixel data; a word may reach over the end of a frame of bytes."""
        if self.syntax != ExplicitVRBigEndian:
            file.seek(self.begin + begin)
            return file.read(end - begin)
        aligned = begin // self._word * self._word
        file.seek(self.begin + aligned)
        content = swapped(file.read(-(-(end - aligned) // self._word) * self._word), self._word)
        return content[begin - aligned : end - aligned]

    def all_values(self) -> Iterator[bytes]:
        """All pixel data that is not compressed, little-endian, in pieces; frames follow without a gap."""
        with self._open() as file:
            file.seek(self.begin)
            left = self.length
            while left > 0 and (piece := file.read(min(left, PIECE_BYTES))):
                left -= len(piece)
                yield swapped(piece, self._word) if self.syntax == ExplicitVRBigEndian else piece

    @property
    def _word(self) -> int:
        if self.bits_allocated <= 8:
            return 2 if self.vr == "OW" else 1
        return self.bits_allocated // 8

    def _open(self) -> BinaryIO:
        return BytesIO(self.source) if isinstance(self.source, bytes) else self.source.open("rb")

    def _codestream(self, file: BinaryIO, number: int) -> bytes:
        file.seek(self.begin)
        try:
            return get_frame(file, number - 1, number_of_frames=self.count, extended_offsets=self.offsets)
        except (ValueError, struct.error, EOFError):
            raise UnreadableFile(
                f"The fragments of the compressed pixel data do not make {self.count} frames; the file is "
                "damaged."
            ) from None

    def _values(self, file: BinaryIO, number: int) -> bytes:
        first = (number - 1) * self.frame_bits
        begin, end = first // 8, -(-(first + self.frame_bits) // 8)
        content = self._bytes(file, begin, end)
        if end > self.length or len(content) < end - begin:
            raise UnreadableFile(f"The pixel data ends before frame {number}; the file is cut off.")
        if self.bits_allocated > 1:
            return content
        bits = np.unpackbits(np.frombuffer(content, np.uint8), bitorder="little")
        offset = first % 8
        return np.packbits(bits[offset : offset + self.frame_bits], bitorder="little").tobytes()


def open_frames(path: Path) -> Frames | None:
    """The frames of a file; None where it holds no pixel data.

    Raises
    ------
    UnreadableFile
        The file is damaged, or its pixel data is of a kind that is not read.
    FileTooLarge
        It is beyond the settings `max_file_bytes` and `max_pixels`.
    """
    with reading("The instance", []):
        dataset = open_dataset(path, defer=DEFERRED_BYTES)
        tag = next((tag for tag in (PIXEL_DATA, *FLOATS) if tag in dataset), None)
        if tag is None:
            return None
        element: Any = dataset.get_item(tag, keep_deferred=True)
        if not isinstance(element, RawDataElement):
            raise UnreadableFile("The pixel data cannot be found in the file.")
        return _frames(dataset, element, path)


def _frames(dataset: Dataset, element: RawDataElement, path: Path) -> Frames:
    tag = int(element.tag)
    layout = read_layout(dataset) if tag == PIXEL_DATA else None
    if layout is None:
        rows, columns, count = _size(dataset)
        vr, bits = FLOATS[tag]
        frame_bits = rows * columns * bits
    else:
        rows, columns, count, bits = layout.rows, layout.columns, layout.frames, layout.bits_allocated
        vr = element.VR if element.VR in ("OB", "OW") else "OW"
        frame_bits = rows * columns * layout.samples * bits
        if layout.interpretation == "YBR_FULL_422" and layout.syntax not in COMPRESSED:
            frame_bits = frame_bits * 2 // 3
    buffer = getattr(dataset, "buffer", None)
    return Frames(
        source=path if buffer is None else buffer.getvalue(),
        begin=element.value_tell,
        length=element.length,
        vr=vr,
        syntax=transfer_syntax(dataset),
        rows=rows,
        columns=columns,
        count=count,
        bits_allocated=bits,
        frame_bits=frame_bits,
        layout=layout,
        offsets=pixels.extended_offsets(dataset),
    )


def _size(dataset: Dataset) -> tuple[int, int, int]:
    """Rows, columns and frames of floating point pixel data."""
    rows, columns = elements.integer(dataset, "Rows") or 0, elements.integer(dataset, "Columns") or 0
    count = elements.integer(dataset, "NumberOfFrames") or 1
    if min(rows, columns, count) < 1 or max(rows, columns) > 65535:
        raise UnreadableFile("Rows, Columns or Number of Frames of the floating point image is impossible.")
    check_count(rows * columns, count, 1)
    return rows, columns, count


def swapped(content: bytes, word: int) -> bytes:
    """Values of `word` bytes in the other byte order."""
    if word < 2:
        return content
    whole = len(content) // word * word
    return np.frombuffer(content[:whole], f"u{word}").byteswap().tobytes() + content[whole:]


def swap_words(dataset: Dataset) -> None:
    """Make values of OW and its like little-endian, which pydicom keeps in a file's big-endian order."""
    for element in dataset.iterall():
        if element.VR in WORDS and isinstance(element.value, bytes):
            element.value = swapped(element.value, WORDS[element.VR])


def _little_endian(values: NDArray[Any], layout: Layout) -> bytes:
    """Decoded values in as many bits as the data set allocates: a decoder may give fewer."""
    dtype = np.dtype(f"{'i' if layout.signed else 'u'}{layout.bits_allocated // 8}").newbyteorder("<")
    return np.ascontiguousarray(values).astype(dtype, copy=False).tobytes()
