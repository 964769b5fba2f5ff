import numpy as np
import PIL.Image
import pytest
from typer.testing import CliRunner

from camlucida.cli.commands import app
from camlucida.models.description import head_statement
from camlucida.settings import settings
from example_models import small_network, write_model

runner = CliRunner()


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("CAMLUCIDA_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("COLUMNS", "200")
    settings.cache_clear()
    yield tmp_path / "home"
    settings.cache_clear()


@pytest.fixture
def model(tmp_path):
    return write_model(tmp_path / "model")


def call(*arguments, code=0):
    result = runner.invoke(app, ["models", *map(str, arguments)])
    assert result.exit_code == code, result.stderr
    return " ".join((result.stdout if code == 0 else result.stderr).split())


def test_add_says_what_was_found(model):
    said = call("add", model)
    assert "two-findings@1.0.0 is registered: Two findings of nothing" in said
    assert "findings Pneumothorax, Pleural effusion" in said
    assert "target layer stages" in said
    assert "native grid 8×6 cells" in said
    assert "linear: HiResCAM and Grad-CAM are faithful by theorem, |sum + bias - logit| ≤" in said
    assert "logits on 8 inputs" in said


def test_list_shows_what_is_registered(model):
    result = runner.invoke(app, ["models", "list"])
    assert "two-findings" not in result.stdout
    call("add", model)
    said = call("list")
    assert "two-findings 1.0.0 in use 2 8×6 linear" in said


def test_show_tells_the_card_and_its_codes(model):
    call("add", model)
    said = call("show", "two-findings")
    assert "intended use Tests." in said
    assert "takes CR or DX, 32×24" in said
    assert "Pneumothorax 36118008 SCT “Pneumothorax” 0.25" in said
    assert "digest" in said
    assert "state in use" in said


def test_check_repeats_the_proof(model):
    call("add", model)
    for arguments in ((), ("two-findings",)):
        said = call("check", *arguments)
        assert "two-findings@1.0.0 is unchanged" in said
        assert "faithful by theorem" in said


def test_a_changed_file_makes_check_fail(model, home):
    call("add", model)
    kept = home / "models" / "two-findings" / "1.0.0" / "model.toml"
    kept.write_text(kept.read_text() + "\n# changed\n")
    said = call("check", code=1)
    assert "Error: The file “model.toml” of the model two-findings@1.0.0 is not what it was" in said


def test_check_of_several_goes_on_after_one_that_fails(tmp_path, home):
    for version in ("1", "2"):
        call("add", write_model(tmp_path / version, version=version))
    kept = home / "models" / "two-findings" / "1" / "model.toml"
    kept.write_text(kept.read_text() + "\n# changed\n")
    result = runner.invoke(app, ["models", "check"])
    assert result.exit_code == 1
    assert "two-findings@1 is not what it was" in result.stderr
    assert "two-findings@2 is unchanged" in result.stdout


def test_retire_marks_a_version(model):
    call("add", model)
    assert "two-findings@1.0.0 is retired since" in call("retire", "two-findings@1.0.0")
    assert " retired " in call("list")


def test_an_impossible_card_is_one_line_and_exit_code_1(tmp_path):
    said = call("add", write_model(tmp_path / "model", output="sigmod"), code=1)
    assert said == "Error: model/model.toml: output = 'sigmod' is none of sigmoid, softmax."


def test_a_folder_that_is_not_there_is_one_line(tmp_path):
    assert call("add", tmp_path / "absent", code=1).startswith("Error: There is no folder “")


def test_a_folder_without_a_card_is_one_line(tmp_path):
    (tmp_path / "empty").mkdir()
    assert "empty/model.toml: there is no such file" in call("add", tmp_path / "empty", code=1)


def test_an_unknown_name_is_one_line():
    assert call("show", "nothing", code=1).startswith("Error: No model is called “nothing”")


def test_brackets_in_a_card_are_shown_as_they_are(tmp_path):
    folder = write_model(tmp_path / "model", small_network(), title="[bold]Two[/bold] [findings]")
    assert "[bold]Two[/bold] [findings]" in call("add", folder)


@pytest.mark.parametrize(
    ("kind", "deviation", "pooled", "statement"),
    [
        (
            "linear",
            1e-7,
            2e-6,
            "linear: HiResCAM and Grad-CAM are faithful by theorem, |sum + bias - logit| ≤ 2.0e-06",
        ),
        ("linear", 1e-7, 0.5, "Grad-CAM is approximate, its residual up to 5.0e-01 logits"),
        (
            "nonlinear",
            0.25,
            0.5,
            "not linear: maps are approximate; what HiResCAM leaves unexplained is up to 2.5e-01",
        ),
    ],
)
def test_the_proof_in_words(kind, deviation, pooled, statement):
    head = {"kind": kind, "deviation": deviation, "deviation_pooled": pooled, "inputs": 4}
    assert statement in head_statement(head)
    assert "on 4 inputs" in head_statement(head)


def test_check_proves_the_head_on_as_many_inputs_as_asked_and_on_images(model, tmp_path):
    call("add", model, "--inputs", 3)
    assert "made-up ones" in call("show", "two-findings")
    images = tmp_path / "images"
    images.mkdir()
    for number in range(2):
        values = np.random.default_rng(number).integers(0, 255, (40, 30), np.uint8)
        PIL.Image.fromarray(values).save(images / f"{number}.png")
    (images / "broken.png").write_bytes(b"\x89PNG broken")
    said = call("check", "two-findings", "--inputs", 5, "--images", images)
    assert "on 7 inputs, 2 of them images" in said
    assert "on 7 inputs, 2 of them images" in call("show", "two-findings")
    weaker = call("check", "two-findings", "--inputs", 2)
    assert "on 2 inputs, made-up ones" in weaker
    assert "on record" in weaker


def test_check_with_images_of_which_none_can_be_used_fails(model, tmp_path):
    call("add", model)
    (tmp_path / "broken.png").write_bytes(b"\x89PNG broken")
    said = call("check", "two-findings", "--images", tmp_path / "broken.png", code=1)
    assert "broken.png" in said
    assert "None of the images could be used" in said
