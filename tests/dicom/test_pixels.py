import numpy as np
import pytest
from pydicom import dcmread
from pydicom.encaps import encapsulate, generate_frames
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGLSLossless,
    RLELossless,
)

from camlucida.dicom.read import read_dicom
from camlucida.errors import FileTooLarge, UnreadableFile
from camlucida.records import Photometric

RAMP = np.arange(12).reshape(3, 4)


def read_one(path):
    (image,) = read_dicom([path])
    return image


@pytest.mark.parametrize(
    ("stored", "read_as"),
    [("u1", "u1"), ("i1", "i2"), ("u2", "u2"), ("i2", "i2"), ("u4", "u2"), ("i4", "i2")],
)
def test_integers_of_8_16_and_32_bits(make, stored, read_as):
    values = (RAMP * 9 - (50 if stored[0] == "i" else 0)).astype(stored)
    image = read_one(make(values))
    assert image.values.dtype == np.dtype(read_as)
    assert np.array_equal(image.values, values)
    assert (image.slope, image.intercept, image.unit) == (1, -1024, "HU")


def test_integers_beyond_16_bits_become_modality_values(make):
    values = (RAMP * 100_000).astype("u4")
    image = read_one(make(values, RescaleSlope=2))
    assert image.values.dtype == np.float32
    assert (image.slope, image.intercept) == (1, 0)
    assert np.array_equal(image.values, values * 2.0 - 1024)


@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("high_bit", [11, 13, 15])
def test_bits_that_hold_no_value_are_cleared(make, signed, high_bit):
    values = RAMP * 150 - (900 if signed else 0)
    shift = high_bit - 11
    rubbish = 0b1010 << 12 if high_bit == 11 else 0b1
    words = (((values & 0xFFF) << shift) | rubbish).astype("u2")
    path = make(words, BitsStored=12, HighBit=high_bit, PixelRepresentation=int(signed))
    assert np.array_equal(read_one(path).values, values)


def test_one_bit(make):
    bits = np.array([[1, 0, 1, 1], [0, 0, 1, 0], [1, 1, 1, 0]], "u1")
    packed = np.packbits(bits.ravel(), bitorder="little")
    path = make(bits, BitsAllocated=1, BitsStored=1, HighBit=0, PixelData=packed.tobytes(), Modality="OT")
    assert np.array_equal(read_one(path).values, bits)


@pytest.mark.parametrize(
    "syntax", [ImplicitVRLittleEndian, ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian]
)
def test_byte_orders_and_deflated(make, syntax):
    values = (RAMP * 1000 - 3000).astype("i2")
    swapped = values.byteswap() if syntax == ExplicitVRBigEndian else values
    image = read_one(make(values, syntax=syntax, PixelData=swapped.tobytes()))
    assert np.array_equal(image.values, values)
    assert image.values.dtype.isnative


def test_monochrome1_is_kept_as_it_is(make):
    image = read_one(make(RAMP.astype("u2"), PhotometricInterpretation="MONOCHROME1"))
    assert image.photometric is Photometric.MONOCHROME1
    assert np.array_equal(image.values, RAMP)


def colour(make, values, interpretation="RGB", **elements):
    return make(
        values, SamplesPerPixel=3, PlanarConfiguration=0, PhotometricInterpretation=interpretation, **elements
    )


def test_rgb_by_pixel_and_by_plane(make):
    values = np.arange(3 * 4 * 3, dtype="u1").reshape(3, 4, 3)
    assert np.array_equal(read_one(colour(make, values)).values, values)
    planes = values.transpose(2, 0, 1)
    path = make(
        values,
        SamplesPerPixel=3,
        PlanarConfiguration=1,
        PhotometricInterpretation="RGB",
        PixelData=planes.tobytes(),
    )
    image = read_one(path)
    assert image.colour
    assert image.space == (3, 4)
    assert np.array_equal(image.values, values)


def test_rgb_of_16_bits_keeps_the_upper_eight(make):
    values = np.linspace(0, 65535, 36).astype("u2").reshape(3, 4, 3)
    image = read_one(colour(make, values))
    assert np.array_equal(image.values, values // 256)
    assert "Colour of 16 bits a channel is reduced to 8 bits." in image.notes


def test_ybr_is_converted_by_the_equations_of_the_standard(make):
    y, cb, cr = 120.0, 90.0, 200.0  # PS3.3 C.7.6.3.1.2
    expected = [
        y + 1.402 * (cr - 128),
        y - 0.344136 * (cb - 128) - 0.714136 * (cr - 128),
        y + 1.772 * (cb - 128),
    ]
    image = read_one(colour(make, np.tile(np.array([y, cb, cr], "u1"), (2, 2, 1)), "YBR_FULL"))
    assert image.values.reshape(-1, 3) == pytest.approx(np.tile(expected, (4, 1)), abs=1)


def test_subsampled_ybr(bundled):
    image = read_one(bundled("SC_ybr_full_422_uncompressed.dcm"))
    reference = read_one(bundled("SC_rgb_dcmtk_ebcynp_dcmd.dcm"))
    assert image.values.shape == (100, 100, 3)
    assert np.abs(image.values.astype(int) - reference.values).mean() < 3


@pytest.mark.parametrize(
    ("names"),
    [
        ("RG1_UNCR.dcm", "RG1_J2KR.dcm"),
        ("RG3_UNCR.dcm", "RG3_J2KR.dcm"),
        ("MR2_UNCR.dcm", "MR2_J2KR.dcm"),
        ("US1_UNCR.dcm", "US1_J2KR.dcm"),
        ("693_UNCR.dcm", "693_J2KR.dcm"),
        ("RG1_UNCI.dcm", "RG1_J2KI.dcm"),
        ("RG3_UNCI.dcm", "RG3_J2KI.dcm"),
        (
            "MR_small.dcm",
            "MR_small_RLE.dcm",
            "MR_small_bigendian.dcm",
            "MR_small_expb.dcm",
            "MR_small_implicit.dcm",
            "MR_small_jp2klossless.dcm",
            "MR_small_jpeg_ls_lossless.dcm",
            "MR_small_padded.dcm",
        ),
        ("OBXXXX1A.dcm", "OBXXXX1A_expb.dcm", "OBXXXX1A_rle.dcm"),
        ("SC_rgb_16bit.dcm", "SC_rgb_expb_16bit.dcm", "SC_rgb_rle_16bit.dcm"),
        ("SC_rgb.dcm", "SC_rgb_expb.dcm", "SC_rgb_rle.dcm", "SC_rgb_jpeg_gdcm.dcm"),
    ],
    ids=lambda names: names[0],
)
def test_the_same_image_in_several_transfer_syntaxes(bundled, names):
    first, *others = [read_one(bundled(name)).values for name in names]
    allowed = 1 if names[0] in ("RG1_UNCI.dcm", "RG3_UNCI.dcm") else 0  # lossy: decoders round differently
    for other in others:
        assert other.dtype == first.dtype
        assert np.abs(other.astype(int) - first).max() <= allowed


@pytest.mark.parametrize("kind", ["", "_RLE", "_big_endian", "_jpeg_2k_lossless", "_jpeg_ls_lossless"])
def test_frames_of_compressed_multi_frame_files(bundled, kind):
    images = read_dicom([bundled(f"emri_small{kind}.dcm")])
    reference = dcmread(bundled("emri_small.dcm")).pixel_array
    assert len(images) == 10
    assert np.array_equal([image.values for image in images], reference)


def test_lossy_jpeg_is_near_what_another_decoder_gave(bundled):
    image = read_one(bundled("SC_rgb_dcmtk_+eb+cr.dcm"))
    reference = read_one(bundled("SC_rgb_dcmtk_ebcr_dcmd.dcm"))
    assert np.abs(image.values.astype(int) - reference.values).max() <= 2
    assert "The image was compressed with loss." in image.notes


def test_near_lossless_jpeg_ls(bundled):
    image = read_one(bundled("JPEGLSNearLossless_16.dcm"))
    reference = dcmread(bundled("JPEGLSNearLossless_16.dcm")).pixel_array
    assert image.values.dtype == np.uint16
    assert np.array_equal(image.values, reference)


@pytest.mark.parametrize(
    "elements",
    [
        {"Rows": 65535, "Columns": 65535},
        {"NumberOfFrames": 2_000_000_000},
        {"Rows": 40000, "Columns": 40000},
    ],
)
def test_absurd_sizes_are_refused_before_decoding(make, elements):
    with pytest.raises(FileTooLarge, match=r"declares .* values; at most .* CAMLUCIDA_MAX_PIXELS"):
        read_dicom([make(RAMP.astype("u2"), **elements)])


def test_the_bound_counts_frames_and_channels(make, bounds):
    values = np.zeros((2, 3, 4, 3), "u1")
    path = colour(make, values, Rows=3, Columns=4, NumberOfFrames=2)
    bounds(max_pixels=72)
    assert len(read_dicom([path])) == 2
    bounds(max_pixels=71)
    with pytest.raises(FileTooLarge, match="72 values; at most 71"):
        read_dicom([path])


@pytest.mark.parametrize(
    ("elements", "message"),
    [
        ({"Rows": None}, r"Rows \(0028,0010\) is missing"),
        ({"Rows": 0}, r"Rows \(0028,0010\) is 0; it must be from 1 to 65535"),
        ({"NumberOfFrames": 0}, r"Number of Frames \(0028,0008\) is 0"),
        ({"NumberOfFrames": 2}, r"has 24 bytes where 48 are declared"),
        ({"Columns": 5}, r"has 24 bytes where 30 are declared"),
        ({"BitsAllocated": 12}, r"Bits Allocated \(0028,0100\) is 12"),
        ({"BitsStored": 17}, r"do not fit Bits Allocated"),
        ({"HighBit": 10}, r"High Bit 10 do not fit"),
        ({"PixelRepresentation": 2}, r"Pixel Representation .* is 2"),
        ({"PhotometricInterpretation": None}, r"Photometric Interpretation .* missing or not one of"),
        ({"PhotometricInterpretation": "CMYK"}, r"missing or not one of"),
        ({"PhotometricInterpretation": "RGB"}, r"Samples per Pixel .* is 1, which does not fit RGB"),
        ({"SamplesPerPixel": 2}, r"does not fit MONOCHROME2"),
        ({"Rows": [3, 3]}, r"Rows .* has 2 values where one is expected"),
    ],
)
def test_impossible_layouts_are_refused_with_a_reason(make, elements, message):
    with pytest.raises(UnreadableFile, match=message) as caught:
        read_dicom([make(RAMP.astype("u2"), **elements)])
    assert str(caught.value).startswith("a.dcm: ")
    assert "\n" not in str(caught.value)


def test_a_missing_high_bit_is_the_usual_one(make):
    path = make((RAMP * 100).astype("u2"), BitsStored=12, HighBit=None)
    assert np.array_equal(read_one(path).values, RAMP * 100)


def test_transfer_syntaxes_that_are_not_read(make):
    with pytest.raises(UnreadableFile, match="MPEG2 Main Profile / Main Level is not read here"):
        read_dicom(
            [make(RAMP.astype("u1"), syntax="1.2.840.10008.1.2.4.100", PixelData=encapsulate([b"12"]))]
        )


def recompressed(bundled, save, name, change, syntax=None, frames=1):
    """A copy of a compressed file with its codestream changed."""
    dataset = dcmread(bundled(name))
    streams = list(generate_frames(dataset.PixelData, number_of_frames=frames))
    dataset.PixelData = encapsulate([change(stream) for stream in streams])
    dataset["PixelData"].is_undefined_length = True
    return save(dataset, "changed.dcm", syntax or dataset.file_meta.TransferSyntaxUID)


@pytest.mark.parametrize(
    "name", ["MR_small_jp2klossless.dcm", "MR_small_jpeg_ls_lossless.dcm", "SC_rgb_jpeg_gdcm.dcm"]
)
def test_a_codestream_that_is_cut_off_is_refused(bundled, save, name):
    path = recompressed(bundled, save, name, lambda stream: stream[: len(stream) * 2 // 3])
    with pytest.raises(UnreadableFile, match=r"ends before its end marker; the file is cut off"):
        read_dicom([path])


@pytest.mark.parametrize("syntax", [JPEG2000Lossless, JPEGBaseline8Bit, JPEGLSLossless, RLELossless])
@pytest.mark.parametrize("name", ["MR_small_jp2klossless.dcm", "JPGExtended.dcm", "MR_small_RLE.dcm"])
def test_a_transfer_syntax_that_lies(bundled, save, name, syntax):
    path = recompressed(bundled, save, name, lambda stream: stream, syntax)
    true = dcmread(bundled(name), stop_before_pixels=True).file_meta.TransferSyntaxUID
    if true == syntax or (name, syntax) == ("JPGExtended.dcm", JPEGBaseline8Bit):
        # no lie, or one that does not matter: the codestream says which JPEG it is
        assert np.array_equal(read_one(path).values, read_one(bundled(name)).values)
        return
    with pytest.raises(UnreadableFile):
        read_dicom([path])


def test_a_codestream_of_another_size_is_refused(bundled, save):
    def halve(stream):
        return stream[:12] + (32).to_bytes(4, "big") + stream[16:]

    path = recompressed(bundled, save, "MR_small_jp2klossless.dcm", halve)
    with pytest.raises(UnreadableFile, match=r"32 × 64 × 1, but 64 × 64 × 1"):
        read_dicom([path])


def test_fewer_frames_than_declared(bundled, save):
    dataset = dcmread(bundled("emri_small_jpeg_ls_lossless.dcm"))
    dataset.NumberOfFrames = 11
    with pytest.raises(UnreadableFile, match="fragments of the compressed pixel data do not make 11 frames"):
        read_dicom([save(dataset, "a.dcm", dataset.file_meta.TransferSyntaxUID)])


def test_an_image_compressed_beyond_belief_is_refused(bundled, save):
    name = "JPEG2000.dcm"  # 250 bytes

    def enlarge(stream):
        return (
            stream[:8]
            + (8192).to_bytes(4, "big") * 2
            + stream[16:24]
            + (8192).to_bytes(4, "big") * 2
            + stream[32:]
        )

    path = recompressed(bundled, save, name, enlarge)
    dataset = dcmread(path)
    dataset.Rows = dataset.Columns = 8192
    with pytest.raises(FileTooLarge, match=r"67,108,864 values are declared in 250 compressed bytes"):
        read_dicom([save(dataset, "b.dcm", dataset.file_meta.TransferSyntaxUID)])


def test_jp2_boxes_around_a_codestream_are_left_out(bundled, save):
    boxes = b"\x00\x00\x00\x0cjP  \r\n\x87\n\x00\x00\x00\x14ftypjp2 \x00\x00\x00\x00jp2 \x00\x00\x00\x00jp2c"
    path = recompressed(bundled, save, "MR_small_jp2klossless.dcm", lambda stream: boxes + stream)
    assert np.array_equal(read_one(path).values, read_one(bundled("MR_small.dcm")).values)
