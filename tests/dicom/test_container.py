import warnings

import numpy as np
import pytest

from camlucida.dicom.container import open_dataset, reading
from camlucida.errors import FileTooLarge, MissingGeometry, UnreadableFile


def test_our_own_errors_get_the_name_once():
    with pytest.raises(MissingGeometry, match=r"^a.dcm: no position$"), reading("a.dcm", []):
        raise MissingGeometry("no position")
    with (
        pytest.raises(MissingGeometry, match=r"^b.dcm: no position$"),
        reading("series", [], named=True),
        reading("b.dcm", []),
    ):
        raise MissingGeometry("no position")


class Panic(BaseException):
    """As the RLE decoder's panics: no Exception."""


@pytest.mark.parametrize("error", [ValueError, RecursionError, Panic, AttributeError, OSError])
def test_other_errors_lose_their_words_and_keep_their_kind(error):
    with pytest.raises(UnreadableFile) as caught, reading("a.dcm", []):
        raise error("Secret^Person")
    assert str(caught.value) == f"a.dcm: the file is damaged or breaks DICOM's rules ({error.__name__})."
    assert caught.value.__suppress_context__


def test_too_little_memory():
    with pytest.raises(FileTooLarge, match=r"^a.dcm: there is not enough memory"), reading("a.dcm", []):
        raise MemoryError


def test_an_interruption_passes():
    with pytest.raises(KeyboardInterrupt), reading("a.dcm", []):
        raise KeyboardInterrupt


def test_warnings_become_one_note():
    notes = []
    with reading("a.dcm", notes):
        warnings.warn("Secret^Person", stacklevel=1)
        warnings.warn("another", stacklevel=1)
    assert notes == ["The file breaks DICOM's rules in 2 place(s); what could be understood was read."]


def test_a_deflated_transfer_syntax_hidden_from_the_bounded_reader(make, tmp_path):
    path = make(np.zeros((4, 4), "u2"), syntax="1.2.840.10008.1.2.1.99")
    whole = path.read_bytes()
    hidden = tmp_path / "hidden.dcm"
    # the element's VR is damaged, so that the header has to be read in another way
    hidden.write_bytes(whole.replace(b"\x02\x00\x10\x00UI", b"\x02\x00\x11\x00UI", 1))
    with pytest.raises(UnreadableFile, match="names a deflated transfer syntax"):
        open_dataset(hidden)


def test_deflated_data_that_ends_too_early(make):
    path = make(np.arange(400, dtype="u2").reshape(20, 20), syntax="1.2.840.10008.1.2.1.99")
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(UnreadableFile, match="ends too early"):
        open_dataset(path)
