"""Any instance in the transfer syntax that all read; byte for byte through HTTP in tests/web/dicomweb."""

from pathlib import Path

import data_store
import pytest

from camlucida.dicom.retrieving.explicit_little_endian import explicit_little_endian
from camlucida.errors import UnreadableFile

REAL = Path(data_store.__file__).parent / "data"


def test_a_file_that_is_cut_off_is_not_begun(tmp_path):
    path = tmp_path / "cut.dcm"
    path.write_bytes((REAL / "MR2_UNCR.dcm").read_bytes()[:-1000])
    with pytest.raises(UnreadableFile, match=r"cut off|damaged"):
        explicit_little_endian(path)
