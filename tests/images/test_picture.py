"""PNG and JPEG of every kind, and files that mean harm."""

import struct
import zlib

import numpy as np
import PIL.Image
import pytest

from camlucida.errors import FileTooLarge, UnreadableFile
from camlucida.images.picture import ALPHA_NOTE, REDUCED_NOTE, SEVERAL_NOTE, read_picture
from camlucida.records import FileFormat, Photometric
from camlucida.rendering.window import display
from camlucida.settings import settings

GREY = np.arange(48, dtype=np.uint8).reshape(6, 8) * 5
COLOUR = np.stack([GREY, GREY[::-1], 255 - GREY], axis=-1)


def saved(tmp_path, values, mode=None, suffix=".png", **options):
    path = tmp_path / f"picture{suffix}"
    image = PIL.Image.fromarray(values)
    (image.convert(mode) if mode else image).save(path, **options)
    return path


def chunk(kind, body):
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(width, height, depth, kind, rows, *more):
    """A PNG written by hand, for what Pillow does not write."""
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, kind, 0, 0, 0))
    return (
        b"\x89PNG\r\n\x1a\n"
        + header
        + b"".join(more)
        + chunk(b"IDAT", zlib.compress(rows))
        + chunk(b"IEND", b"")
    )


def test_grey_of_8_bits_is_read_and_shown_as_it_is(tmp_path):
    path = saved(tmp_path, GREY)
    image = read_picture(path)
    assert image.values.dtype == np.uint8
    assert (image.values == GREY).all()
    assert image.bits_stored == 8
    assert (display(image.values, image) == GREY).all()
    assert (image.source.format, image.source.path) == (FileFormat.PICTURE, str(path))
    assert (image.spacing, image.pixel_to_patient, image.notes) == (None, None, ())


def test_grey_of_16_bits_keeps_them(tmp_path):
    values = np.arange(48, dtype=np.uint16).reshape(6, 8) * 1300
    image = read_picture(saved(tmp_path, values))
    assert image.values.dtype == np.uint16
    assert (image.values == values).all()
    assert image.bits_stored == 16
    assert image.notes == ()


def test_colour(tmp_path):
    image = read_picture(saved(tmp_path, COLOUR))
    assert image.photometric is Photometric.RGB
    assert image.space == (6, 8)
    assert (image.values == COLOUR).all()


def test_colour_whose_channels_are_all_equal_is_grey(tmp_path):
    image = read_picture(saved(tmp_path, np.repeat(GREY[..., np.newaxis], 3, axis=-1)))
    assert image.photometric is Photometric.MONOCHROME2
    assert (image.values == GREY).all()
    one_different = np.repeat(GREY[..., np.newaxis], 3, axis=-1)
    one_different[3, 3, 2] += 1
    assert read_picture(saved(tmp_path, one_different)).colour


def test_jpeg_grey_and_colour(tmp_path):
    smooth = np.tile(np.linspace(0, 255, 64).astype(np.uint8), (64, 1))
    grey = read_picture(saved(tmp_path, smooth, suffix=".jpg", quality=95))
    assert np.abs(grey.values.astype(int) - smooth).max() < 8
    colour = np.stack([smooth, smooth[:, ::-1], smooth.T], axis=-1)
    read = read_picture(saved(tmp_path, colour, suffix=".jpeg", quality=98, subsampling=0))
    assert np.abs(read.values.astype(int) - colour).max() < 16


def test_cmyk_jpeg_becomes_rgb(tmp_path):
    flat = np.full((16, 16, 3), (200, 40, 90), np.uint8)
    image = read_picture(saved(tmp_path, flat, "CMYK", ".jpg", quality=100))
    assert image.photometric is Photometric.RGB
    assert np.abs(image.values.astype(int) - (200, 40, 90)).max() <= 4


def test_palette_of_colours_and_of_greys(tmp_path):
    few = np.array([[[255, 0, 0], [0, 255, 0]], [[0, 0, 255], [9, 9, 9]]], np.uint8)
    path = tmp_path / "palette.png"
    PIL.Image.fromarray(few).convert("P", palette=PIL.Image.Palette.ADAPTIVE).save(path)
    assert (read_picture(path).values == few).all()
    PIL.Image.fromarray(np.repeat(few[..., :1], 3, axis=-1)).convert("P").save(path)
    assert read_picture(path).photometric is Photometric.MONOCHROME2


def test_one_bit(tmp_path):
    values = read_picture(saved(tmp_path, GREY, "1")).values
    assert set(values.ravel().tolist()) <= {0, 255}


def test_transparent_places_are_black_and_told(tmp_path):
    rgba = np.dstack([COLOUR, np.full(GREY.shape, 255, np.uint8)])
    rgba[0, :, 3] = 0
    rgba[1, :, 3] = 128
    image = read_picture(saved(tmp_path, rgba))
    assert not image.values[0].any()
    assert np.abs(image.values[1] - COLOUR[1] * (128 / 255)).max() <= 1
    assert (image.values[2:] == COLOUR[2:]).all()
    assert image.notes == (ALPHA_NOTE,)


def test_alpha_that_hides_nothing_is_not_told(tmp_path):
    opaque = np.dstack([GREY, np.full(GREY.shape, 255, np.uint8)])
    image = read_picture(saved(tmp_path, opaque))
    assert (image.values == GREY).all()
    assert image.notes == ()


def test_a_transparent_grey_level_is_black(tmp_path):
    image = read_picture(saved(tmp_path, GREY, transparency=int(GREY[5, 7])))
    assert image.values[5, 7] == 0
    assert image.notes == (ALPHA_NOTE,)


def test_colour_of_16_bits_is_reduced_and_told(tmp_path):
    path = tmp_path / "deep.png"
    rows = b"".join(b"\0" + struct.pack(">6H", 65535, 0, 256 * r, 0, 65535, 7) for r in range(2))
    path.write_bytes(png(2, 2, 16, 2, rows))
    image = read_picture(path)
    assert image.values[0, 0].tolist() == [255, 0, 0]
    assert image.values.dtype == np.uint8
    assert image.notes == (REDUCED_NOTE,)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied(tmp_path, orientation):
    """EXIF 2.3, tag 274: where row 0 and column 0 of what is stored are on what is seen."""
    seen = np.kron(np.arange(6).reshape(2, 3) * 40, np.ones((16, 16))).astype(np.uint8)
    stored = {
        1: seen,
        2: seen[:, ::-1],
        3: seen[::-1, ::-1],
        4: seen[::-1],
        5: seen.T,
        6: seen.T[::-1],
        7: seen.T[::-1, ::-1],
        8: seen.T[:, ::-1],
    }[orientation]
    exif = PIL.Image.Exif()
    exif[274] = orientation
    path = saved(tmp_path, np.ascontiguousarray(stored), suffix=".jpg", quality=100, exif=exif)
    assert np.abs(read_picture(path).values.astype(int) - seen).max() <= 2


def test_several_pictures_in_one_file_are_told(tmp_path):
    path = tmp_path / "moving.png"
    first, second = PIL.Image.fromarray(GREY), PIL.Image.fromarray(255 - GREY)
    first.save(path, save_all=True, append_images=[second])
    image = read_picture(path)
    assert (image.values == GREY).all()
    assert SEVERAL_NOTE in image.notes


def test_too_many_values_are_refused_before_decoding(tmp_path, monkeypatch):
    path = tmp_path / "bomb.png"
    path.write_bytes(png(13_000, 13_000, 8, 0, b""))
    monkeypatch.setenv("CAMLUCIDA_MAX_PIXELS", "1000000")
    settings.cache_clear()
    try:
        with pytest.raises(FileTooLarge, match="169000000 values, more than the 1000000 allowed"):
            read_picture(path)
    finally:
        settings.cache_clear()


def test_what_pillow_itself_calls_a_bomb_is_too_large(tmp_path):
    path = tmp_path / "bomb.png"
    path.write_bytes(png(1_000_000, 1_000_000, 1, 0, b""))
    with pytest.raises(FileTooLarge, match="more pixels than can be decoded safely"):
        read_picture(path)


def test_a_large_but_allowed_picture_gives_no_warning(tmp_path):
    path = saved(tmp_path, np.zeros((9_500, 9_500), np.uint8))
    assert read_picture(path).space == (9_500, 9_500)


def test_a_bomb_in_a_text_chunk_is_refused(tmp_path):
    path = tmp_path / "text.png"
    text = chunk(b"zTXt", b"Comment\0\0" + zlib.compress(b"x" * 80_000_000))
    path.write_bytes(png(1, 1, 8, 0, b"\0\0", text))
    with pytest.raises(UnreadableFile, match="damaged"):
        read_picture(path)


@pytest.mark.parametrize("suffix", [".png", ".jpg"])
def test_no_damage_gives_anything_but_a_picture_or_a_sentence(tmp_path, suffix):
    whole = saved(tmp_path, np.kron(COLOUR, np.ones((8, 8, 1), np.uint8)), suffix=suffix).read_bytes()
    rng = np.random.default_rng(0)
    path = tmp_path / f"damaged{suffix}"
    outcomes = set()
    for trial in range(150):
        bytes_ = bytearray(whole)
        if trial % 3 == 0:
            bytes_ = bytes_[: rng.integers(0, len(whole))]
        else:
            for at in rng.integers(0, len(whole), 1 + trial % 5):
                bytes_[at] ^= 1 << int(rng.integers(8))
        path.write_bytes(bytes_)
        try:
            outcomes.add(read_picture(path).values.dtype)
        except (UnreadableFile, FileTooLarge) as error:
            outcomes.add(type(error))
    assert UnreadableFile in outcomes
    assert outcomes <= {np.dtype(np.uint8), UnreadableFile, FileTooLarge}


@pytest.mark.parametrize("content", [b"", b"hello", b"\x89PNG\r\n\x1a\n", b"GIF89a" + bytes(50)])
def test_other_files_are_a_sentence(tmp_path, content):
    path = tmp_path / "x.png"
    path.write_bytes(content)
    with pytest.raises(UnreadableFile, match="neither PNG nor JPEG"):
        read_picture(path)
