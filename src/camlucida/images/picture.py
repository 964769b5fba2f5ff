"""PNG and JPEG: pixels that are already meant for the eye, without a place in a patient."""

import struct
import warnings
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import PIL.ImageOps
from numpy.typing import NDArray

from camlucida.errors import FileTooLarge, InputError, UnreadableFile
from camlucida.records import FileFormat, Image, Photometric, Source, VoiLutFunction, Window
from camlucida.settings import settings

SUFFIXES = (".png", ".jpg", ".jpeg")

# What Pillow raises on damaged files, from its parsers and from the decoders beneath.
DAMAGED = (OSError, SyntaxError, ValueError, EOFError, KeyError, IndexError, struct.error, zlib.error)

# Eight bits are shown as they are; sixteen rarely fill their range, so those are shown by their values.
EIGHT_BITS = Window(127.5, 255, VoiLutFunction.LINEAR_EXACT, "as in the file")

ALPHA_NOTE = "The picture has transparent places; they are read as black."
REDUCED_NOTE = "The picture has 16 bits a channel in colour; they are reduced to 8."
SEVERAL_NOTE = "The file holds several pictures; the first is read."


def read_picture(path: Path) -> Image:
    """A PNG or JPEG as a 2D image, upright (EXIF orientation applied), grey where all pixels are grey.

    Values are uint8 or uint16, (row, column) or (row, column, 3). There is no spacing and no patient space.

    Raises
    ------
    UnreadableFile
        The file is damaged, truncated, or neither PNG nor JPEG.
    FileTooLarge
        The picture has more values than the settings allow.
    """
    try:
        with warnings.catch_warnings(action="ignore", category=PIL.Image.DecompressionBombWarning):
            return _read(path)  # our own bound stands in the settings and is checked before decoding
    except PIL.Image.DecompressionBombError as bomb:
        raise FileTooLarge(
            "The picture has more pixels than can be decoded safely; make it smaller."
        ) from bomb
    except PIL.UnidentifiedImageError as unknown:
        raise UnreadableFile("The file is neither PNG nor JPEG, or its header is damaged.") from unknown
    except InputError:
        raise
    except DAMAGED as damage:
        raise UnreadableFile("The picture is damaged or truncated; export it again.") from damage


def _read(path: Path) -> Image:
    with PIL.Image.open(path, formats=("PNG", "JPEG")) as picture:
        _check_size(picture)
        notes = [SEVERAL_NOTE] if getattr(picture, "n_frames", 1) > 1 else []
        if picture.format == "PNG" and _has_reduced_depth(path, picture.mode):
            notes.append(REDUCED_NOTE)
        picture.load()
        upright = PIL.ImageOps.exif_transpose(picture)
        if "A" in upright.getbands() or "transparency" in upright.info:
            notes += [ALPHA_NOTE] if _any_transparent(upright) else []
        values = _as_grey(_values(upright))
    eight = values.dtype == np.uint8
    return Image(
        values=values,
        photometric=Photometric.RGB if values.ndim == 3 else Photometric.MONOCHROME2,
        bits_stored=8 if eight else 16,
        windows=(EIGHT_BITS,) if eight else (),
        source=Source(FileFormat.PICTURE, str(path)),
        notes=tuple(notes),
    )


def _check_size(picture: PIL.Image.Image) -> None:
    count = picture.width * picture.height * len(picture.getbands())
    if count > settings().max_pixels:
        raise FileTooLarge(
            f"The picture has {count} values, more than the {settings().max_pixels} allowed; "
            "make it smaller or set CAMLUCIDA_MAX_PIXELS."
        )


def _has_reduced_depth(path: Path, mode: str) -> bool:
    """Whether a PNG has 16 bits a channel (the byte after the sizes in IHDR) that Pillow decodes to 8."""
    with path.open("rb") as file:
        header = file.read(25)
    return len(header) == 25 and header[24] == 16 and not mode.startswith("I")


def _values(picture: PIL.Image.Image) -> NDArray[Any]:
    if picture.mode.startswith("I"):
        return np.asarray(picture).astype(np.uint16)
    if picture.mode in {"1", "L"} and "transparency" not in picture.info:
        return np.asarray(picture.convert("L"))
    if picture.mode in {"LA", "PA", "RGBA", "La", "RGBa"} or "transparency" in picture.info:
        return _over_black(np.asarray(picture.convert("RGBA")))
    return np.asarray(picture.convert("RGB"))


def _any_transparent(picture: PIL.Image.Image) -> bool:
    if picture.mode.startswith("I"):
        return False
    lowest, _ = picture.convert("RGBA").getchannel("A").getextrema()
    return bool(lowest != 255)


def _over_black(rgba: NDArray[np.uint8]) -> NDArray[np.uint8]:
    alpha = rgba[..., 3:].astype(np.uint16)
    return ((rgba[..., :3] * alpha + 127) // 255).astype(np.uint8)


def _as_grey(values: NDArray[Any]) -> NDArray[Any]:
    """(row, column) where all three channels are equal everywhere, else unchanged."""
    if values.ndim == 2:
        return values
    red, green, blue = (values[..., channel] for channel in range(3))
    grey = np.array_equal(red, green) and np.array_equal(red, blue)
    return np.ascontiguousarray(red if grey else values)
