import os
from pathlib import Path

import pytest

from camlucida.errors import InvalidModelCard
from camlucida.models.card import Output, Task, file_inside, read_card
from camlucida.records import CodedConcept, Finding
from example_models import CARD, as_toml, write_model


def changed(table, **changes):
    return {key: value for key, value in {**CARD[table], **changes}.items() if value is not None}


def test_every_key_arrives(tmp_path):
    card = read_card(
        write_model(
            tmp_path / "model",
            output="softmax",
            task="regression",
            limits="Everything.",
            target_layer="stages.1",
            logits="index:0",
            input=changed(
                "input",
                channels=3,
                fit="pad",
                intensity="percentile",
                low=1,
                high=99,
                mean=[0.1, 0.2, 0.3],
                spacing=[2.5, 1],
            ),
        )
    )
    assert (card.name, card.version, card.title) == ("two-findings", "1.0.0", "Two findings of nothing")
    assert card.output is Output.SOFTMAX
    assert card.task is Task.REGRESSION
    assert (card.limits, card.target_layer, card.logits) == ("Everything.", "stages.1", "index:0")
    assert card.architecture_arguments["width"] == 4
    assert card.modality == ("CR", "DX")
    preparation = card.preparation
    assert (preparation.space, preparation.channels, preparation.size) == (2, 3, (32, 24))
    assert (preparation.fit, preparation.intensity) == ("pad", "percentile")
    assert (preparation.low, preparation.high) == (1, 99)
    assert preparation.mean == (0.1, 0.2, 0.3)
    assert preparation.std == (0.25, 0.25, 0.25)
    assert preparation.spacing == (2.5, 1)
    assert card.findings == (
        Finding("Pneumothorax", CodedConcept("36118008", "SCT", "Pneumothorax"), 0.25),
        Finding("Pleural effusion", None, None),
    )


def test_three_sizes_make_a_volume(tmp_path):
    card = read_card(write_model(tmp_path / "model", input={"size": [8, 16, 24]}))
    assert card.preparation.space == 3
    assert card.modality == ()


def test_a_pt2_needs_no_architecture_and_refuses_one(tmp_path):
    folder = write_model(tmp_path / "model", weights="graph.pt2", architecture=None)
    assert read_card(folder).architecture is None
    with pytest.raises(InvalidModelCard, match="brings its own graph"):
        read_card(write_model(tmp_path / "other", weights="graph.pt2"))


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"version": None}, "version is missing; add it"),
        ({"name": "Has Spaces"}, "name = 'Has Spaces' is not 1 to 64 of a-z"),
        ({"name": "../../evil"}, "name = '../../evil' is not"),
        ({"version": "1/2"}, "version = '1/2' is not"),
        ({"version": ".."}, "version = '..' is not"),
        ({"version": 1.0}, "version = 1.0 is not text"),
        ({"output": "sigmod"}, "output = 'sigmod' is none of sigmoid, softmax"),
        ({"task": "segmentation"}, "task = 'segmentation' is none of classification, regression"),
        ({"architecture": "os.system('x')"}, "architecture = .* is not “package.module:Name”"),
        ({"licence": None, "license": "MIT"}, "licence is missing .is “license” meant.*; add it"),
        ({"colour": "red"}, "colour is no key of a model card; the nearest is"),
        ({"logits": "first"}, "logits = 'first' is not “key:NAME”"),
        (
            {"input": {"size": [32, 24], "chanels": 1}},
            r"\[input\] chanels is no key .* nearest is “channels”",
        ),
        ({"input": {"size": [32]}}, r"\[input\] size = \[32\] is not \[rows, columns\]"),
        ({"input": {"size": [32, 0]}}, "size"),
        ({"input": {"size": [32, 1.5]}}, "size"),
        ({"input": {"size": [32, 99999999]}}, "whole numbers from 1 to 8192"),
        ({"input": {"size": [8192, 8192, 8192]}}, "more than 268435456 values"),
        ({"input": {"size": [32, 24], "channels": 2}}, "channels = 2 is neither 1"),
        ({"input": {"size": [32, 24], "channels": True}}, "channels = True is not a whole number"),
        (
            {"input": {"size": [32, 24], "mean": [0.1, 0.2]}},
            "mean = .* is neither one number nor one for each",
        ),
        ({"input": {"size": [32, 24], "std": [0]}}, "std = .* is not above 0"),
        ({"input": {"size": [32, 24], "intensity": "hounsfield"}}, "none of full, percentile, range, window"),
        ({"input": {"size": [32, 24], "intensity": "range"}}, r"\[input\] low is missing"),
        ({"input": {"size": [32, 24], "intensity": "range", "low": 5, "high": 5}}, "not below high = 5"),
        ({"input": {"size": [32, 24], "intensity": "percentile", "low": 1, "high": 101}}, "not a percentile"),
        ({"input": {"size": [32, 24], "low": 5}}, "low = 5 is not used with intensity = “full”"),
        (
            {"input": {"size": [32, 24], "intensity": "window", "window_center": 40, "window_width": 0}},
            "window_width = 0 is not above 0",
        ),
        ({"input": {"size": [32, 24], "spacing": [1, 1]}}, "fit must be “pad” or “crop”"),
        ({"input": {"size": [32, 24], "spacing": [1], "fit": "pad"}}, "not 2 sizes in mm above 0"),
        ({"input": {"size": [32, 24], "modality": [1]}}, "modality = .* is not a list of text"),
        ({"findings": []}, "there are 0 ..findings.."),
        ({"findings": [{"name": "A"}, {"name": "a"}]}, "two findings are called “a”"),
        (
            {"findings": [{"name": "A", "operating_point": 1}]},
            "operating_point = 1 is not a probability above 0",
        ),
        ({"findings": [{"name": " "}]}, "number 1 name = ' ' is not text of 1 to 128"),
        ({"findings": [{"name": "A"}, {"title": "B"}]}, "number 2 name is missing"),
        ({"findings": [{"name": "A", "concept": {"value": "1", "scheme": "SCT"}}]}, "meaning is missing"),
        (
            {"findings": [{"name": "A", "concept": {"value": "1" * 17, "scheme": "SCT", "meaning": "x"}}]},
            "not text of 1 to 16",
        ),
        ({"architecture_arguments": {"block": {"a": 2**60}}}, "block = .* is neither text, number"),
    ],
)
def test_what_is_wrong_is_said_with_key_value_and_cure(tmp_path, changes, sentence):
    folder = write_model(tmp_path / "model", **changes)
    with pytest.raises(InvalidModelCard, match=sentence) as caught:
        read_card(folder)
    assert str(caught.value).startswith("model/model.toml: ")


@pytest.mark.parametrize("number", ["nan", "inf", "-inf", "1e400", "9" * 400, "9" * 5000])
def test_numbers_that_are_none_are_refused(tmp_path, number):
    folder = write_model(tmp_path / "model", input={"size": [32, 24], "mean": 7})
    text = (folder / "model.toml").read_text("utf-8").replace("mean = 7", f"mean = {number}")
    (folder / "model.toml").write_text(text, "utf-8")
    with pytest.raises(InvalidModelCard):
        read_card(folder)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"name = ", "not valid TOML"),
        (b"\xff\xfe", "not UTF-8"),
        (b"a = " + b"[" * 100_000, "not valid TOML|nested too deeply"),
        (b"#" * 1_000_001, "larger than 1000000 bytes"),
    ],
)
def test_a_file_that_is_no_card_is_refused(tmp_path, content, sentence):
    (tmp_path / "model.toml").write_bytes(content)
    with pytest.raises(InvalidModelCard, match=sentence):
        read_card(tmp_path)


def test_a_folder_without_a_card_is_refused(tmp_path):
    with pytest.raises(InvalidModelCard, match="no such file"):
        read_card(tmp_path)


def test_the_determining_part_changes_with_what_changes_the_output(tmp_path):
    def determining(**changes):
        return read_card(write_model(tmp_path / "model", **changes)).determining

    plain = determining()
    assert determining(title="Another", licence="MIT", version="2") == plain
    assert determining(output="softmax") != plain
    assert determining(input=changed("input", mean=[0.4])) != plain
    assert determining(architecture_arguments={**CARD["architecture_arguments"], "width": 8}) != plain
    assert determining(logits="index:0") != plain


def test_a_file_outside_the_folder_is_refused(tmp_path):
    folder = tmp_path / "model"
    folder.mkdir()
    (tmp_path / "secret").write_text("x")
    (folder / "link").symlink_to(tmp_path / "secret")
    (folder / "inside").write_text("x")
    (folder / "good-link").symlink_to("inside")
    for name in ("../secret", str(tmp_path / "secret"), "link"):
        with pytest.raises(InvalidModelCard, match="lies outside the model's folder"):
            file_inside(folder, name)
    with pytest.raises(InvalidModelCard, match="There is no file “absent”"):
        file_inside(folder, "absent")
    assert file_inside(folder, "good-link").read_text() == "x"
    os.mkfifo(folder / "pipe")
    with pytest.raises(InvalidModelCard, match="There is no file “pipe”"):
        file_inside(folder, "pipe")


def test_the_reference_page_names_every_key_and_its_example_is_a_card(tmp_path):
    page = (Path(__file__).parents[2] / "docs" / "reference" / "model-card.md").read_text("utf-8")
    example = page.partition("```toml\n")[2].partition("```")[0]
    (tmp_path / "model.toml").write_text(example, "utf-8")
    assert [finding.name for finding in read_card(tmp_path).findings] == ["Pneumothorax", "Pleural effusion"]
    source = (Path(__file__).parents[2] / "src" / "camlucida" / "models" / "card.py").read_text("utf-8")
    for key in (
        "name",
        "version",
        "title",
        "architecture",
        "weights",
        "output",
        "task",
        "target_layer",
        "logits",
    ):
        assert f"`{key}`" in page
        assert f'"{key}"' in source
    for key in (
        "modality",
        "size",
        "channels",
        "fit",
        "intensity",
        "low",
        "window_center",
        "mean",
        "spacing",
    ):
        assert f"`{key}`" in page


def test_toml_of_the_test_is_what_it_says():
    assert 'name = "two-findings"' in as_toml(CARD)
