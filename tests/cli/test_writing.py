import pytest

from camlucida.cli.writing import whole


def test_what_is_written_is_there_afterwards(tmp_path):
    path = tmp_path / "new" / "proof.md"
    with whole(path) as unfinished:
        unfinished.write_text("new")
        assert not path.exists()
    assert path.read_text() == "new"
    assert [one.name for one in path.parent.iterdir()] == ["proof.md"]


@pytest.mark.parametrize("error", [OSError, KeyboardInterrupt])
def test_after_an_error_there_is_what_was_before(tmp_path, error):
    path = tmp_path / "proof.md"
    path.write_text("old")

    def fails():
        with whole(path) as unfinished:
            unfinished.write_text("ne")
            raise error

    with pytest.raises(error):
        fails()
    assert path.read_text() == "old"
    assert [one.name for one in tmp_path.iterdir()] == ["proof.md"]


def test_a_link_stays_one(tmp_path):
    (tmp_path / "link").symlink_to(tmp_path / "file")
    with whole(tmp_path / "link") as unfinished:
        unfinished.write_text("new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "file").read_text() == "new"


def test_what_is_no_plain_file_is_written_to_as_it_is(tmp_path):
    with whole(tmp_path) as unfinished:
        assert unfinished == tmp_path
