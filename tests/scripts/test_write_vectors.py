"""The committed vectors are what the formulas give."""

import runpy
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
WRITER = runpy.run_path(str(ROOT / "scripts" / "write_vectors.py"))
VECTORS = WRITER["vectors"]()


@pytest.mark.parametrize("name", sorted(VECTORS))
def test_committed_file_is_what_the_formulas_give(name):
    committed = (ROOT / "tests" / "vectors" / f"{name}.json").read_text()
    assert committed == WRITER["text"](VECTORS[name]), "run: python scripts/write_vectors.py"


def test_every_file_has_a_writer():
    assert {path.stem for path in (ROOT / "tests" / "vectors").glob("*.json")} == set(VECTORS)
