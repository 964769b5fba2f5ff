"""Of damaged and hostile files: a sentence or sound bytes, whatever is retrieved."""

import random
from contextlib import suppress
from pathlib import Path

import pytest
from pydicom.data import get_testdata_file

from camlucida.dicom.retrieving.explicit_little_endian import explicit_little_endian
from camlucida.dicom.retrieving.frame_image import read_frame
from camlucida.dicom.retrieving.frames import open_frames
from camlucida.dicom.retrieving.json_model import bulk_data, metadata
from camlucida.errors import CamlucidaError

SMALL = ["CT_small.dcm", "MR_small_RLE.dcm", "MR_small_jp2klossless.dcm", "liver_1frame.dcm", "test-SR.dcm"]


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
