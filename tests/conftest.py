"""Fixtures for all tests."""

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real images; left out for a newcomer who has only a clone, required in CI."""
    folder = Path(os.environ.get("CAMLUCIDA_TEST_DATA", ROOT.parent / "shared" / "data"))
    if folder.is_dir():
        return folder
    message = f"real images not found in {folder}: set CAMLUCIDA_TEST_DATA"
    if os.environ.get("CI"):
        pytest.fail(message)
    pytest.skip(message)
