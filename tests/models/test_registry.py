import json
import subprocess
import sys

import numpy as np
import pytest
import torch
from torch import nn

from camlucida.errors import InvalidModelCard, InvalidWeights, ModelChanged, ModelError, UnknownModel
from camlucida.models.registry import REGISTERED, Registry, shipped_models
from example_models import CARD, small_network, write_model


class Bent(nn.Module):
    """Linear in what it sees of plain inputs; a very bright image reaches the bend of its head."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.body = nn.Conv2d(1, 4, 3, 2)
        self.fc = nn.Linear(4, 2)

    def forward(self, x):
        return nn.functional.hardtanh(self.fc(self.body(x).abs().mean((2, 3))), -20, 20)


@pytest.fixture
def registry(tmp_path):
    return Registry(tmp_path / "home")


@pytest.fixture
def model(tmp_path):
    return write_model(tmp_path / "model")


class Scaled(nn.Module):
    """A network whose code can change while its weights stay."""

    scale = 1.0

    def __init__(self):
        super().__init__()
        self.body = nn.Conv2d(1, 4, 3, 2)
        self.fc = nn.Linear(4, 2)

    def forward(self, x):
        return self.scale * self.fc(self.body(x).relu().mean((2, 3)))


def test_a_model_is_copied_with_its_texts_and_nothing_else(registry, model):
    for name in ("README.md", "LICENSE", "patients.csv", "train.py"):
        (model / name).write_text(name)
    registered = registry.add(model)
    assert registered.folder == registry.folder / "two-findings" / "1.0.0"
    kept = {path.name for path in registered.folder.iterdir()}
    assert kept == {"model.toml", "weights.safetensors", "README.md", "LICENSE", REGISTERED}
    assert {path.name for path in registry.folder.iterdir()} == {"two-findings"}  # nothing temporary is left


def test_what_was_found_is_kept(registry, model):
    registered = registry.add(model)
    assert registered == registry.get("two-findings") == registry.list()[0]
    assert registered.parameters == sum(parameter.numel() for parameter in small_network().parameters())
    assert registered.findings == ("Pneumothorax", "Pleural effusion")
    assert registered.head["kind"] == "linear"
    assert registered.head["inputs"] == 8
    assert registered.head["deviation_pooled"] < 1e-4
    assert registered.head["grid"] == (8, 6)
    assert not registered.layer_named
    assert registered.torch_version == torch.__version__
    assert registered.retired is None


def test_the_same_model_twice_is_no_error(registry, model):
    first = registry.add(model)
    assert registry.add(model) == first


def test_the_same_name_and_version_with_another_content_is_refused(registry, model, tmp_path):
    before = registry.add(model)
    with pytest.raises(ModelError, match=r"two-findings@1.0.0 is registered already, with other files"):
        registry.add(write_model(tmp_path / "other", small_network(seed=9)))
    assert registry.get("two-findings") == before
    before.verify()


def test_a_new_version_stands_beside_the_old_and_is_the_one_in_use(registry, tmp_path):
    for version in ("1.9.0", "1.10.0", "1.2.0"):
        registry.add(write_model(tmp_path / version, version=version))
    assert [one.version for one in registry.list()] == ["1.2.0", "1.9.0", "1.10.0"]
    assert registry.get("two-findings").version == "1.10.0"
    assert registry.get("two-findings@1.9.0").version == "1.9.0"


def test_a_retired_version_is_used_only_by_its_version(registry, tmp_path):
    for version in ("1", "2"):
        registry.add(write_model(tmp_path / version, version=version))
    retired = registry.retire("two-findings")
    assert retired.version == "2"
    assert retired.retired is not None
    assert registry.get("two-findings").version == "1"
    assert registry.get("two-findings@2") == retired
    assert registry.retire("two-findings@2") == retired  # the time of the first retirement stays
    registry.retire("two-findings")
    with pytest.raises(UnknownModel, match=r"only retired versions; name one with @: .* 1 \(retired\)"):
        registry.get("two-findings")


@pytest.mark.parametrize("name", ["model.toml", "weights.safetensors"])
def test_a_changed_file_is_noticed(registry, model, name):
    registered = registry.add(model)
    path = registered.folder / name
    content = bytearray(path.read_bytes())
    content[-2] ^= 1
    path.write_bytes(content)
    with pytest.raises(
        ModelChanged, match=f"The file “{name}” of the model two-findings@1.0.0 is not what it was"
    ):
        registered.verify()
    with pytest.raises(ModelChanged):
        registry.check("two-findings")
    path.unlink()
    with pytest.raises(ModelChanged, match="is missing"):
        registered.verify()


def test_a_check_finds_the_same_again(registry, model):
    registered = registry.add(model)
    check = registry.check("two-findings")
    assert check.registered == registered
    assert check.difference <= 1e-5
    assert check.head["kind"] == "linear"


def test_a_check_notices_that_the_code_of_the_architecture_has_changed(registry, tmp_path, monkeypatch):
    path = f"{Scaled.__module__}:Scaled"
    torch.manual_seed(0)
    folder = write_model(tmp_path / "model", Scaled(), architecture=path, architecture_arguments=None)
    registry.add(folder)
    registry.check("two-findings")
    monkeypatch.setattr(Scaled, "scale", 1.5)
    with pytest.raises(ModelChanged, match="the code of its architecture has changed"):
        registry.check("two-findings")


def test_nothing_is_kept_of_a_model_that_cannot_be_used(registry, model):
    (model / "weights.safetensors").write_bytes(b"no weights")
    with pytest.raises(InvalidWeights):
        registry.add(model)
    assert list(registry.folder.iterdir()) == []
    assert registry.list() == []


def test_links_out_of_the_folder_are_not_followed(registry, model, tmp_path):
    (tmp_path / "secret").write_text("secret")
    (model / "notes.txt").symlink_to(tmp_path / "secret")
    assert "notes.txt" not in registry.add(model).files
    (model / "model.toml").unlink()
    (tmp_path / "model.toml").write_text((write_model(tmp_path / "other") / "model.toml").read_text())
    (model / "model.toml").symlink_to(tmp_path / "model.toml")
    with pytest.raises(InvalidModelCard, match="lies outside"):
        registry.add(model)


def test_a_damaged_record_is_said(registry, model):
    registered = registry.add(model)
    (registered.folder / REGISTERED).write_text("{")
    with pytest.raises(ModelChanged, match=r"two-findings/1.0.0/registered.json” is damaged"):
        registry.list()


def test_an_unknown_name_is_said_with_the_nearest(registry, model):
    registry.add(model)
    with pytest.raises(UnknownModel, match="nearest is “two-findings”"):
        registry.get("tow-findings")


def test_the_record_is_readable_json(registry, model):
    record = json.loads((registry.add(model).folder / REGISTERED).read_text("utf-8"))
    assert record["name"] == CARD["name"]
    assert set(record["files"]) == {"model.toml", "weights.safetensors"}


def test_an_empty_home_has_no_models(registry):
    assert registry.list() == []
    assert registry.find("two-findings") is None


def test_the_list_needs_no_torch(registry, model, tmp_path):
    registry.add(model)
    script = (
        "import sys; from pathlib import Path\n"
        "from camlucida.models.registry import Registry\n"
        f"home = Path({str(tmp_path / 'home')!r})\n"
        "print([one.key for one in Registry(home).list()], 'torch' in sys.modules)"
    )
    result = subprocess.run(  # noqa: S603 - our own interpreter and script
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == "['two-findings@1.0.0'] False"


def test_every_shipped_model_can_be_registered_and_is_linear(registry):
    for name, folder in shipped_models().items():
        registered = registry.add(folder)
        assert registered.name == name
        assert registered.head["kind"] == "linear"


def test_a_check_on_more_inputs_and_on_images_is_kept(registry, model):
    registered = registry.add(model)
    done = []
    images = [np.random.default_rng(n).normal(size=(1, 32, 24)).astype(np.float32) for n in range(3)]
    check = registry.check("two-findings", 12, iter(images), lambda: done.append(1))
    assert len(done) == 15
    kept = registry.get("two-findings")
    assert (check.head["inputs"], check.head["images"]) == (15, 3)
    assert (kept.head["inputs"], kept.head["images"]) == (15, 3)
    assert kept.checked is not None
    assert kept.head["deviation"] == max(registered.head["deviation"], check.head["deviation"])
    again = registry.check("two-findings", 2)
    assert again.head["inputs"] == 2
    assert registry.get("two-findings").head == kept.head  # a weaker proof unlearns nothing


def test_a_head_that_bends_only_on_some_inputs_is_found_with_more_of_them(registry, tmp_path):
    path = f"{Bent.__module__}:Bent"
    folder = write_model(tmp_path / "model", Bent(), architecture=path, architecture_arguments=None)
    assert registry.add(folder).head["kind"] == "linear"
    far = np.full((1, 32, 24), 100, np.float32)
    check = registry.check("two-findings", 2, [far])
    assert check.head["kind"] == check.known["kind"] == "nonlinear"
    assert check.head["deviation"] > 1e-2
    assert registry.check("two-findings").head["kind"] == "linear"
    assert registry.get("two-findings").head["kind"] == "nonlinear"  # one counterexample is enough


def test_a_record_of_before_images_counted_is_still_read(registry, model):
    path = registry.add(model).folder / REGISTERED
    record = json.loads(path.read_text("utf-8"))
    del record["head"]["images"], record["checked"]
    path.write_text(json.dumps(record), "utf-8")
    assert registry.get("two-findings").checked is None
    assert registry.check("two-findings").known["images"] == 0
