import json

import numpy as np
import PIL.Image
import pytest
from safetensors.numpy import load_file
from typer.testing import CliRunner

from camlucida.cli.commands import app
from camlucida.examples.phantom.dicom import write_radiograph
from camlucida.examples.phantom.radiograph import radiograph
from camlucida.settings import settings
from example_models import write_model


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    """A model, a DICOM film, a PNG, and what cannot be explained."""
    folder = tmp_path_factory.mktemp("inputs")
    model = write_model(folder / "model")
    images = folder / "images"
    images.mkdir()
    write_radiograph(radiograph(1, rows=256), images / "film.dcm")
    PIL.Image.fromarray(np.arange(64 * 48, dtype=np.uint8).reshape(64, 48)).save(images / "picture.png")
    whole = (images / "film.dcm").read_bytes()
    (images / "broken.dcm").write_bytes(whole[: len(whole) // 2])
    return model, images


def explain(*words, home="/nonexistent"):
    """In this process: loading torch takes longer than most of what is asked here."""
    environment = {"COLUMNS": "160", "HOME": str(home), "CAMLUCIDA_HOME": None}
    settings.cache_clear()
    done = CliRunner().invoke(app, ["explain", *map(str, words)], env=environment)
    settings.cache_clear()
    return done


def test_a_broken_file_is_one_line_and_the_others_are_done(inputs, tmp_path):
    model, images = inputs
    done = explain(images, "--model", model, "--out", tmp_path / "out")
    assert done.exit_code == 1
    assert sorted(folder.name for folder in (tmp_path / "out").iterdir()) == ["film", "picture"]
    complaints = [line for line in done.stderr.splitlines() if line.startswith("Error:")]
    assert len(complaints) == 2
    assert "broken.dcm" in complaints[0]
    assert complaints[1] == "Error: 1 of 3 inputs could not be explained."
    assert "Traceback" not in done.stderr


def test_prints_every_finding_with_evidence_and_residual(inputs):
    model, images = inputs
    done = explain(images / "film.dcm", "--model", model)
    assert done.exit_code == 0, done.stderr
    for word in ("Pneumothorax", "Pleural effusion", "Prob.", "For", "Against", "Residual", "grad-cam"):
        assert word in done.stdout
    assert "not a medical device" in done.stderr


def test_keeps_map_provenance_and_overlay(inputs, tmp_path):
    model, images = inputs
    done = explain(images / "film.dcm", "-m", model, "--finding", "pneumothorax", "-o", tmp_path)
    assert done.exit_code == 0, done.stderr
    folder = tmp_path / "film"
    assert {file.name for file in folder.iterdir()} == {
        "map.safetensors",
        "explanation.json",
        "Pneumothorax.png",
    }
    kept = json.loads((folder / "explanation.json").read_text())
    values = load_file(folder / "map.safetensors")["values"]
    parts = kept["saliency_map"]
    assert values.sum() + parts["bias"][0] + parts["residual"][0] == pytest.approx(
        parts["logits"][0], abs=1e-5
    )
    assert kept["provenance"]["model_name"] == "two-findings"
    assert "PHANTOM" not in (folder / "explanation.json").read_text()


def test_a_method_whose_values_are_no_logits_prints_none(inputs):
    model, images = inputs
    done = explain(images / "film.dcm", "--model", model, "--method", "Score-CAM")
    assert done.exit_code == 0, done.stderr
    row = next(line for line in done.stdout.splitlines() if "Pneumothorax" in line)
    assert row.count("–") >= 3


def test_two_inputs_of_one_name_are_both_kept(inputs, tmp_path):
    model, images = inputs
    other = tmp_path / "other"
    other.mkdir()
    (other / "film.dcm").write_bytes((images / "film.dcm").read_bytes())
    done = explain(images / "film.dcm", other / "film.dcm", "-m", model, "-o", tmp_path / "out")
    assert done.exit_code == 0, done.stderr
    assert sorted(folder.name for folder in (tmp_path / "out").iterdir()) == ["film", "film-2"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--finding", "Fracture"], "no finding “Fracture”; it has: Pneumothorax, Pleural effusion"),
        (["--method", "grad-kam"], "no method “grad-kam”"),
        (["--target-layer", "layer9"], "no layer “layer9”"),
    ],
)
def test_what_cannot_be_done_is_said_with_the_choice(inputs, words, message):
    model, images = inputs
    done = explain(images / "film.dcm", "--model", model, *words)
    assert done.exit_code == 1
    assert message in " ".join(done.stderr.split())


def test_an_unknown_model_is_said_before_anything_is_read(inputs):
    done = explain(inputs[1], "--model", "nobody")
    assert done.exit_code == 1
    assert "nobody" in done.stderr
    assert done.stdout == ""


def test_a_contrast_names_both_findings(inputs, tmp_path):
    model, images = inputs
    words = ("--model", model, "--contrast", "pneumothorax", "--out", tmp_path)
    done = explain(images / "film.dcm", *words)
    assert done.exit_code == 0, done.stderr
    assert "Pleural effusion rather than Pneumothorax" in done.stdout
    assert "Pneumothorax rather than" not in done.stdout
    assert "Logit is that of the finding less that of the other" in done.stderr
    kept = json.loads((tmp_path / "film" / "explanation.json").read_text())
    assert set(kept["saliency_map"]["contrasts"]) == {"Pneumothorax"}


def test_a_map_that_explains_no_finding_says_so(inputs):
    model, images = inputs
    done = explain(images / "film.dcm", "--model", model, "--method", "eigen-cam")
    assert "Note: Explains no finding" in done.stderr


def test_a_regression_needs_the_word(inputs, tmp_path):
    film, age = inputs[1] / "film.dcm", write_model(tmp_path / "age", task="regression")
    assert "ask for it with scalar=True" in " ".join(explain(film, "--model", age).stderr.split())
    done = explain(film, "--model", age, "--scalar")
    told = " ".join((done.stdout + done.stderr).split())
    assert "Logit = For + Against + Bias + Residual, in the unit of the model's output." in told
    assert "Note: The output is a number, not a finding's logit" in told
    refused = explain(film, "--model", inputs[0], "--scalar")
    assert refused.exit_code == 2
    assert "whose logits are explained without it" in " ".join(refused.stderr.replace("│", " ").split())


def test_another_runtime_is_named_and_its_export_kept_at_home(inputs, tmp_path):
    model, images = inputs
    words = ("--model", model, "--runtime", "onnxruntime", "--out", tmp_path / "out")
    done = explain(images / "film.dcm", *words, home=tmp_path)
    assert done.exit_code == 0, done.stderr
    assert "Computed in onnxruntime 1." in done.stderr
    kept = json.loads((tmp_path / "out" / "film" / "explanation.json").read_text())
    assert kept["provenance"]["runtime"].startswith("onnxruntime 1.")
    assert len(list((tmp_path / ".local/share/camlucida/exported").iterdir())) == 1


def test_a_runtime_that_is_not_there_is_said_with_the_choice(inputs):
    model, images = inputs
    done = explain(images / "film.dcm", "--model", model, "--runtime", "tensorrt")
    assert done.exit_code == 1
    assert "there are: eager, onnxruntime, openvino, inductor, auto" in " ".join(done.stderr.split())


def test_checks_zones_and_a_prior_are_told_and_kept(inputs, tmp_path):
    model, images = inputs
    film, prior = images / "film.dcm", images / "picture.png"
    done = explain(
        film, "-m", model, "--check", "agreement", "--check", "stability", "--zones", "--prior", prior,
        "--out", tmp_path,
    )  # fmt: skip
    assert done.exit_code == 0, done.stderr
    said = " ".join(done.stdout.split())
    for words in ("Half", "corners", "Stable", "Pneumothorax: ", "Since the prior: the logit has changed by"):
        assert words in said
    kept = json.loads((tmp_path / "film" / "explanation.json").read_text())["trust"]
    assert kept["verdict"] == "faithful by theorem"
    assert all(finding["agreement"] and finding["prior"] for finding in kept["findings"])
    assert len(kept["findings"][0]["stability"]["changes"]) == 10
    assert kept["findings"][0]["causal"] is None


def test_the_columns_add_up_and_each_map_is_judged_in_words(inputs):
    model, folder = inputs
    done = explain(folder / "film.dcm", "--model", model, "--finding", "Pneumothorax")
    row = next(line.split() for line in done.stdout.splitlines() if line.strip().startswith("Pneumothorax "))
    logit, *parts = map(float, row[-5:])
    assert logit == pytest.approx(sum(parts), abs=0.03)
    assert "Pneumothorax: " in done.stdout


def test_a_prior_that_is_not_there_is_named(inputs, tmp_path):
    done = explain(inputs[1] / "film.dcm", "--model", inputs[0], "--prior", tmp_path / "old.dcm")
    assert done.exit_code == 1
    assert "The prior, " in done.stderr
    assert "old.dcm" in "".join(done.stderr.split())


def test_an_unknown_method_is_said_once(inputs):
    done = explain(inputs[1], "--model", inputs[0], "--method", "nonsense")
    assert done.exit_code == 1
    assert done.stderr.count("There is no method") == 1


def test_an_unknown_check_is_said_before_anything_is_computed(inputs):
    model, images = inputs
    done = explain(images / "film.dcm", "-m", model, "--check", "casual")
    assert done.exit_code == 1
    assert done.stdout == ""
    assert "There is no check “casual”; there are causal, stability, agreement, and all." in " ".join(
        done.stderr.split()
    )
