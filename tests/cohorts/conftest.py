"""Films, one of them broken, and a small model of the test's own."""

import pytest

from camlucida.examples.phantom.dicom import write_radiograph
from camlucida.examples.phantom.radiograph import radiograph
from example_models import write_model


@pytest.fixture(scope="session")
def films(tmp_path_factory):
    """Five films in a folder; the fourth is cut off."""
    folder = tmp_path_factory.mktemp("films")
    for number in range(5):
        write_radiograph(radiograph(number, ["Effusion"], rows=64), folder / f"{number}.dcm")
    (folder / "3.dcm").write_bytes((folder / "3.dcm").read_bytes()[:3000])
    return folder


@pytest.fixture(scope="session")
def model(tmp_path_factory):
    """The folder of a model that takes films."""
    return write_model(tmp_path_factory.mktemp("model") / "two-findings")
