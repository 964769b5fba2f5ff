"""Fixtures of the store's tests."""

import shutil

import pytest

from camlucida.store.home import FILE, Home


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory):
    """A file of SQLite with the newest tables, to be copied: making them takes a fifth of a second."""
    folder = tmp_path_factory.mktemp("empty")
    Home.open(folder, embedded=True).close()
    return folder / FILE


@pytest.fixture(params=["sqlite", "postgresql"])
def home(request, tmp_path):
    """A home on each of the two databases; what the test opens or starts beside it has the same one."""
    if request.param == "postgresql":
        request.getfixturevalue("on_postgresql")
    else:
        (tmp_path / "home").mkdir()
        shutil.copyfile(request.getfixturevalue("empty_database"), tmp_path / "home" / FILE)
    opened = Home.open(tmp_path / "home")
    yield opened
    opened.close()


@pytest.fixture
def sqlite_home(tmp_path):
    """A home as one has it without settings, for what is said of SQLite alone."""
    opened = Home.open(tmp_path / "home")
    yield opened
    opened.close()


@pytest.fixture
def original(tmp_path):
    """A file that stands for what an image was read from."""
    path = tmp_path / "original.dcm"
    path.write_bytes(b"as it came")
    return path
