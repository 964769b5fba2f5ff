"""An Image as kept: a header (JSON) and its stored values, compressed, one blob a slice.

A slice can be sent to the browser as it lies on the disk: zstd is what browsers unpack by themselves.
"""

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import zstandard
from numpy.typing import NDArray

from camlucida.errors import DamagedBlob
from camlucida.records import FileFormat, Image, Patient, Photometric, Source, VoiLut, VoiLutFunction, Window

LEVEL = 3  # of zstd: higher levels gain 3 % on radiographs and cost seconds


def origin(source: Source) -> dict[str, Any]:
    """The source without patient and path, which say who and where."""
    return {name: value for name, value in asdict(source).items() if name not in {"patient", "path"}}


def slices(image: Image) -> Iterator[bytes]:
    """The stored values as they are kept: little-endian, C order, zstd; one item a slice (2D: one)."""
    values = image.values if len(image.space) == 3 else image.values[np.newaxis]
    compressor = zstandard.ZstdCompressor(level=LEVEL)
    for plane in values:
        yield compressor.compress(np.ascontiguousarray(plane, plane.dtype.newbyteorder("<")).tobytes())


def rebuild(
    header: dict[str, Any], origin: dict[str, Any], patient: Patient, planes: Sequence[bytes]
) -> Image:
    """The Image again, from its header, its origin and the content of its kept slices.

    Raises
    ------
    DamagedBlob
        The slices do not add up to the image.
    """
    shape = (*header["space"], 3) if header["colour"] else tuple(header["space"])
    uids = tuple(origin["sop_instance_uids"])
    return Image(
        values=unpack(planes, header["dtype"]).reshape(shape),
        photometric=Photometric(header["photometric"]),
        modality=header["modality"],
        slope=header["slope"],
        intercept=header["intercept"],
        unit=header["unit"],
        bits_stored=header["bits_stored"],
        windows=tuple(window(one) for one in header["windows"]),
        voi_luts=tuple(
            VoiLut(**{**lut, "table": np.asarray(lut["table"], np.uint16)}) for lut in header["voi_luts"]
        ),
        padding=None if header["padding"] is None else tuple(header["padding"]),
        spacing=None if header["spacing"] is None else tuple(header["spacing"]),
        pixel_to_patient=None if (to := header["pixel_to_patient"]) is None else np.asarray(to, np.float64),
        source=Source(
            **{
                **origin,
                "format": FileFormat(origin["format"]),
                "sop_instance_uids": uids,
                "patient": patient,
            }
        ),
        notes=tuple(header["notes"]),
    )


def window(kept: dict[str, Any]) -> Window:
    """A window of a header."""
    return Window(**{**kept, "function": VoiLutFunction(kept["function"])})


def unpack(planes: Sequence[bytes], dtype: str) -> NDArray[Any]:
    """The stored values of kept slices, flat.

    Raises
    ------
    DamagedBlob
        A slice cannot be decompressed.
    """
    decompressor = zstandard.ZstdDecompressor()
    try:
        content = b"".join(decompressor.decompress(plane) for plane in planes)
    except zstandard.ZstdError as error:
        raise DamagedBlob("Kept pixels cannot be decompressed; import the study again.") from error
    return np.frombuffer(content, np.dtype(dtype).newbyteorder("<"))
