import json

import pytest
from typer.testing import CliRunner

from camlucida.cli.commands import app
from camlucida.settings import settings

runner = CliRunner()


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("CAMLUCIDA_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("COLUMNS", "200")
    settings.cache_clear()
    yield
    settings.cache_clear()


@pytest.fixture
def table(tmp_path, films):
    """The three films, of which two have a pneumothorax, and one that is broken."""
    (tmp_path / "broken.dcm").write_bytes((films / "film-1.dcm").read_bytes()[:900])
    rows = [f"{films}/film-{seed}.dcm,{seed % 2},{'AB'[seed % 2]}" for seed in (1, 2, 3)]
    path = films / "cases.csv"
    path.write_text("\n".join(["image,PTX,site", *(row.removeprefix(f"{films}/") for row in rows)]), "utf-8")
    (films / "broken.dcm").write_bytes((tmp_path / "broken.dcm").read_bytes())
    path.write_text(path.read_text("utf-8") + "\nbroken.dcm,0,A\n", "utf-8")
    yield path
    path.unlink()
    (films / "broken.dcm").unlink()


def call(*words, code=0):
    result = runner.invoke(app, ["evaluate", *map(str, words)])
    assert result.exit_code == code, result.stderr
    return result


def test_a_report_and_its_tables_are_kept(table, small_model, tmp_path):
    out = tmp_path / "evaluation"
    options = ("--label-name", "PTX=Pneumothorax", "--only", "classification", "--subgroup", "site")
    done = call("--model", small_model, "--data", table, *options, "--out", out)
    assert {path.name for path in out.iterdir()} == {
        "cases.parquet",
        "estimates.parquet",
        "kept",
        "measurements.parquet",
        "report.html",
        "report.json",
    }
    report = json.loads((out / "report.json").read_text("utf-8"))
    assert report["cases"] == 3
    assert [one["case"] for one in report["refused"]] == ["broken.dcm"]
    assert "broken.dcm" in done.stderr
    assert "Cannot be judged on these images" in done.stdout
    assert (out / "report.html").read_text("utf-8").count("<h2") == 4


@pytest.mark.parametrize(
    ("options", "said"),
    [(("--only", "beauty"), "“beauty” is no part"), (("--label-name", "PTX"), "“PTX” has no “=”")],
)
def test_what_is_misspelt_is_told(table, small_model, tmp_path, options, said):
    done = call("--model", small_model, "--data", table, *options, "--out", tmp_path / "out", code=2)
    assert said in " ".join(done.stderr.split())


def test_a_column_that_is_not_there_is_told_before_anything_is_computed(table, small_model, tmp_path):
    options = ("--label-name", "PTX=Pneumothorax", "--subgroup", "ward")
    done = call("--model", small_model, "--data", table, *options, "--out", tmp_path / "out", code=1)
    assert "no column “ward”" in done.stderr
    assert not (tmp_path / "out").exists()


def test_a_folder_that_cannot_be_written_to_is_told_first(table, small_model, tmp_path):
    (tmp_path / "a file").touch()
    done = call("--model", small_model, "--data", table, "--out", tmp_path / "a file" / "out", code=1)
    assert "cannot be written to; name another with --out" in " ".join(done.stderr.split())


def test_without_labels_the_first_page_says_that_nobody_can_judge(table, small_model, tmp_path):
    out = tmp_path / "out"
    done = call("--model", small_model, "--data", table, "--only", "classification", "--out", out)
    assert "Not judged on these images" in done.stdout
    assert json.loads((out / "report.json").read_text("utf-8"))["verdicts"]
