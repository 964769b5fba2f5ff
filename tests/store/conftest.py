"""Fixtures of the store's tests."""

import pytest

from camlucida.store.home import Home


@pytest.fixture
def home(tmp_path):
    opened = Home.open(tmp_path / "home")
    yield opened
    opened.close()


@pytest.fixture
def original(tmp_path):
    """A file that stands for what an image was read from."""
    path = tmp_path / "original.dcm"
    path.write_bytes(b"as it came")
    return path
