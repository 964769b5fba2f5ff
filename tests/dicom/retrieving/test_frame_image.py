"""One frame that is shown, and the one that stands for all."""

from pathlib import Path

import data_store
import pydicom

from camlucida.dicom.retrieving.frame_image import representative_frame
from camlucida.dicom.retrieving.frames import open_frames

REAL = Path(data_store.__file__).parent / "data"


def test_the_frame_that_stands_for_all_is_the_one_that_is_named_or_the_middle(tmp_path):
    path = REAL / "emri_small_RLE.dcm"
    assert representative_frame(path, open_frames(path)) == 5
    dataset = pydicom.dcmread(path)
    for named, found in ((7, 7), (99, 5)):
        dataset.RepresentativeFrameNumber = named
        dataset.save_as(tmp_path / "named.dcm")
        assert representative_frame(tmp_path / "named.dcm", open_frames(tmp_path / "named.dcm")) == found
