"""Looks at the header of a compressed frame before a native decoder does.

The decoders (libjpeg, OpenJPEG) believe what a codestream says of itself: a header that claims
65,535 × 65,535 pixels makes them work for minutes and take gigabytes. So size, channels and precision must
agree with what the data set declares (which is bounded, see pixels.py), the codestream must be complete, and
structures that cost memory out of proportion (tiny tiles, precincts and code-blocks) are refused.
"""

import struct
from dataclasses import dataclass
from itertools import pairwise

from pydicom.uid import JPEG2000TransferSyntaxes, JPEGLSTransferSyntaxes

from camlucida.errors import UnreadableFile

JPEG_FRAMES = frozenset({0xC0, 0xC1, 0xC2, 0xC3})  # baseline, extended, progressive, lossless; all Huffman
JPEG_LS_FRAMES = frozenset({0xF7})
OTHER_FRAMES = frozenset({0xC5, 0xC6, 0xC7, 0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF, 0xDE})
BARE_MARKERS = frozenset({0x01, *range(0xD0, 0xD9)})
MANY_TILES = 1024
MANY_LAYERS = 1024
SMALLEST_PRECINCT = 4  # exponent: 16 × 16
SMALLEST_CODE_BLOCK = 8  # sum of both exponents: 16 × 16
J2K_START = b"\xff\x4f\xff\x51"
JP2_SIGNATURE = b"\x00\x00\x00\x0cjP  "


@dataclass(frozen=True, slots=True)
class Codestream:
    """What one compressed frame says of itself: size in pixels, channels, bits of each value."""

    rows: int
    columns: int
    samples: int
    precision: int


def inspect(syntax: str, frame: bytes) -> Codestream:
    """The header of a frame in the given transfer syntax, which is not RLE.

    Raises
    ------
    UnreadableFile
        The frame is not what the transfer syntax says, incomplete, or built to exhaust memory.
    """
    try:
        if syntax in JPEG2000TransferSyntaxes:
            return jpeg_2000(frame)
        return jpeg(frame, JPEG_LS_FRAMES if syntax in JPEGLSTransferSyntaxes else JPEG_FRAMES)
    except (struct.error, IndexError):
        raise UnreadableFile("The header of the compressed pixel data is cut off.") from None


def check_rle(frame: bytes, segments: int, length: int) -> None:
    """Refuse an RLE frame that does not unpack to `segments` segments of `length` bytes (PS3.5 G.3 to G.5).

    The decoder panics and writes to the terminal on such a frame.

    Raises
    ------
    UnreadableFile
        The frame is damaged.
    """
    if len(frame) < 64:
        raise UnreadableFile("The header of the compressed pixel data is cut off.")
    count, *offsets = struct.unpack_from("<16L", frame)
    if count != segments:
        raise UnreadableFile(
            f"The RLE header says {count} segments where the image has {segments}; the pixel data is damaged."
        )
    used = [*offsets[:count], len(frame)]
    if used[0] != 64 or any(a >= b for a, b in pairwise(used)):
        raise UnreadableFile("The RLE segments do not follow each other; the pixel data is damaged.")
    if not all(_unpacks_to(frame[start:end], length) for start, end in pairwise(used)):
        raise UnreadableFile("An RLE segment is too short or too long; the pixel data is damaged.")


def _unpacks_to(segment: bytes, length: int) -> bool:
    """Whether the runs of a segment (PS3.5 G.3.1) reach exactly `length` bytes; a padding byte may follow."""
    position = unpacked = 0
    while position < len(segment) and unpacked < length:
        control = segment[position]
        if control < 128:  # control + 1 bytes as they are
            unpacked += control + 1
            position += control + 2
        elif control > 128:  # one byte, 257 - control times
            unpacked += 257 - control
            position += 2
        else:
            position += 1
    return unpacked == length and position <= len(segment)


def jpeg(frame: bytes, kinds: frozenset[int]) -> Codestream:
    """Read the frame header (SOF) of a JPEG or JPEG-LS codestream (ITU-T T.81 B.2.2, T.87 C.2.2)."""
    if frame[:2] != b"\xff\xd8":
        raise UnreadableFile("The pixel data is not JPEG, although the transfer syntax says so.")
    if b"\xff\xd9" not in frame[-16:]:
        raise UnreadableFile("The compressed pixel data ends before its end marker; the file is cut off.")
    position = 2
    while True:
        position, marker = _next_marker(frame, position)
        if marker in kinds:
            return _frame_header(frame, position)
        if marker in OTHER_FRAMES | JPEG_FRAMES | JPEG_LS_FRAMES:
            raise UnreadableFile(f"JPEG of the kind SOF 0x{marker:02X} is not read here.")
        if marker in (0xD9, 0xDA):
            raise UnreadableFile("The compressed pixel data has no header with its size.")
        if marker not in BARE_MARKERS:
            length = struct.unpack_from(">H", frame, position)[0]
            if length < 2:
                raise UnreadableFile("A segment in the header of the compressed pixel data is damaged.")
            position += length


def _next_marker(frame: bytes, position: int) -> tuple[int, int]:
    """The place behind the next marker, and the marker; any number of 0xFF may stand before it."""
    if frame[position] != 0xFF:
        raise UnreadableFile("The header of the compressed pixel data is damaged.")
    while frame[position] == 0xFF:
        position += 1
    return position + 1, frame[position]


def _frame_header(frame: bytes, position: int) -> Codestream:
    length, precision, rows, columns, samples = struct.unpack_from(">HBHHB", frame, position)
    factors = [frame[position + 9 + 3 * index] for index in range(samples)]
    if length != 8 + 3 * samples or not all(1 <= f >> 4 <= 4 and 1 <= f & 15 <= 4 for f in factors):
        raise UnreadableFile("The header of the compressed pixel data is damaged.")
    return Codestream(rows, columns, samples, precision)


def jpeg_2000(frame: bytes) -> Codestream:
    """Read the main header of a JPEG 2000 codestream (ITU-T T.800 A.5.1 SIZ, A.6.1 COD, A.6.2 COC)."""
    if frame[:4] != J2K_START:
        raise UnreadableFile("The pixel data is not JPEG 2000, although the transfer syntax says so.")
    x1, y1, x0, y0, tile_x, tile_y, _, _, samples = struct.unpack_from(">8LH", frame, 8)
    if not (x0 < x1 and y0 < y1 and tile_x and tile_y and 1 <= samples <= 3):
        raise UnreadableFile("The size in the JPEG 2000 header makes no sense.")
    if -(-x1 // tile_x) * -(-y1 // tile_y) > MANY_TILES:
        raise UnreadableFile(f"The JPEG 2000 image is cut into more than {MANY_TILES} tiles.")
    components = [struct.unpack_from(">BBB", frame, 42 + 3 * index) for index in range(samples)]
    if len(set(components)) != 1 or components[0][1:] != (1, 1):
        raise UnreadableFile("JPEG 2000 with channels of different size or precision is not read here.")
    _check_coding(frame)
    return Codestream(y1 - y0, x1 - x0, samples, (components[0][0] & 0x7F) + 1)


def _check_coding(frame: bytes) -> None:
    """Walk the main header and the tile-parts: all there, and none that exhausts memory."""
    position = 2
    while (marker := struct.unpack_from(">H", frame, position)[0]) != 0xFF90:  # SOT ends the main header
        length = struct.unpack_from(">H", frame, position + 2)[0]
        if marker < 0xFF00 or length < 2:
            raise UnreadableFile("The JPEG 2000 header is damaged.")
        segment = frame[position + 4 : position + 2 + length]
        if marker == 0xFF52:  # COD
            _check_style(segment[0], segment[5:])
            if struct.unpack_from(">H", segment, 2)[0] > MANY_LAYERS:
                raise UnreadableFile(f"The JPEG 2000 image has more than {MANY_LAYERS} layers.")
        if marker == 0xFF53:  # COC, of an image with fewer than 257 channels
            _check_style(segment[1], segment[2:])
        position += 2 + length
    _check_complete(frame, position)


def _check_style(style: int, parameters: bytes) -> None:
    if (parameters[1] & 15) + (parameters[2] & 15) + 4 < SMALLEST_CODE_BLOCK:
        raise UnreadableFile("The JPEG 2000 image is cut into code-blocks smaller than 16 × 16.")
    precincts = parameters[5 : 6 + parameters[0]] if style & 1 else b""
    if any(min(size & 15, size >> 4) < SMALLEST_PRECINCT for size in precincts):
        raise UnreadableFile("The JPEG 2000 image is cut into precincts smaller than 16 × 16.")


def _check_complete(frame: bytes, position: int) -> None:
    """Follow the lengths of the tile-parts (Psot, T.800 A.4.2) to the end of the data."""
    while struct.unpack_from(">H", frame, position)[0] == 0xFF90:
        length = struct.unpack_from(">L", frame, position + 6)[0]
        if length == 0:  # the last tile-part reaches to the end marker
            if b"\xff\xd9" in frame[-16:]:
                return
            break
        position += max(length, 12)
        if position == len(frame):
            return
        if position > len(frame):
            break
        if position + 1 == len(frame) or frame[position : position + 2] != b"\xff\x90":
            return
    raise UnreadableFile("The compressed pixel data ends before its end marker; the file is cut off.")
