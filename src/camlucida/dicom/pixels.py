"""Pixel data to stored values, with every size checked before anything is decoded.

PS3.3 C.7.6.3 (Image Pixel), PS3.5 section 8 and Annex A (transfer syntaxes).
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate, generate_frames
from pydicom.pixels.decoders.base import get_decoder
from pydicom.uid import (
    HTJ2K,
    JPEG2000,
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    HTJ2KLossless,
    HTJ2KLosslessRPCL,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEG2000TransferSyntaxes,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    JPEGLSNearLossless,
    RLELossless,
)

from camlucida.dicom import codestream, elements, palette
from camlucida.errors import FileTooLarge, UnreadableFile
from camlucida.records import Photometric
from camlucida.settings import settings

NATIVE = frozenset(
    {ImplicitVRLittleEndian, ExplicitVRLittleEndian, ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian}
)
COMPRESSED = frozenset(
    {
        JPEGBaseline8Bit,
        JPEGExtended12Bit,
        JPEGLossless,
        JPEGLosslessSV1,
        JPEGLSLossless,
        JPEGLSNearLossless,
        JPEG2000Lossless,
        JPEG2000,
        HTJ2KLossless,
        HTJ2KLosslessRPCL,
        HTJ2K,
        RLELossless,
    }
)
GREY = {"MONOCHROME1": Photometric.MONOCHROME1, "MONOCHROME2": Photometric.MONOCHROME2}
COLOUR = frozenset({"RGB", "YBR_FULL", "YBR_FULL_422", "YBR_ICT", "YBR_RCT"})
PALETTE = "PALETTE COLOR"
HIGH_BIT_UNKNOWN = 63
ITEM_BYTES = 8  # a fragment costs at least its item header
# A frame of more than 16 million values that is compressed more than ten thousand times holds nothing.
LARGE_FRAME = 1 << 24
LARGEST_RATIO = 10_000


@dataclass(frozen=True, slots=True)
class Layout:
    """What the data set declares of its pixels, checked: all sizes are possible and within the settings."""

    syntax: UID
    rows: int
    columns: int
    frames: int
    samples: int
    bits_allocated: int
    bits_stored: int
    high_bit: int
    signed: bool
    interpretation: str
    planar: int

    @property
    def photometric(self) -> Photometric:
        """What is left after decoding: grey, or RGB for every kind of colour."""
        return GREY.get(self.interpretation, Photometric.RGB)

    @property
    def order(self) -> str:
        """The byte order of the file: "<" or ">"."""
        return ">" if self.syntax == ExplicitVRBigEndian else "<"

    @property
    def bytes_declared(self) -> int:
        """Length of the pixel data if it is not compressed; subsampled chroma takes two thirds."""
        bits = self.rows * self.columns * self.frames * self.samples * self.bits_allocated
        return -(-bits // 8) * (2 if self.interpretation == "YBR_FULL_422" else 3) // 3


def read_layout(dataset: Dataset) -> Layout:
    """The checked layout of a data set's pixels.

    Raises
    ------
    UnreadableFile
        An element is missing, impossible or of a kind that is not read; the pixel data is missing.
    FileTooLarge
        More values (rows × columns × frames × channels) than the setting `max_pixels` allows.
    """
    layout = Layout(
        syntax=transfer_syntax(dataset),
        rows=_between(dataset, "Rows", 1, 65535),
        columns=_between(dataset, "Columns", 1, 65535),
        frames=_between(dataset, "NumberOfFrames", 1, 2**31 - 1, missing=1),
        samples=_between(dataset, "SamplesPerPixel", 1, 3, missing=1),
        bits_allocated=_between(dataset, "BitsAllocated", 1, 64),
        bits_stored=_between(dataset, "BitsStored", 1, 64),
        high_bit=_between(dataset, "HighBit", 0, 63, missing=HIGH_BIT_UNKNOWN),
        signed=bool(_between(dataset, "PixelRepresentation", 0, 1, missing=0)),
        interpretation=elements.text(dataset, "PhotometricInterpretation").upper(),
        planar=_between(dataset, "PlanarConfiguration", 0, 1, missing=0),
    )
    if layout.high_bit == HIGH_BIT_UNKNOWN:
        layout = replace(layout, high_bit=layout.bits_stored - 1)
    _check_kind(layout)
    check_count(layout.rows * layout.columns, layout.frames, 1 if layout.photometric in GREY else 3)
    return layout


def transfer_syntax(dataset: Dataset) -> UID:
    """The transfer syntax of the file; where the file does not say, what pydicom found by looking."""
    meta = getattr(dataset, "file_meta", None)
    declared = elements.text(meta, "TransferSyntaxUID") if meta is not None else ""
    if not declared:
        implicit, little = dataset.original_encoding
        declared = ImplicitVRLittleEndian if implicit else ExplicitVRLittleEndian
        declared = declared if little else ExplicitVRBigEndian
    syntax = UID(declared)
    if syntax not in NATIVE | COMPRESSED:
        raise UnreadableFile(
            f"The transfer syntax {syntax.name if syntax.is_valid else 'in the file header'} is not read "
            "here; store the image uncompressed or as JPEG, JPEG-LS, JPEG 2000 or RLE."
        )
    return syntax


def check_count(per_frame: int, frames: int, channels: int) -> None:
    """Refuse images with more values than the setting `max_pixels` allows."""
    count = per_frame * frames * channels
    if count > settings().max_pixels:
        raise FileTooLarge(
            f"The image declares {count:,} values; at most {settings().max_pixels:,} are read "
            "(setting max_pixels, environment variable CAMLUCIDA_MAX_PIXELS)."
        )


def _between(dataset: Dataset, keyword: str, low: int, high: int, missing: int | None = None) -> int:
    found = elements.integer(dataset, keyword)
    found = missing if found is None else found
    if found is None:
        raise UnreadableFile(f"{elements.naming(keyword)} is missing, so the file has no readable image.")
    if not low <= found <= high:
        raise UnreadableFile(f"{elements.naming(keyword)} is {found}; it must be from {low} to {high}.")
    return found


def _check_kind(layout: Layout) -> None:
    kind, samples = layout.interpretation, layout.samples
    if kind not in {*GREY, *COLOUR, PALETTE}:
        raise UnreadableFile(
            "Photometric Interpretation (0028,0004) is missing or not one of MONOCHROME1, MONOCHROME2, "
            "PALETTE COLOR, RGB, YBR_FULL, YBR_FULL_422, YBR_ICT, YBR_RCT."
        )
    if samples != (3 if kind in COLOUR else 1):
        raise UnreadableFile(f"Samples per Pixel (0028,0002) is {samples}, which does not fit {kind}.")
    if layout.bits_allocated not in (1, 8, 16, 32):
        raise UnreadableFile(
            f"Bits Allocated (0028,0100) is {layout.bits_allocated}; 1, 8, 16 or 32 are read."
        )
    if not layout.bits_stored <= layout.high_bit + 1 <= layout.bits_allocated:
        raise UnreadableFile(
            f"Bits Stored {layout.bits_stored} and High Bit {layout.high_bit} do not fit Bits Allocated "
            f"{layout.bits_allocated}."
        )
    if layout.bits_allocated == 1 and (layout.samples > 1 or layout.syntax in COMPRESSED):
        raise UnreadableFile("Images of one bit are read only when they are grey and not compressed.")


def read_frames(dataset: Dataset, layout: Layout) -> Iterator[NDArray[Any]]:
    """Yield each frame: stored values (row, column), or RGB uint8 (row, column, 3) for colour.

    Stored values are uint8, int16 or uint16; int32, uint32 where the image allocates 32 bit.

    Raises
    ------
    UnreadableFile
        The pixel data is missing, too short, damaged or not what its transfer syntax says.
    """
    data = elements.value(dataset, "PixelData")
    if not isinstance(data, bytes | bytearray):
        raise UnreadableFile("Pixel Data (7FE0,0010) is missing: the file holds no image.")
    source = _native_frames if layout.syntax in NATIVE else _compressed_frames
    for frame in source(dataset, bytes(data), layout):
        if layout.interpretation == PALETTE:
            yield palette.to_rgb(frame, dataset, layout.order)
        elif layout.photometric is Photometric.RGB:
            yield _eight_bits(frame, layout.bits_stored)
        else:
            yield _plain(frame)


def _plain(frame: NDArray[Any]) -> NDArray[Any]:
    """Grey values in the machine's byte order, and never int8, which the viewer does not know."""
    return frame.astype(np.int16 if frame.dtype == np.int8 else frame.dtype.newbyteorder("="), copy=False)


def _eight_bits(rgb: NDArray[Any], bits_stored: int) -> NDArray[np.uint8]:
    """Colour to 8 bits a channel: the most significant ones."""
    return np.asarray(np.right_shift(rgb, max(bits_stored - 8, 0)), np.uint8)


def _native_frames(dataset: Dataset, data: bytes, layout: Layout) -> Iterator[NDArray[Any]]:
    declared = layout.bytes_declared
    if len(data) < declared:
        raise UnreadableFile(
            f"The pixel data has {len(data):,} bytes where {declared:,} are declared; the file is cut off or "
            "its transfer syntax is wrong."
        )
    vr = dataset[0x7FE00010].VR
    options = _options(layout, layout.bits_allocated, layout.frames, vr if vr in ("OB", "OW") else "OW")
    values, _ = get_decoder(layout.syntax).as_array(data[: declared + declared % 2], **options)
    for frame in values if layout.frames > 1 else values[None]:
        yield used_bits(frame, layout)


def _compressed_frames(dataset: Dataset, data: bytes, layout: Layout) -> Iterator[NDArray[Any]]:
    if layout.frames * ITEM_BYTES > len(data):
        raise UnreadableFile(
            f"{layout.frames:,} frames are declared, but the pixel data has only {len(data):,} bytes."
        )
    found = 0
    for frame in _encoded(data, layout, extended_offsets(dataset)):
        if found == layout.frames:
            break
        found += 1
        yield _decode(frame, layout)
    if found < layout.frames:
        raise UnreadableFile(f"{layout.frames} frames are declared, but the pixel data holds {found}.")


def _encoded(data: bytes, layout: Layout, offsets: tuple[bytes, bytes] | None) -> Iterator[bytes]:
    try:
        yield from generate_frames(data, number_of_frames=layout.frames, extended_offsets=offsets)
    except (ValueError, struct.error):
        raise UnreadableFile(
            f"The fragments of the compressed pixel data do not make {layout.frames} frames; the file is "
            "damaged."
        ) from None


def extended_offsets(dataset: Dataset) -> tuple[bytes, bytes] | None:
    """The Extended Offset Table and its lengths (PS3.3 C.7.6.3.1.8)."""
    table = elements.value(dataset, "ExtendedOffsetTable")
    lengths = elements.value(dataset, "ExtendedOffsetTableLengths")
    if isinstance(table, bytes) and isinstance(lengths, bytes) and len(table) == len(lengths):
        return table, lengths
    return None


def _decode(frame: bytes, layout: Layout) -> NDArray[Any]:
    """The stored values of one compressed frame."""
    values = decode(frame, layout)
    return used_bits(values, layout) if layout.syntax == RLELossless else values


def decode(frame: bytes, layout: Layout) -> NDArray[Any]:
    """Decode one compressed frame, after its header has been found to agree with the layout.

    RLE gives all bits that are allocated, the unused ones included; colour becomes RGB, interleaved.

    Raises
    ------
    UnreadableFile
        The frame is damaged or not what its transfer syntax says.
    """
    if layout.syntax in JPEG2000TransferSyntaxes and frame.startswith(codestream.JP2_SIGNATURE):
        frame = frame[max(frame.find(codestream.J2K_START), 0) :]  # some writers keep the JP2 boxes
    if layout.syntax == RLELossless:
        segments = layout.samples * layout.bits_allocated // 8
        codestream.check_rle(frame, segments, layout.rows * layout.columns)
        return _native_decoder(frame, layout, layout.bits_allocated)
    if frame.startswith(b"\xff\xff\xd8"):  # a fill byte before the first marker
        frame = frame[1:]
    header = codestream.inspect(layout.syntax, frame)
    _check_agreement(header, layout, len(frame))
    container = 8 if header.precision <= 8 else 16 if header.precision <= 16 else 32
    return _native_decoder(frame, layout, container)


def _native_decoder(frame: bytes, layout: Layout, container: int) -> NDArray[Any]:
    """One frame by the plug-in in C or Rust, in integers of `container` bits."""
    values, _ = get_decoder(layout.syntax).as_array(
        encapsulate([frame]), decoding_plugin="pylibjpeg", **_options(layout, container, 1, "OB")
    )
    return values


def _check_agreement(header: codestream.Codestream, layout: Layout, length: int) -> None:
    if (header.rows, header.columns, header.samples) != (layout.rows, layout.columns, layout.samples):
        raise UnreadableFile(
            f"The compressed pixel data is {header.rows} × {header.columns} × {header.samples}, but "
            f"{layout.rows} × {layout.columns} × {layout.samples} (rows, columns, samples) is declared."
        )
    if not 1 <= header.precision <= layout.bits_allocated:
        raise UnreadableFile(
            f"The compressed pixel data has {header.precision} bits, but Bits Allocated is "
            f"{layout.bits_allocated}."
        )
    count = header.rows * header.columns * header.samples
    if count > LARGE_FRAME and count > LARGEST_RATIO * length:
        raise FileTooLarge(f"{count:,} values are declared in {length:,} compressed bytes; that is no image.")


def _options(layout: Layout, container: int, frames: int, vr: str) -> dict[str, Any]:
    """The layout in pydicom's words; unused bits are cleared by `used_bits`, which knows of High Bit."""
    return {
        "pixel_vr": vr,
        "number_of_frames": frames,
        "rows": layout.rows,
        "columns": layout.columns,
        "samples_per_pixel": layout.samples,
        "bits_allocated": container,
        "bits_stored": min(layout.bits_stored, container),
        "pixel_representation": int(layout.signed),
        "pixel_keyword": "PixelData",
        "photometric_interpretation": layout.interpretation,
        "planar_configuration": layout.planar,
        "correct_unused_bits": False,
    }


def used_bits(values: NDArray[Any], layout: Layout) -> NDArray[Any]:
    """Keep the bits that hold the value (PS3.5 8.1.1): overlays and rubbish may lie in the others."""
    if layout.bits_allocated in {1, layout.bits_stored}:
        return values
    left = layout.bits_allocated - layout.high_bit - 1
    return np.asarray(np.left_shift(values, left) >> (layout.bits_allocated - layout.bits_stored))
