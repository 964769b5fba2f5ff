"""What a fresh interpreter loads: the root is lazy, and delivery runs without torch."""

import subprocess
import sys

import pytest

import camlucida


def loaded_by(statement: str) -> set[str]:
    code = f"import sys; {statement}; print(' '.join(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)  # noqa: S603
    return set(done.stdout.split())


@pytest.mark.parametrize(
    "statement",
    [
        "import camlucida; camlucida.__version__",
        "import camlucida.web.app",
        "import camlucida.store.studies, camlucida.store.explanations, camlucida.store.upkeep.sizes",
        "import camlucida.dicom.read, camlucida.rendering.legend, camlucida.records",
        "import camlucida.cli.serve",
    ],
)
def test_delivery_starts_without_torch(statement):
    assert "torch" not in loaded_by(statement)


def test_the_root_offers_what_it_names():
    for name in camlucida.__all__:
        assert getattr(camlucida, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'explane'"):
        _ = camlucida.explane
