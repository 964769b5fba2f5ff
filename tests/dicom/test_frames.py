"""Frames cut out of files, without the rest: of damaged and hostile ones, a sentence or sound bytes."""

import random
from contextlib import suppress
from pathlib import Path

import data_store
import numpy as np
import pydicom
import pytest
from pydicom.data import get_testdata_file
from pydicom.encaps import generate_frames

from camlucida.dicom.explicit import explicit_little_endian
from camlucida.dicom.frame_image import read_frame, representative_frame
from camlucida.dicom.frames import open_frames, swapped
from camlucida.dicom.json_model import bulk_data, metadata
from camlucida.errors import CamlucidaError, UnreadableFile

REAL = Path(data_store.__file__).parent / "data"
SMALL = ["CT_small.dcm", "MR_small_RLE.dcm", "MR_small_jp2klossless.dcm", "liver_1frame.dcm", "test-SR.dcm"]


def test_each_frame_is_read_without_the_others():
    path = REAL / "emri_small_RLE.dcm"
    frames = open_frames(path)
    dataset = pydicom.dcmread(path)
    kept = list(generate_frames(dataset.PixelData, number_of_frames=frames.count))
    assert frames.count == len(kept) == 10
    assert frames.compressed
    for number in (10, 1, 5):
        assert frames.kept(number) == kept[number - 1]
        decoded = np.frombuffer(frames.decoded(number), "<u2")
        assert (decoded == dataset.pixel_array[number - 1].ravel()).all()
        assert len(frames.decoded(number)) == frames.decoded_bytes


def test_a_deflated_file_has_frames_too():
    path = Path(get_testdata_file("image_dfl.dcm"))
    assert open_frames(path).decoded(1) == pydicom.dcmread(path).PixelData


@pytest.mark.parametrize("number", [0, -1, 11, 10**9])
def test_a_frame_that_is_not_there_is_a_sentence(number):
    with pytest.raises(UnreadableFile, match="frames 1 to 10"):
        open_frames(REAL / "emri_small_RLE.dcm").kept(number)


def test_what_holds_no_pixels_has_no_frames():
    assert open_frames(Path(get_testdata_file("test-SR.dcm"))) is None


def test_words_are_swapped_and_bytes_are_not():
    assert swapped(b"\1\2\3\4\5", 2) == b"\2\1\4\3\5"
    assert swapped(b"\1\2\3\4", 4) == b"\4\3\2\1"
    assert swapped(b"\1\2\3", 1) == b"\1\2\3"


def test_the_frame_that_stands_for_all_is_the_one_that_is_named_or_the_middle(tmp_path):
    path = REAL / "emri_small_RLE.dcm"
    assert representative_frame(path, open_frames(path)) == 5
    dataset = pydicom.dcmread(path)
    for named, found in ((7, 7), (99, 5)):
        dataset.RepresentativeFrameNumber = named
        dataset.save_as(tmp_path / "named.dcm")
        assert representative_frame(tmp_path / "named.dcm", open_frames(tmp_path / "named.dcm")) == found


def test_a_file_that_is_cut_off_is_not_begun(tmp_path):
    path = tmp_path / "cut.dcm"
    path.write_bytes((REAL / "MR2_UNCR.dcm").read_bytes()[:-1000])
    with pytest.raises(UnreadableFile, match=r"cut off|damaged"):
        explicit_little_endian(path)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", SMALL)
def test_corrupted_files_give_sound_bytes_or_a_sentence(tmp_path, name):
    """Bytes are changed, cut out and doubled; whatever comes, nothing but an error of ours."""
    content = Path(get_testdata_file(name)).read_bytes()
    path, rng, sound = tmp_path / "x.dcm", random.Random(4), 0  # noqa: S311
    for _ in range(60):
        broken = bytearray(content)
        for _ in range(rng.randint(1, 8)):
            at = rng.randrange(132, len(broken))
            broken[at : at + rng.choice([0, 1, 4])] = rng.randbytes(rng.choice([1, 4]))
        path.write_bytes(broken[: rng.choice([len(broken), rng.randrange(200, len(broken))])])
        for look in (_metadata, _frames, _explicit):
            with suppress(CamlucidaError):
                look(path)
                sound += 1
    assert sound > 20


def _metadata(path):
    for tag, described in metadata(path, str).items():
        if "BulkDataURI" in described:
            bulk_data(path, tag)


def _frames(path):
    frames = open_frames(path)
    if frames is not None:
        assert len(frames.decoded(1)) == frames.decoded_bytes
        read_frame(path, frames, 1)


def _explicit(path):
    length, pieces = explicit_little_endian(path)
    assert sum(map(len, pieces)) == length
