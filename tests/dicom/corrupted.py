"""Reads several hundred corrupted DICOM files and writes down what came of each; run by test_corruption.py.

It runs in a process of its own, with a bound on its memory, because a decoder in C that is led astray may end
the process or never return. Each line of the output is written before its file is read and again afterwards,
so that the last line names the culprit. All variants are deterministic.

    python corrupted.py OUTPUT FOLDER
"""

import json
import os
import random
import resource
import struct
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from pydicom import config, dcmread
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate, generate_fragments
from pydicom.uid import (
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGLosslessSV1,
    JPEGLSLossless,
    RLELossless,
)

from camlucida.dicom.read import read_dicom
from camlucida.errors import CamlucidaError
from camlucida.records import Image
from camlucida.settings import settings

MEMORY = 3 << 30
ERROR = "an error"
ERROR_OR_SAME = "an error, or the pixels of the sound file"
ANYTHING = "an error, or an image that is sound in itself"

FILES = [
    "CT_small.dcm",
    "MR_small_implicit.dcm",
    "MR_small_bigendian.dcm",
    "image_dfl.dcm",
    "MR_small_RLE.dcm",
    "SC_rgb_rle_16bit_2frame.dcm",
    "MR_small_jp2klossless.dcm",
    "693_J2KI.dcm",
    "MR_small_jpeg_ls_lossless.dcm",
    "SC_rgb_jls_lossy_line.dcm",
    "JPGExtended.dcm",
    "SC_rgb_jpeg_gdcm.dcm",
    "SC_rgb_dcmtk_+eb+cy+s4.dcm",
    "emri_small_jpeg_ls_lossless.dcm",
    "eCT_Supplemental.dcm",
    "examples_palette.dcm",
    "mlut_18.dcm",
    "vlut_04.dcm",
]
SYNTAXES = [
    ExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGLosslessSV1,
    JPEGLSLossless,
    RLELossless,
]
ABSURD = [
    {"Rows": 65535, "Columns": 65535},
    {"Rows": 0},
    {"Columns": 1, "Rows": 1, "NumberOfFrames": 2_147_483_647},
    {"NumberOfFrames": -1},
    {"NumberOfFrames": 20_000},
    {"BitsAllocated": 65535},
    {"BitsStored": 0},
    {"SamplesPerPixel": 65535},
]
REMOVED = ["Rows", "Columns", "BitsAllocated", "BitsStored", "PhotometricInterpretation", "PixelData"]
WRONG_VRS = [("Rows", b"LO"), ("BitsAllocated", b"SQ"), ("PhotometricInterpretation", b"US")]


def find(name: str) -> Path:
    return Path(str(get_testdata_file(name, download=False)))


def truncated(name: str, whole: bytes) -> Iterator[tuple[str, bytes, str]]:
    for percent in (1, 10, 30, 60, 90, 99):
        yield f"{name} cut to {percent} %", whole[: len(whole) * percent // 100], ERROR_OR_SAME
    yield f"{name} without its last 40 bytes", whole[:-40], ERROR_OR_SAME


def flipped(name: str, whole: bytes) -> Iterator[tuple[str, bytes, str]]:
    pixels = max(whole.rfind(b"\xe0\x7f\x10\x00"), 0)
    for seed in range(12):
        chance = random.Random(f"{name} {seed}")  # noqa: S311 - reproducible, not secret
        damaged = bytearray(whole)
        header, start = (132, pixels or len(whole)), (pixels, min(pixels + 250, len(whole)))
        first, last = [(0, len(whole)), header, start][seed % 3]
        for _ in range(1 << seed % 5):
            damaged[chance.randrange(first, last)] ^= 1 << chance.randrange(8)
        yield f"{name} with flipped bits, seed {seed}", bytes(damaged), ANYTHING


def saved(dataset: Dataset, syntax: str | None = None) -> bytes:
    """The bytes of a data set as it is, however wrong; a lie about the transfer syntax goes in afterwards."""
    path = FOLDER / "made"
    dataset.save_as(path)
    whole = path.read_bytes()
    if syntax is None:
        return whole
    old = dataset.file_meta.TransferSyntaxUID
    length = struct.pack("<H", len(old) + len(old) % 2)
    new = syntax.encode() + b"\0" * (len(syntax) % 2)
    before = b"\x02\x00\x10\x00UI" + length
    return whole.replace(before + whole.partition(before)[2][: len(old) + len(old) % 2],
                         b"\x02\x00\x10\x00UI" + struct.pack("<H", len(new)) + new, 1)  # fmt: skip


def rewritten(name: str) -> Iterator[tuple[str, bytes, str]]:
    """Elements that lie, are missing or have the wrong type."""
    for elements in ABSURD:
        dataset = dcmread(find(name))
        for keyword, value in elements.items():
            # a value that does not fit its VR's writer goes in as its bytes
            setattr(dataset, keyword, value)
        yield f"{name} with {elements}", saved(dataset), ERROR
    for keyword in REMOVED:
        dataset = dcmread(find(name))
        delattr(dataset, keyword)
        yield f"{name} without {keyword}", saved(dataset), ERROR
    for change in (-1, 1):
        dataset = dcmread(find(name))
        dataset.NumberOfFrames = max(int(dataset.get("NumberOfFrames") or 1) + change, 0)
        yield (
            f"{name} with {dataset.NumberOfFrames} frames",
            saved(dataset),
            ERROR if change > 0 else ANYTHING,
        )


def mistyped(name: str, whole: bytes) -> Iterator[tuple[str, bytes, str]]:
    """Another VR in the bytes of an element, and text where numbers belong."""
    for keyword, vr in WRONG_VRS:
        tag = dcmread(find(name), stop_before_pixels=True)[keyword].tag
        at = struct.pack("<HH", tag.group, tag.elem)
        place = whole.find(at)
        if whole[place + 4 : place + 6].isalpha():
            yield f"{name} with {keyword} as {vr!r}", whole[: place + 4] + vr + whole[place + 6 :], ANYTHING
    for tag, text in (
        (b"\x28\x00\x30\x00", b"?\\NaN"),
        (b"\x28\x00\x52\x10", b"1e999"),
        (b"\x20\x00\x32\x00", b"\xff\xfe"),
    ):
        place = whole.find(tag)
        if place > 0:
            yield (
                f"{name} with {text!r} in {tag.hex()}",
                whole[: place + 8] + text + whole[place + 8 + len(text) :],
                ANYTHING,
            )


def lying(name: str) -> Iterator[tuple[str, bytes, str]]:
    dataset = dcmread(find(name))
    for syntax in SYNTAXES:
        if syntax != dataset.file_meta.TransferSyntaxUID:
            yield f"{name} as {syntax.name}", saved(dcmread(find(name)), syntax), ERROR_OR_SAME


def fragmented(name: str) -> Iterator[tuple[str, bytes, str]]:
    """Damage to the items that hold a compressed image, and to the header of its first codestream."""
    dataset = dcmread(find(name))
    if not dataset.file_meta.TransferSyntaxUID.is_encapsulated:
        return
    whole = find(name).read_bytes()
    start = whole.rfind(b"\xe0\x7f\x10\x00") + 12
    first = whole.index(b"\xfe\xff\x00\xe0", start + 4)
    for offset, what, damage in (
        (start, "no item at its beginning", b"\0\0\0\0"),
        (start + 4, "an endless offset table", b"\xff\xff\xff\xff"),
        (start + 4, "a long offset table", b"\0\1\0\0"),
        (first + 4, "an endless fragment", b"\xff\xff\xff\xff"),
        (first + 4, "a short fragment", b"\x10\0\0\0"),
        (first + 4, "an empty fragment", b"\0\0\0\0"),
        (first + 8, "no start of its codestream", b"\0\0\0\0"),
    ):
        yield f"{name} with {what}", whole[:offset] + damage + whole[offset + 4 :], ERROR
    fragments = list(generate_fragments(dataset.PixelData))[1:] or [b""]
    stream = fragments[0] if len(fragments[0]) > 80 else b"".join(fragments)
    others = (b"\0\0\0\0", b"\x7f\xff\xff\xff", b"\0\1\0\1")
    for offset in range(4, min(64, len(stream))):
        for size in (b"\xff\xff\xff\xff", others[offset % 3]):
            dataset.PixelData = encapsulate([stream[:offset] + size + stream[offset + 4 :], *fragments[1:]])
            yield f"{name} with {size.hex()} at {offset} of its codestream", saved(dataset), ANYTHING


def variants(name: str) -> Iterator[tuple[str, bytes, str]]:
    whole = find(name).read_bytes()
    yield from truncated(name, whole)
    yield from flipped(name, whole)
    yield from rewritten(name)
    yield from mistyped(name, whole)
    yield from lying(name)
    yield from fragmented(name)


def sound(image: Image) -> bool:
    """What every image promises, whatever it was read from."""
    numbers = [image.slope, image.intercept, *(image.spacing or ()), *(image.padding or ())]
    matrix = image.pixel_to_patient
    return (
        image.values.dtype in (np.uint8, np.int16, np.uint16, np.float32)
        and image.values.ndim == len(image.space) + image.colour
        and 0 < image.values.size <= settings().max_pixels
        and bool(np.isfinite(numbers).all())
        and all(size > 0 for size in image.spacing or ())
        and (matrix is None or (matrix.shape == (4, 4) and bool(np.isfinite(matrix).all())))
        and (image.values.dtype != np.float32 or bool(np.isfinite(image.values).all()))
    )


def outcome(path: Path, expected: str, original: list[Image]) -> str:
    """The error's class, "image", or "wrong: …"."""
    try:
        images = read_dicom([path])
    except CamlucidaError as error:
        message = str(error)
        clean = message.startswith(f"{path.name}: ") and "\n" not in message and message.endswith((".", ")"))
        return type(error).__name__ if clean else f"wrong: the message {message!r}"
    except BaseException as error:  # noqa: BLE001 - this is what the test looks for
        return f"wrong: {error!r}"
    if expected == ERROR:
        return "wrong: an image"
    if not all(sound(image) for image in images):
        return "wrong: an image that is not sound"
    if expected == ERROR_OR_SAME:
        same = len(images) == len(original) and all(
            np.array_equal(a.values, b.values) for a, b in zip(images, original, strict=True)
        )
        return "image" if same else "wrong: other pixels"
    return "image"


def main(output: Path) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    config.settings.writing_validation_mode = config.IGNORE  # wrong values are written on purpose
    with output.open("w", encoding="utf-8") as lines:
        for name in FILES:
            original = read_dicom([find(name)])
            for title, content, expected in variants(name):
                path = FOLDER / "variant.dcm"
                path.write_bytes(content)
                print(json.dumps([title]), file=lines, flush=True)
                begin = time.process_time()  # not what others take of the machine
                result = outcome(path, expected, original)
                print(json.dumps([title, result, time.process_time() - begin]), file=lines, flush=True)
        print(json.dumps(["peak memory", "bytes", peak_memory()]), file=lines)


def peak_memory() -> int:
    """Bytes of this program alone: getrusage's figure begins with that of the process which started it."""
    status = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    (line,) = (line for line in status if line.startswith("VmHWM:"))
    return int(line.split()[1]) * 1024


if __name__ == "__main__":
    FOLDER = Path(sys.argv[2])
    os.environ["CAMLUCIDA_MAX_PIXELS"] = "20000000"
    main(Path(sys.argv[1]))
