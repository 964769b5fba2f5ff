import json

import numpy as np
import PIL.Image
import pytest
from typer.testing import CliRunner

from camlucida.cli.commands import app
from camlucida.examples.phantom.radiograph import radiograph
from camlucida.settings import settings

runner = CliRunner()
pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("CAMLUCIDA_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("COLUMNS", "200")
    settings.cache_clear()
    yield
    settings.cache_clear()


def test_a_folder_of_images_is_compared_and_the_report_kept(tmp_path):
    for seed in range(2):
        folder = tmp_path / "films" / "Effusion"
        folder.mkdir(parents=True, exist_ok=True)
        film = radiograph(900 + seed, ["Effusion"], rows=128).values
        PIL.Image.fromarray((film / film.max() * 255).astype(np.uint8)).save(folder / f"{seed}.png")
    words = ["--model", "phantom-radiograph", "--data", tmp_path / "films", "--out", tmp_path / "out"]
    done = runner.invoke(app, ["compare", *map(str, words), "--method", "grad-cam", "--no-sanity"])
    assert done.exit_code == 0, done.stderr
    assert "Grad-CAM" in done.stdout
    assert {"compare.html", "sheet.png", "report.json", "estimates.parquet"} <= {
        path.name for path in (tmp_path / "out").iterdir()
    }
    kept = json.loads((tmp_path / "out" / "report.json").read_text("utf-8"))
    assert kept["cases"] == 2
    assert {"cost.time", "coherence.morans-i"} <= {row["measure"] for row in kept["estimates"]}


def test_an_unknown_method_is_told(tmp_path):
    (tmp_path / "films").mkdir()
    PIL.Image.fromarray(np.zeros((64, 64), np.uint8)).save(tmp_path / "films" / "a.png")
    words = ["--model", "phantom-radiograph", "--data", tmp_path / "films", "--out", tmp_path / "out"]
    done = runner.invoke(app, ["compare", *map(str, words), "--method", "palmistry"])
    assert done.exit_code == 1
    assert "palmistry" in done.stderr
