import struct

import pytest
from pydicom import dcmread
from pydicom.encaps import generate_frames
from pydicom.uid import JPEG2000, JPEGBaseline8Bit, JPEGLSLossless

from camlucida.dicom.codestream import Codestream, check_rle, inspect, jpeg, jpeg_2000
from camlucida.errors import UnreadableFile


@pytest.fixture
def stream(bundled):
    def first(name):
        return next(generate_frames(dcmread(bundled(name)).PixelData, number_of_frames=1))

    return first


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("JPGExtended.dcm", Codestream(1024, 256, 1, 12)),
        ("SC_rgb_jpeg_gdcm.dcm", Codestream(100, 100, 3, 8)),
        ("SC_rgb_jls_lossy_line.dcm", Codestream(100, 100, 3, 8)),
        ("MR_small_jpeg_ls_lossless.dcm", Codestream(64, 64, 1, 16)),
        ("MR_small_jp2klossless.dcm", Codestream(64, 64, 1, 16)),
        ("US1_J2KI.dcm", Codestream(480, 640, 3, 8)),
        ("693_J2KI.dcm", Codestream(512, 512, 1, 16)),
    ],
)
def test_headers_of_good_files(stream, bundled, name, expected):
    syntax = dcmread(bundled(name), stop_before_pixels=True).file_meta.TransferSyntaxUID
    frame = stream(name).removeprefix(b"\xff") if name.startswith("JPEGLS") else stream(name)
    assert inspect(syntax, frame) == expected


@pytest.mark.parametrize("syntax", [JPEG2000, JPEGBaseline8Bit, JPEGLSLossless])
@pytest.mark.parametrize(
    "frame", [b"", b"\xff", b"\xff\xd8", b"\xff\x4f\xff\x51", b"\xff\xd8\xff\xd9", bytes(200), b"\xff" * 300]
)
def test_short_and_empty_headers(syntax, frame):
    with pytest.raises(UnreadableFile):
        inspect(syntax, frame)


def changed(frame, offset, layout, *values):
    packed = struct.pack(layout, *values)
    return frame[:offset] + packed + frame[offset + len(packed) :]


@pytest.mark.parametrize(
    ("offset", "layout", "value", "message"),
    [
        (8, ">L", 0, "makes no sense"),
        (24, ">Q", 1 << 32 | 1, "more than 1024 tiles"),
        (40, ">H", 0, "makes no sense"),
        (40, ">H", 16384, "makes no sense"),
        (43, ">B", 2, "different size or precision"),
    ],
)
def test_jpeg_2000_sizes_that_would_exhaust_memory(stream, offset, layout, value, message):
    with pytest.raises(UnreadableFile, match=message):
        jpeg_2000(changed(stream("MR_small_jp2klossless.dcm"), offset, layout, value))


def test_jpeg_2000_coding_styles_that_would_exhaust_memory(stream):
    frame = stream("MR_small_jp2klossless.dcm")
    cod = frame.index(b"\xff\x52")
    with pytest.raises(UnreadableFile, match="more than 1024 layers"):
        jpeg_2000(changed(frame, cod + 6, ">H", 65535))
    with pytest.raises(UnreadableFile, match="code-blocks smaller than 16"):
        jpeg_2000(changed(frame, cod + 10, ">BB", 0, 0))
    levels = frame[cod + 9]
    sizes = bytes([0x11] * (levels + 1))
    length = struct.unpack_from(">H", frame, cod + 2)[0]
    precincts = frame[: cod + 2] + struct.pack(">HB", length + len(sizes), frame[cod + 4] | 1)
    with pytest.raises(UnreadableFile, match="precincts smaller than 16"):
        jpeg_2000(precincts + frame[cod + 5 : cod + 2 + length] + sizes + frame[cod + 2 + length :])


def test_a_jpeg_2000_file_without_its_end_marker_is_complete(stream):
    frame = stream("MR_small_jp2klossless.dcm").rstrip(b"\0")
    assert frame.endswith(b"\xff\xd9")
    assert jpeg_2000(frame[:-2]) == jpeg_2000(frame)
    with pytest.raises(UnreadableFile, match="cut off"):
        jpeg_2000(frame[:-10])


def test_kinds_of_jpeg_that_are_not_read(stream):
    frame = stream("SC_rgb_jpeg_gdcm.dcm")
    sof = frame.index(b"\xff\xc3")
    for marker in (0xC5, 0xC9, 0xCF, 0xF7):
        with pytest.raises(UnreadableFile, match="is not read here"):
            jpeg(changed(frame, sof + 1, ">B", marker), frozenset({0xC3}))


def test_jpeg_subsampling_out_of_range(stream):
    frame = stream("SC_rgb_jpeg_gdcm.dcm")
    sof = frame.index(b"\xff\xc3")
    for factors in (0x01, 0x10, 0x51, 0xFF):
        with pytest.raises(UnreadableFile, match=r"header .* is damaged"):
            jpeg(changed(frame, sof + 11, ">B", factors), frozenset({0xC3}))


@pytest.mark.parametrize(
    "header", [(3, 64, 80, 90), (2, 64, 64), (2, 80, 64), (2, 60, 80), (2, 64, 5000), (0,), (16, *range(15))]
)
def test_rle_headers_that_point_nowhere(header):
    frame = struct.pack("<16L", *header, *[0] * (16 - len(header))) + bytes(100)
    with pytest.raises(UnreadableFile, match="RLE"):
        check_rle(frame, 2, 10)


def rle(*segments):
    offsets = [64]
    for segment in segments[:-1]:
        offsets.append(offsets[-1] + len(segment))
    return struct.pack("<16L", len(segments), *offsets, *[0] * (15 - len(offsets))) + b"".join(segments)


def test_rle_runs_are_followed_to_their_end():
    # PS3.5 G.3.1: 2 means three bytes as they are, 254 means three times the next byte, 128 means nothing
    check_rle(rle(b"\x02abc\xfed", b"\x80\xfbx\x00"), 2, 6)
    for damaged in (b"\x02abc", b"\x02abc\xffd", b"\x02abc\xfcd", b"\x02abc\xfe", b"\x05abc", b""):
        with pytest.raises(UnreadableFile, match="RLE segment"):
            check_rle(rle(b"\x02abc\xfed", damaged), 2, 6)


def test_an_rle_header_that_is_cut_off():
    with pytest.raises(UnreadableFile, match="cut off"):
        check_rle(bytes(63), 1, 1)
