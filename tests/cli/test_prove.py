import json

import PIL.Image
import pytest
from typer.testing import CliRunner

from camlucida.cli.commands import app
from camlucida.settings import settings
from example_models import write_model

runner = CliRunner()
pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("CAMLUCIDA_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("COLUMNS", "200")
    settings.cache_clear()
    yield
    settings.cache_clear()


def call(*words, code=0):
    result = runner.invoke(app, ["prove", *map(str, words)])
    assert result.exit_code == code, result.stderr
    return result


def test_phantoms_are_tested_on_and_the_proof_is_kept(tmp_path):
    model, out = write_model(tmp_path / "model"), tmp_path / "proof"
    done = call(model, "--method", "grad-cam", "--method", "LayerCAM", "--out", out)
    assert "6 images" in done.stdout
    assert "two-findings@1.0.0" in done.stdout
    assert "Head on these images: HiResCAM faithful by theorem; Grad-CAM faithful by theorem." in done.stdout
    assert {path.name for path in out.iterdir()} == {"proof.json", "proof.md", "cascade.png"}
    kept = json.loads((out / "proof.json").read_text("utf-8"))
    assert [method["method"] for method in kept["methods"]] == ["grad-cam", "layercam"]
    assert all(method["passed"] in {True, False} for method in kept["methods"])
    with PIL.Image.open(out / "cascade.png") as picture:
        assert picture.height > 2 * 112


def test_own_images_are_taken_and_a_broken_one_is_told(tmp_path, films):
    (tmp_path / "broken.dcm").write_bytes((films / "film-1.dcm").read_bytes()[:900])
    done = call(
        write_model(tmp_path / "model"),
        "--method",
        "grad-cam",
        "--images",
        films,
        "--images",
        tmp_path / "broken.dcm",
    )
    assert "3 images" in done.stdout
    assert "broken.dcm" in done.stderr


def test_one_image_is_too_few(tmp_path, films):
    done = call(write_model(tmp_path / "model"), "--images", films / "film-1.dcm", code=1)
    assert "at least two images" in " ".join(done.stderr.split())
