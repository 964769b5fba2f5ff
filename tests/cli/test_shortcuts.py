import json

import duckdb
import numpy as np
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


@pytest.fixture
def data(tmp_path):
    """24 small images, every other one with a white square in a corner, and one that is broken."""
    random = np.random.default_rng(0)
    rows = ["image,Pleural effusion,patient,site"]
    for number in range(24):
        values = random.integers(20, 90, (48, 40), np.uint8)
        values[:8, :7] = 255 * (number % 2)
        PIL.Image.fromarray(values).save(tmp_path / f"{number}.png")
        rows.append(f"{number}.png,{number // 2 % 2},patient-{number},{'AB'[number % 2]}")
    (tmp_path / "broken.png").write_bytes((tmp_path / "1.png").read_bytes()[:60])
    (tmp_path / "films.csv").write_text("\n".join([*rows, "broken.png,1,patient-99,A"]), "utf-8")
    mask = np.zeros((8, 8), np.uint8)
    mask[0, 0] = 255
    PIL.Image.fromarray(mask).save(tmp_path / "mask.png")
    return tmp_path


def call(*words, code=0):
    result = runner.invoke(app, ["shortcuts", *map(str, words)])
    assert result.exit_code == code, result.stderr
    return result


def test_the_report_its_tables_and_what_could_not_be_used(data):
    model, out = write_model(data / "model", input={"modality": [""], "size": [32, 24]}), data / "out"
    words = ("--model", model, "--data", data / "films.csv", "--out", out)
    done = call(*words, "--zone", f"square={data / 'mask.png'}", "--finding", "Pleural effusion")
    assert "24 cases" in done.stdout
    assert "Pleural effusion" in done.stdout
    assert "Pneumothorax" not in done.stdout
    assert "broken.png" in done.stderr
    assert "patient-" not in done.stdout + done.stderr
    page = (out / "shortcuts.html").read_text("utf-8")
    assert "your zone “square”" in page
    assert "Not detectable this way" in page
    assert "patient-" not in page
    kept = json.loads((out / "report.json").read_text("utf-8"))
    assert kept["cases"] == 24
    assert [one["case"] for one in kept["refused"]] == ["broken.png"]
    sql = f"select count(*) from '{out}/measurements.parquet' where measure = 'shortcut.effect.square'"  # noqa: S608
    assert duckdb.sql(sql).fetchall() == [(48,)]
    assert len(list((out / "kept").iterdir())) == 24


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (("--finding", "Gout"), 1, "no finding “Gout”"),
        (("--zone", "square"), 2, "has no “=”"),
        (("--zone", "square=missing.png"), 1, "missing.png"),
    ],
)
def test_what_cannot_be_meant_is_refused(words, code, says, data):
    model = write_model(data / "model", input={"modality": [""], "size": [32, 24]})
    done = call("--model", model, "--data", data / "films.csv", "--out", data / "out", *words, code=code)
    assert says in done.stderr
