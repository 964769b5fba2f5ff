"""DICOM files put together byte by byte (PS3.5 section 7), so that a test can write what no library would."""

import struct
from collections.abc import Mapping, Sequence

LONG = frozenset({b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV"})
UNDEFINED = 0xFFFFFFFF
EXPLICIT = "1.2.840.10008.1.2.1"


def element(tag: int, vr: str, value: bytes, length: int | None = None) -> bytes:
    """One element, explicit VR little endian; `length` may lie."""
    padded = value + (b"\0" if vr in ("UI", "OB", "UN") else b" ") * (len(value) % 2)
    size = len(padded) if length is None else length
    code = vr.encode()
    head = struct.pack("<HH2s", tag >> 16, tag & 0xFFFF, code)
    if code in LONG:
        return head + struct.pack("<HI", 0, size & UNDEFINED) + padded
    return head + struct.pack("<H", size & 0xFFFF) + padded


def item(content: bytes, *, undefined: bool = False) -> bytes:
    """One item of a sequence."""
    if undefined:
        return (
            struct.pack("<HHI", 0xFFFE, 0xE000, UNDEFINED) + content + struct.pack("<HHI", 0xFFFE, 0xE00D, 0)
        )
    return struct.pack("<HHI", 0xFFFE, 0xE000, len(content)) + content


def sequence(tag: int, items: Sequence[bytes], *, undefined: bool = False) -> bytes:
    """A sequence of items, given as their content."""
    content = b"".join(item(one, undefined=undefined) for one in items)
    if undefined:
        end = struct.pack("<HHI", 0xFFFE, 0xE0DD, 0)
        return element(tag, "SQ", content, UNDEFINED) + end
    return element(tag, "SQ", content)


def data_set(elements: Mapping[int, bytes]) -> bytes:
    """Elements in the order of their tags."""
    return b"".join(elements[tag] for tag in sorted(elements))


def part10(content: bytes, syntax: str = EXPLICIT, preamble: bytes = bytes(128), meta: bytes = b"") -> bytes:
    """A file of a data set's bytes; `meta` are more elements of group 2, behind the transfer syntax."""
    group = element(0x00020010, "UI", syntax.encode()) + meta
    return preamble + b"DICM" + element(0x00020000, "UL", struct.pack("<I", len(group))) + group + content


def words(tag: int, *numbers: int) -> bytes:
    """An element of unsigned 16-bit numbers."""
    return element(tag, "US", struct.pack(f"<{len(numbers)}H", *numbers))


def image(rows: int = 4, columns: int = 4) -> dict[int, bytes]:
    """The elements of a small CT slice by tag, without a patient."""
    return {
        0x00080016: element(0x00080016, "UI", b"1.2.840.10008.5.1.4.1.1.2"),
        0x00080018: element(0x00080018, "UI", b"1.2.276.0.7230010.3.1.4.1"),
        0x00080060: element(0x00080060, "CS", b"CT"),
        0x0020000D: element(0x0020000D, "UI", b"1.2.276.0.7230010.3.1.2.2"),
        0x0020000E: element(0x0020000E, "UI", b"1.2.276.0.7230010.3.1.3.3"),
        0x00200013: element(0x00200013, "IS", b"7"),
        0x00280002: words(0x00280002, 1),
        0x00280004: element(0x00280004, "CS", b"MONOCHROME2"),
        0x00280010: words(0x00280010, rows),
        0x00280011: words(0x00280011, columns),
        0x00280100: words(0x00280100, 16),
        0x00280101: words(0x00280101, 16),
        0x00280102: words(0x00280102, 15),
        0x00280103: words(0x00280103, 0),
        0x7FE00010: element(
            0x7FE00010, "OW", bytes(range(2 * rows * columns % 256)).ljust(2 * rows * columns, b"\1")
        ),
    }
