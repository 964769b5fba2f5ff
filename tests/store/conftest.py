"""Fixtures of the store's tests."""

import pytest

from camlucida.store.home import Home


@pytest.fixture(params=["sqlite", "postgresql"])
def home(request, tmp_path):
    """A home on each of the two databases; what the test opens or starts beside it has the same one."""
    if request.param == "postgresql":
        request.getfixturevalue("on_postgresql")
        opened = Home.open(tmp_path / "home")
    else:
        opened = request.getfixturevalue("new_home")(tmp_path / "home")
    yield opened
    opened.close()


@pytest.fixture
def sqlite_home(new_home, tmp_path):
    """A home as one has it without settings, for what is said of SQLite alone."""
    opened = new_home(tmp_path / "home")
    yield opened
    opened.close()


@pytest.fixture
def original(tmp_path):
    """A file that stands for what an image was read from."""
    path = tmp_path / "original.dcm"
    path.write_bytes(b"as it came")
    return path
