import json

import pytest

from camlucida.models.description import describe_all
from camlucida.models.registry import Registry
from example_models import CARD, write_model


@pytest.fixture
def registry(tmp_path):
    registry = Registry(tmp_path)
    for version in ("1.9.0", "1.10.0"):
        registry.add(write_model(tmp_path / version, version=version), inputs=2)
    registry.retire("two-findings@1.9.0")
    return registry


def test_every_version_is_described_the_newest_first(registry):
    found = describe_all(registry.folder.parent)
    assert [(model["key"], model["retired"] is None) for model in found] == [
        ("two-findings@1.10.0", True),
        ("two-findings@1.9.0", False),
    ]
    assert json.loads(json.dumps(found)) == found


def test_numbers_are_those_of_the_registry_and_words_those_of_the_card(registry):
    kept = registry.get("two-findings")
    model = describe_all(registry.folder.parent)[0]
    assert (model["digest"], model["parameters"]) == (kept.digest, kept.parameters)
    assert model["native_grid"] == list(kept.head["grid"])
    assert model["files"] == dict(kept.files)
    assert model["proof"].startswith("linear: HiResCAM and Grad-CAM are faithful by theorem")
    card = model["card"]
    assert (card["intended_use"], card["licence"]) == (CARD["intended_use"], CARD["licence"])
    assert [finding["operating_point"] for finding in card["findings"]] == [0.25, None]
    assert card["findings"][0]["code"] == "36118008 SCT"


def test_a_home_without_models_has_none(tmp_path):
    assert describe_all(tmp_path) == []
