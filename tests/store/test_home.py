import pytest

from camlucida.errors import StoreError
from camlucida.store.home import Home


def test_a_home_is_made_where_there_is_none_for_its_owner_only(tmp_path):
    home = Home.open(tmp_path / "a" / "b")
    assert (tmp_path / "a" / "b" / "camlucida.sqlite").is_file()
    for path in (home.folder, home.folder / "blobs", home.folder / "camlucida.sqlite"):
        assert path.stat().st_mode & 0o077 == 0
    home.close()


def test_a_folder_that_was_there_keeps_its_mode(tmp_path):
    tmp_path.chmod(0o755)
    Home.open(tmp_path).close()
    assert tmp_path.stat().st_mode & 0o777 == 0o755


def test_a_damaged_database_is_one_sentence(tmp_path):
    (tmp_path / "camlucida.sqlite").write_bytes(b"no database" * 1000)
    with pytest.raises(StoreError, match=r"camlucida\.sqlite cannot be opened .*--home"):
        Home.open(tmp_path)


def test_opening_again_keeps_what_is_there(tmp_path):
    home = Home.open(tmp_path)
    digest = home.blobs.put(b"x")
    home.close()
    assert Home.open(tmp_path).blobs.get(digest) == b"x"


def test_a_home_that_cannot_be_made_is_one_sentence(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="--home or CAMLUCIDA_HOME"):
        Home.open(tmp_path / "file" / "home")
