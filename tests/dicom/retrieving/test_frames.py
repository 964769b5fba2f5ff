"""Frames cut out of files, each without the others."""

from pathlib import Path

import data_store
import numpy as np
import pydicom
import pytest
from pydicom.data import get_testdata_file
from pydicom.encaps import generate_frames

from camlucida.dicom.retrieving.frames import open_frames, swapped
from camlucida.errors import UnreadableFile

REAL = Path(data_store.__file__).parent / "data"


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
