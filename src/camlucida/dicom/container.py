"""Opens a DICOM file as a data set, within bounds, and turns every failure into one of our errors.

PS3.10 section 7 (file format); PS3.5 A.5 (deflated).
"""

import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.filereader import read_dataset, read_preamble
from pydicom.tag import BaseTag
from pydicom.uid import DeflatedExplicitVRLittleEndian

from camlucida.dicom.thread_warnings import warned
from camlucida.errors import CamlucidaError, FileTooLarge, UnreadableFile
from camlucida.settings import settings

PREAMBLE_BYTES = 128
HEAD_BYTES = 1 << 20
CHUNK_BYTES = 1 << 20  # each peer that sends has two of them in memory
HEADER_BYTES = 1 << 26  # that are inflated where the pixels are not wanted
ITEM_MARKS = (b"\xfe\xff\x00\xe0", b"\xff\xfe\xe0\x00")  # Item (FFFE,E000) in either byte order
MOST_ITEMS = 100_000
# A file head that says only: Transfer Syntax UID (0002,0010) is Explicit VR Little Endian.
PLAIN_HEAD = bytes(PREAMBLE_BYTES) + b"DICM\x02\x00\x10\x00UI\x14\x001.2.840.10008.1.2.1\x00"
EXPLICIT_VRS = frozenset(
    b"AE AS AT CS DA DS DT FD FL IS LO LT OB OD OF OL OV OW PN SH SL SQ SS ST SV TM".split()
    + b"UC UI UL UN UR US UT UV".split()
)


@contextmanager
def reading(name: str, notes: list[str], *, named: bool = False) -> Iterator[None]:
    """Around all reading of one input: errors become ours and begin with `name`, warnings become a note.

    What pydicom, numpy or a decoder says in an error may quote the file, patient data included, so it is
    left behind; its kind is kept. With `named`, our own errors have their file's name already.
    """
    try:
        with warned() as caught:
            yield
    except CamlucidaError as error:
        if named:
            raise
        raise type(error)(f"{name}: {error}") from None
    except MemoryError:
        raise FileTooLarge(f"{name}: there is not enough memory to read it.") from None
    except (KeyboardInterrupt, SystemExit, GeneratorExit):
        raise
    except BaseException as error:  # noqa: BLE001 - a panic of the RLE decoder is not an Exception
        raise UnreadableFile(
            f"{name}: the file is damaged or breaks DICOM's rules ({type(error).__name__})."
        ) from None
    if caught:
        notes.append(
            f"The file breaks DICOM's rules in {len(caught)} place(s); what could be understood was read."
        )


def is_part_10(path: Path) -> bool:
    """Whether the file has the preamble and prefix of PS3.10 7.1, which some programs insist on."""
    with path.open("rb") as file:
        return file.read(PREAMBLE_BYTES + 4)[PREAMBLE_BYTES:] == b"DICM"


def is_dicom(path: Path) -> bool:
    """Whether the file begins as a DICOM file does, with or without the preamble of PS3.10."""
    try:
        with path.open("rb") as file:
            head = file.read(PREAMBLE_BYTES + 4)
    except OSError:
        return False
    return head[PREAMBLE_BYTES:] == b"DICM" or _begins_with_element(head)


def _begins_with_element(head: bytes) -> bool:
    """A first element of group 0002 or 0008 with a known VR, or a short length where the VR is implicit."""
    if len(head) < 8:
        return False
    if head[:2] not in (b"\x02\x00", b"\x08\x00", b"\x00\x02", b"\x00\x08"):
        return False
    little = head[1] == 0
    element = int.from_bytes(head[2:4], "little" if little else "big")
    if head[4:6] in EXPLICIT_VRS:
        return element <= 0x0100
    return (
        little
        and element in (0x0000, 0x0001, 0x0005, 0x0008, 0x0016)
        and int.from_bytes(head[4:8], "little") <= 256
    )


def open_dataset(path: Path, *, pixels: bool = True, defer: int | None = None) -> Dataset:
    """The data set of a file; with `pixels=False` without its pixel data.

    Values of more than `defer` bytes are read when they are looked at.

    Raises
    ------
    UnreadableFile
        There is no such file, it is not DICOM, or its deflated part is damaged.
    FileTooLarge
        The file, or what it inflates to, is larger than the setting `max_file_bytes`, or it has more items
        of sequences and fragments of pixel data than any image needs.
    """
    if not path.is_file():
        raise UnreadableFile("there is no such file.")
    _check_bytes(path.stat().st_size, "file")
    if not is_dicom(path):
        raise UnreadableFile("this is not a DICOM file.")
    source = _inflated(path, settings().max_file_bytes if pixels else HEADER_BYTES)
    if defer is None and source is None:  # who defers reads a file that was looked at when it came
        _check_items(path)
    return dcmread(
        path if source is None else source, force=True, stop_before_pixels=not pixels, defer_size=defer
    )


def _check_bytes(count: int, what: str) -> None:
    if count > settings().max_file_bytes:
        raise FileTooLarge(
            f"The {what} has {count:,} bytes; at most {settings().max_file_bytes:,} are read "
            "(setting max_file_bytes, environment variable CAMLUCIDA_MAX_FILE_BYTES)."
        )


def _check_items(path: Path) -> None:
    """Refuse what would fill the memory: an item has 8 bytes in a file, and some 3,000 when it is parsed."""
    count = 0
    with path.open("rb") as file:
        while part := file.read(CHUNK_BYTES):
            count = _counted(count, part)


def _counted(count: int, part: bytes) -> int:
    count += sum(part.count(mark) for mark in ITEM_MARKS)
    if count > MOST_ITEMS:
        raise FileTooLarge(f"The file has more than {MOST_ITEMS:,} items of sequences or fragments.")
    return count


def _inflated(path: Path, most: int) -> BytesIO | None:
    """The file with the first `most` bytes of its deflated part inflated; None where nothing is deflated.

    All of it is looked through, within the bounds: pydicom inflates without any, so a small file could fill
    the memory. A receiver, which wants headers only, is not made to hold gigabytes by a sender of megabytes.
    """
    with path.open("rb") as file:
        read_preamble(file, force=True)
        meta = read_dataset(file, is_implicit_VR=False, is_little_endian=True, stop_when=_behind_meta)
        if meta.get("TransferSyntaxUID") != DeflatedExplicitVRLittleEndian:
            file.seek(0)
            if DeflatedExplicitVRLittleEndian.encode() in file.read(HEAD_BYTES):
                raise UnreadableFile("The file header is damaged: it names a deflated transfer syntax.")
            return None
        inflated = BytesIO()
        inflated.write(PLAIN_HEAD)
        size = items = 0
        for piece in _pieces(file):
            inflated.write(piece[: max(0, most - size)])
            size, items = size + len(piece), _counted(items, piece)
            _check_bytes(size, "inflated file")
    inflated.seek(0)
    return inflated


def _pieces(file: BinaryIO) -> Iterator[bytes]:
    """What the rest of a file inflates to, a bounded piece at a time."""
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    while not inflater.eof:
        data = inflater.unconsumed_tail or file.read(CHUNK_BYTES)
        piece = inflater.decompress(data, CHUNK_BYTES)
        if not data and not piece and not inflater.eof:
            raise UnreadableFile("The deflated data ends too early; the file is cut off.")
        yield piece


def _behind_meta(tag: BaseTag, _vr: str | None, _length: int) -> bool:
    return tag.group != 2
