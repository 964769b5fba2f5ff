"""Keys: the same for the same thing, other with another key, and readable by their owner only."""

import re
import stat

import pytest

from camlucida.dicom.deidentifying.pseudonyms import LONGEST_SHIFT, Key, read_key
from camlucida.errors import InputError


def test_the_same_key_gives_the_same_pseudonyms_and_another_one_others():
    one, same, other = Key(b"a" * 32), Key(b"a" * 32), Key()
    assert one.uid("1.2.3") == same.uid("1.2.3") != other.uid("1.2.3")
    assert one.patient("id") == same.patient("id") != other.patient("id")
    assert one.uid("1.2.3") != one.uid("1.2.4")
    assert Key().uid("1.2.3") != Key().uid("1.2.3")


def test_uids_are_uids_and_patients_fit_an_attribute():
    uid = Key().uid("1.2.3")
    assert re.fullmatch(r"2\.25\.[1-9][0-9]*", uid)
    assert len(uid) <= 64
    assert re.fullmatch(r"P[A-Z2-7]{16}", Key().patient("someone"))


def test_dates_move_by_one_to_ten_years_differently_for_each_patient():
    key = Key(b"b" * 32)
    days = {key.days(f"patient {number}") for number in range(200)}
    assert len(days) > 150
    assert min(days) >= 1
    assert max(days) <= LONGEST_SHIFT


def test_a_secret_is_not_printed():
    assert "61" * 8 not in repr(Key(b"a" * 32))
    assert "aaaa" not in repr(Key(b"a" * 32))


def test_a_key_file_is_made_once_for_its_owner(tmp_path):
    path = tmp_path / "new" / "key"
    made = read_key(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert read_key(path) == made


def test_a_key_that_others_may_read_is_refused(tmp_path):
    path = tmp_path / "key"
    read_key(path)
    path.chmod(0o640)
    with pytest.raises(InputError, match="chmod 600"):
        read_key(path)


@pytest.mark.parametrize("content", ["", "not hexadecimal", "00ff", "é"])
def test_what_is_no_key_is_refused(tmp_path, content):
    path = tmp_path / "key"
    path.write_text(content, encoding="utf-8")
    path.chmod(0o600)
    with pytest.raises(InputError, match="no key"):
        read_key(path)
