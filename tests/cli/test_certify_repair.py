"""`camlucida certify-repair` on planted networks: certified, rejected, and what cannot be asked."""

import json

import numpy as np
import PIL.Image
import pytest
from typer.testing import CliRunner

from camlucida.cli.commands import app
from camlucida.images.artefact import phantom_artefact, write_artefact
from planted_shortcuts import model_folder, write_data

ARTEFACT, FINDING = "corner tag", "Effusion"
BEFORE = "reliant-corner-tag-effusion"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Films of which half carry the artefact, the artefact, and two repairs of one network."""
    folder = tmp_path_factory.mktemp("certify")
    write_data(folder, ARTEFACT, FINDING, 60)
    write_artefact(phantom_artefact(ARTEFACT), folder / "tag.png", (430, 380))
    for name in (BEFORE, f"{BEFORE}-randomised", f"{BEFORE}-tight-penalty"):
        model_folder(name, folder)
    return folder


def run(folder, after, *more, artefact="tag.png"):
    models = [str(folder / BEFORE), str(folder / f"{BEFORE}-{after}")]
    given = ["--data", str(folder / "films.csv"), "--artefact", str(folder / artefact), "--finding", FINDING]
    return CliRunner().invoke(app, ["certify-repair", *models, *given, "--out", str(folder / "out"), *more])


def test_a_repair_is_certified(folder):
    result = run(folder, "randomised", "--column", "artefact")
    assert result.exit_code in {0, 4}, result.output  # sixty films may be too few for the AUC
    kept = json.loads((folder / "out" / "certificate.json").read_text("utf-8"))
    gates = {gate["key"]: gate["outcome"] for gate in kept["gates"]}
    assert gates["effect"] == "passed"
    assert gates["worst-group"] == "passed"
    assert "failed" not in gates.values()
    assert 10 < kept["carrying"] < 50
    assert {one["images"] for one in kept["effects"]} >= {"pasted", "taken out"}
    page = (folder / "out" / "certificate.html").read_text("utf-8")
    assert page.count("<img") >= 12
    assert "P17" not in page  # no patient leaves the process


def test_what_is_no_repair_is_rejected(folder):
    result = run(folder, "tight-penalty", "--column", "artefact")
    assert result.exit_code == 3, result.output
    assert "Rejected: this is no repair. " in result.output
    assert "Operating points, chosen anew" in result.output


def test_without_a_column_it_is_pasted_into_all(folder):
    result = run(folder, "tight-penalty", "--limit", "30")
    kept = json.loads((folder / "out" / "certificate.json").read_text("utf-8"))
    assert kept["carrying"] == 0
    assert result.exit_code == 3


def test_a_place_only_is_taken_out_of_those_that_carry_it(folder):
    mask = phantom_artefact(ARTEFACT).region((128, 113))
    PIL.Image.fromarray(mask.astype(np.uint8) * 255).save(folder / "place.png")
    result = run(folder, "tight-penalty", "--column", "artefact", artefact="place.png")
    kept = json.loads((folder / "out" / "certificate.json").read_text("utf-8"))
    assert kept["cases"] == kept["carrying"] < 60
    assert "can only be taken out" in result.output


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--column", "tag"], "no column “tag”; they have: "),
        (["--finding", "Nodule"], "findings Effusion, Cardiomegaly; “Nodule” is none of them."),
        (["--finding", ""], "say which one with --finding."),
    ],
)
def test_what_cannot_be_asked_is_said(folder, more, said):
    result = run(folder, "randomised", *more)
    assert result.exit_code == 1
    assert said in " ".join(result.output.split())


def test_models_of_other_findings_are_no_repair(folder):
    given = ["--data", str(folder / "films.csv"), "--artefact", str(folder / "tag.png")]
    result = CliRunner().invoke(app, ["certify-repair", str(folder / BEFORE), "paediatric-pneumonia", *given])
    assert result.exit_code == 1
    assert "no finding in common: before Effusion, Cardiomegaly; after Pneumonia." in " ".join(
        result.output.split()
    )
