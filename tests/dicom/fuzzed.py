"""Gives made and damaged DICOM files to everything that reads files from outside; run by test_fuzz.py.

It runs in a process of its own with a bound on its memory, as `corrupted.py` does: what leads a decoder in C
astray may end the process or never return. Each line of the output is written before its file is read and
again afterwards, so that the last line names the culprit.

    python fuzzed.py OUTPUT FOLDER EXAMPLES
"""

import base64
import json
import os
import resource
import struct
import sys
import time
import zlib
from collections.abc import Callable
from pathlib import Path

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from pydicom._dicom_dict import DicomDictionary

from camlucida.dicom.deidentifying.deidentify import Sharing, deidentify
from camlucida.dicom.deidentifying.pseudonyms import Key
from camlucida.dicom.header import read_header
from camlucida.dicom.read import read_dicom
from camlucida.errors import CamlucidaError
from dicom.raw import data_set, element, image, part10, sequence, words

MEMORY = 3 << 30
SHARING = Sharing(Key(b"f" * 32), pixels_checked=True)
DEFLATED = "1.2.840.10008.1.2.1.99"
SYNTAXES = [
    "1.2.840.10008.1.2.1", "1.2.840.10008.1.2", "1.2.840.10008.1.2.2", DEFLATED, "1.2.840.10008.1.2.4.50",
    "1.2.840.10008.1.2.4.70", "1.2.840.10008.1.2.4.80", "1.2.840.10008.1.2.4.90", "1.2.840.10008.1.2.5",
    "1.2.840.10008.1.2.4.102", "1.2.3", "", "é",
]  # fmt: skip
VRS = (
    "AE AS AT CS DA DS DT FD FL IS LO LT OB OD OF OL OV OW PN SH SL SQ SS ST SV TM UC UI UL UN UR US UT UV ZZ"
)
NUMBERS = [
    b"NaN", b"nan\\NaN", b"inf", b"-Infinity", b"1e999", b"1e-999", b"1_000", b"0x10", b"1,5", b"--1",
    b"9" * 400, b"1" * 5000, b"1\\" * 3000, b"-1", b"0", b"1.5", b"", b" ", "１２".encode(), b"\0\0\0\0",
]  # fmt: skip
TEXTS = [
    b"\xff\xfe\xfd", b"\x1b$B\x1b(B\x1b", b"\x1b" * 50, b"\\" * 2000, b"\0" * 64, b"a" * 20_000, b"^" * 500,
    b"=" * 50, "Ünïcödé".encode("utf-16"), b"19701332", b"99999999999999",
    b"........", b"-" * 64, b"1.2." * 40, b"\n\r\t",
]  # fmt: skip
CHARACTER_SETS = [
    b"ISO_IR 192", b"ISO_IR 100", b"GB18030", b"ISO 2022 IR 87", b"\\ISO 2022 IR 149",
    b"ISO 2022 IR 6\\ISO 2022 IR 58", b"utf-7", b"rot13", b"zip", b"idna",
    b"unicode_escape", b"ISO_IR 999", b"\\\\\\", b"\xff" * 16,
]  # fmt: skip
LENGTHS = [None, None, None, None, None, 0, 1, 2, 3, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFE, 0xFFFFFFFF]
SIZES = [0, 1, 2, 3, 4, 7, 8, 16, 17, 33, 255, 4096, 65535]
LAYOUT = [0x00280002, 0x00280006, 0x00280010, 0x00280011, 0x00280100, 0x00280101, 0x00280102, 0x00280103]
NUMERIC = [
    0x00200013, 0x00200032, 0x00200037, 0x00280008, 0x00280030, 0x00281050, 0x00281051, 0x00281052,
    0x00281053, 0x00180050, 0x00180088, 0x00181164,
]  # fmt: skip
TAGS = sorted(tag for tag in DicomDictionary if 0x00080000 < tag < 0x7FE00011)

tags = st.sampled_from(TAGS) | st.sampled_from([*NUMERIC, *LAYOUT]) | st.integers(0x00080000, 0xFFFFFFFF)
vrs = st.sampled_from(VRS.split())
values = st.sampled_from(NUMBERS) | st.sampled_from(TEXTS) | st.binary(max_size=64)


def _own_vr(tag: int) -> str:
    return DicomDictionary[tag][0][:2] if tag in DicomDictionary else "UN"


anything = st.builds(
    lambda tag, vr, value, length: (tag, element(tag, vr or _own_vr(tag), value, length)),
    tags,
    st.none() | st.none() | vrs,
    values,
    st.sampled_from(LENGTHS),
)
numeric = st.builds(
    lambda tag, value: (tag, element(tag, _own_vr(tag), value)),
    st.sampled_from(NUMERIC),
    st.sampled_from(NUMBERS),
)
layout = st.builds(
    lambda tag, numbers: (tag, words(tag, *numbers)),
    st.sampled_from(LAYOUT),
    st.lists(st.sampled_from(SIZES), min_size=1, max_size=3),
)
kind = st.builds(
    lambda text: (0x00280004, element(0x00280004, "CS", text)),
    st.sampled_from([b"MONOCHROME1", b"RGB", b"PALETTE COLOR", b"YBR_FULL_422", b"YBR_RCT", b"", b"\xff"]),
)
charset = st.builds(
    lambda text: (0x00080005, element(0x00080005, "CS", text)), st.sampled_from(CHARACTER_SETS)
)
pixels = st.builds(
    lambda vr, data, length: (0x7FE00010, element(0x7FE00010, vr, data, length)),
    st.sampled_from(["OB", "OW", "UN", "SQ", "US"]),
    st.binary(max_size=200),
    st.sampled_from(LENGTHS),
)


def nested(children: st.SearchStrategy) -> st.SearchStrategy:
    """Sequences that are where they belong or not, of defined and undefined length, with wrong ends."""
    return st.builds(
        lambda tag, items, undefined, cut: (
            tag,
            (whole := sequence(tag, [data_set(dict(one)) for one in items], undefined=undefined))[
                : len(whole) - cut
            ],
        ),
        st.sampled_from(
            [0x00081140, 0x00082112, 0x00283010, 0x00289145, 0x52009229, 0x52009230, 0x0040A730, 0x00091001]
        )
        | tags,
        st.lists(st.lists(children, max_size=3), max_size=4),
        st.booleans(),
        st.sampled_from([0, 0, 0, 0, 1, 4, 8]),
    )


elements = st.lists(
    st.recursive(anything | numeric | layout | kind | charset | pixels, nested, max_leaves=8), max_size=8
)
damages = st.lists(
    st.tuples(
        st.integers(0, 1 << 16), st.sampled_from([b"\0", b"\xff", b"\xff\xff\xff\xff", b"SQ", b"\xfe\xff"])
    ),
    max_size=3,
)


def assembled(more: list, missing: list, syntax: str, damage: list, cut: int | None) -> bytes:
    """An image with elements added, replaced, left out, with bytes overwritten, and cut off."""
    made = {**image(), **dict(more)}
    content = data_set({tag: whole for tag, whole in made.items() if tag not in missing})
    if syntax == DEFLATED:
        packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
        content = packer.compress(content) + packer.flush()
    whole = bytearray(part10(content, syntax))
    for place, new in damage:
        place %= len(whole)  # noqa: PLW2901 - a place in this file
        whole[place : place + len(new)] = new
    return bytes(whole[: len(whole) if cut is None else cut % len(whole)])


files = st.builds(
    assembled,
    elements,
    st.lists(st.sampled_from(sorted(image())), max_size=2),
    st.sampled_from(SYNTAXES[:1] * 12 + SYNTAXES),
    damages,
    st.none() | st.none() | st.integers(0, 1 << 16),
)


def bombs() -> dict[str, bytes]:
    """Small files that want much: of memory, of depth, of time."""
    base = image()
    tag, uid = 0x00081140, base[0x00080018]
    made = {}
    for depth in (50, 900, 5000, 60_000):
        content = uid
        for _ in range(min(depth, 3000)):
            content = sequence(tag, [content])
        made[f"{depth} levels, undefined False"] = part10(data_set(base | {tag: content}))
        before, after = sequence(tag, [uid], undefined=True).split(uid)
        content = before * depth + uid + after * depth
        made[f"{depth} levels, undefined True"] = part10(data_set(base | {tag: content}))
    open_ended = struct.pack("<HH2sHI", tag >> 16, tag & 0xFFFF, b"SQ", 0, 0xFFFFFFFF)
    begin = struct.pack("<HHI", 0xFFFE, 0xE000, 0xFFFFFFFF)
    made["100,000 sequences that never end"] = part10(uid + (open_ended + begin) * 100_000)
    for undefined in (False, True):
        many = sequence(tag, [b""] * 500_000, undefined=undefined)
        made[f"500,000 empty items, undefined {undefined}"] = part10(data_set(base | {tag: many}))
    made["20,000 items"] = part10(data_set(base | {tag: sequence(tag, [uid] * 20_000)}))
    made["100,000 private elements"] = part10(
        data_set(base | {0x00290000 + n: element(0x00290000 + n, "LO", b"x") for n in range(0x1000, 0xFFFF)})
    )
    made["a million values"] = part10(
        data_set(base | {0x00281050: element(0x00281050, "UT", b"1\\" * 1_000_000)})
    )
    made["a name of 5 MB"] = part10(
        data_set(base | {0x00100010: element(0x00100010, "UT", b"ab^" * 1_700_000)})
    )
    made["200,000 names"] = part10(
        data_set(
            base | {0x00101001: element(0x00101001, "UC", b"\\".join(b"n%06d" % n for n in range(200_000)))}
        )
    )
    packer = zlib.compressobj(9, wbits=-zlib.MAX_WBITS)
    mebibyte = packer.compress(bytes(1 << 20)) + packer.flush(zlib.Z_FULL_FLUSH)  # as it is after itself, too
    packed = mebibyte * 4096 + packer.flush()
    made["4 GB deflated"] = part10(packed, DEFLATED)
    made["4 GB deflated behind a header"] = part10(packed, DEFLATED, preamble=b"x" * 128)
    for size in (0xFFFF, 20_000):
        absurd = {0x00280010: words(0x00280010, size), 0x00280011: words(0x00280011, size)}
        made[f"{size}² pixels"] = part10(data_set(base | absurd))
    frames = {0x00280008: element(0x00280008, "IS", b"2147483647")}
    made["2,147,483,647 frames"] = part10(data_set(base | frames))
    made["an element of 4 GB"] = part10(
        data_set(base | {0x00204000: element(0x00204000, "UT", b"x", 0xFFFFFFFE)})
    )
    made["a head of 4 GB"] = part10(data_set(base), meta=element(0x00020102, "OB", b"x", 0xFFFFFFF0))
    return made


READERS: dict[str, Callable[[Path, Path], object]] = {
    "header": lambda path, _: read_header(path),
    "read": lambda path, _: read_dicom([path]),
    "deidentify": lambda path, out: deidentify(path, out, SHARING),
}


def outcome(read: Callable[[Path, Path], object], path: Path, out: Path) -> str:
    """The error's class, "done", or "wrong: …"."""
    try:
        read(path, out)
    except CamlucidaError as error:
        message = str(error)
        return type(error).__name__ if message.startswith(path.name) else f"wrong: the message {message!r}"
    except BaseException as error:  # noqa: BLE001 - this is what the test looks for
        return f"wrong: {error!r}"
    return "done"


def main(output: Path, folder: Path, examples: int) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    path, out = folder / "file.dcm", folder / "out"
    with output.open("w", encoding="utf-8") as lines:

        def look(title: str, content: bytes) -> None:
            path.write_bytes(content)
            for name, read in READERS.items():
                print(json.dumps([f"{name} of {title}"]), file=lines, flush=True)
                begin = time.process_time()  # not what others take of the machine
                result = outcome(read, path, out)
                print(
                    json.dumps([f"{name} of {title}", result, time.process_time() - begin]),
                    file=lines,
                    flush=True,
                )

        for title, content in bombs().items():
            look(title, content)

        @seed(4)
        @settings(
            max_examples=examples,
            database=None,
            deadline=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(files)
        def made(content: bytes) -> None:
            look(base64.b64encode(zlib.compress(content)).decode(), content)

        made()
        print(json.dumps(["peak memory", "bytes", peak_memory()]), file=lines)


def peak_memory() -> int:
    """Bytes of this program alone."""
    status = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    (line,) = (line for line in status if line.startswith("VmHWM:"))
    return int(line.split()[1]) * 1024


if __name__ == "__main__":
    os.environ["CAMLUCIDA_MAX_PIXELS"] = "20000000"
    os.environ["CAMLUCIDA_MAX_FILE_BYTES"] = "100000000"
    main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]))
