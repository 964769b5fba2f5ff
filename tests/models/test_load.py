import pytest
import torch
from torch import nn

import camlucida.models.load as load_module
from camlucida.errors import InvalidModelCard, InvalidWeights, NoTargetLayer, UnknownModel
from camlucida.models.card import read_card
from camlucida.models.load import load_folder, load_model, network, try_out
from camlucida.models.registry import Registry
from camlucida.records import HeadKind
from camlucida.settings import settings
from example_models import small_network, write_model
from example_networks import Volume, make
from squeezenet import write_squeezenet


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("CAMLUCIDA_HOME", str(tmp_path / "home"))
    settings.cache_clear()
    yield tmp_path / "home"
    settings.cache_clear()


class Two(nn.Module):
    """Returns a dict, as many networks do."""

    def __init__(self):
        super().__init__()
        self.body = nn.Conv2d(1, 4, 3, 2)
        self.fc = nn.Linear(4, 2)

    def forward(self, x):
        features = self.body(x).relu()
        return {"features": features, "out": self.fc(features.mean((2, 3)))}


class Sure(Two):
    """Ends in a sigmoid of its own."""

    def forward(self, x):
        return torch.sigmoid(super().forward(x)["out"])


class Squashed(Two):
    """Ends in something between 0 and 1 that is no sigmoid."""

    def forward(self, x):
        return 1 / (1 + (-super().forward(x)["out"]).exp())


def foreign(folder, kind, **changes):
    """A model whose architecture is a class of this file."""
    torch.manual_seed(0)
    module = kind()
    path = f"{kind.__module__}:{kind.__name__}"
    return write_model(folder, module, **{"architecture": path, "architecture_arguments": None, **changes})


def test_a_folder_is_loaded_with_weights_and_proof(tmp_path):
    model = load_model(write_model(tmp_path / "model", small_network(seed=5)))
    expected = small_network(seed=5).state_dict()
    assert all(torch.equal(tensor, expected[name]) for name, tensor in model.module.state_dict().items())
    assert not model.module.training
    assert not any(parameter.requires_grad for parameter in model.module.parameters())
    assert model.card.name == "two-findings"
    assert model.head.kind is HeadKind.LINEAR
    assert model.head.deviation < 1e-5
    assert model.head.bias == pytest.approx(model.module.head.bias.tolist(), abs=1e-6)


def test_a_folder_is_loaded_by_its_relative_path(tmp_path, monkeypatch):
    write_model(tmp_path / "model")
    monkeypatch.chdir(tmp_path)
    assert load_model("./model").card.name == "two-findings"
    assert load_model("model").card.name == "two-findings"


def test_a_registered_model_is_loaded_with_its_proof_and_not_proven_again(tmp_path, home, monkeypatch):
    registered = Registry(home).add(write_model(tmp_path / "model"))
    monkeypatch.setattr(load_module, "try_out", None)
    model = load_model("two-findings")
    assert model.digest == registered.digest == load_model("two-findings@1.0.0").digest
    assert model.head.kind is HeadKind.LINEAR
    assert model.head.inputs == 8
    assert model.head.grid == tuple(registered.head["grid"])


def test_an_unknown_name_is_answered_with_the_nearest(tmp_path, home):
    Registry(home).add(write_model(tmp_path / "model"))
    with pytest.raises(UnknownModel, match="No model is called “two-finding”; the nearest is “two-findings”"):
        load_model("two-finding")
    with pytest.raises(UnknownModel, match=r"has no version “9”: registered are 1.0.0"):
        load_model("two-findings@9")
    with pytest.raises(UnknownModel, match=r"holds no model.toml"):
        load_model(tmp_path)


def test_the_digest_is_of_weights_and_of_what_changes_the_output(tmp_path):
    digest = load_folder(write_model(tmp_path / "a")).digest
    assert load_folder(write_model(tmp_path / "b", title="Another", version="2")).digest == digest
    assert load_folder(write_model(tmp_path / "c", output="softmax")).digest != digest
    assert load_folder(write_model(tmp_path / "d", small_network(seed=9))).digest != digest


def test_trying_out_is_the_same_every_time(tmp_path):
    folder = write_model(tmp_path / "model")
    card = read_card(folder)
    torch.manual_seed(1)
    first = try_out(network(folder, card), card)
    torch.manual_seed(2)
    assert try_out(network(folder, card), card) == first


def test_logits_in_a_dict_are_found_where_the_card_says(tmp_path):
    model = load_folder(foreign(tmp_path / "model", Two, logits="key:out"))
    assert model.head.kind is HeadKind.LINEAR
    with pytest.raises(Exception, match="the network returns a dict"):
        load_folder(foreign(tmp_path / "other", Two, logits="key:logits"))


def test_a_networks_own_sigmoid_is_seen_through(tmp_path):
    model = load_folder(foreign(tmp_path / "model", Sure))
    assert model.head.kind is HeadKind.LINEAR  # a sigmoid in the way would not be linear
    with pytest.raises(
        InvalidModelCard, match=r"ends in a sigmoid, and its model.toml says output = “softmax”"
    ):
        load_folder(foreign(tmp_path / "other", Sure, output="softmax"))


def test_outputs_that_look_like_probabilities_are_cautioned(tmp_path):
    folder = foreign(tmp_path / "model", Squashed)
    card = read_card(folder)
    trial = try_out(network(folder, card), card)
    assert any("between 0 and 1" in caution for caution in trial.cautions)


def test_another_number_of_findings_is_refused(tmp_path):
    folder = write_model(tmp_path / "model", findings=[{"name": "Only one"}])
    with pytest.raises(InvalidModelCard, match=r"gives 2 logits, and its model.toml has 1"):
        load_folder(folder)


def test_an_input_that_the_network_does_not_take_is_refused(tmp_path):
    folder = write_model(tmp_path / "model", input={"size": [32, 24], "channels": 3})
    with pytest.raises(InvalidModelCard, match="does not take an input of 1×3×32×24"):
        load_folder(folder)


def test_a_target_layer_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(NoTargetLayer, match="no layer “layer9”"):
        load_folder(write_model(tmp_path / "model", target_layer="layer9"))


def test_a_target_layer_that_is_named_is_used(tmp_path):
    model = load_folder(write_model(tmp_path / "model", target_layer="stem"))
    assert model.head.target_layer == "stem"
    assert model.head.kind is HeadKind.NONLINEAR


def test_weights_that_overflow_are_refused(tmp_path):
    module = small_network()
    module.stem[0][0].weight.data.fill_(3e38)
    with pytest.raises(InvalidWeights, match="NaN or infinite logits"):
        load_folder(write_model(tmp_path / "model", module))


def test_weights_outside_the_folder_are_refused(tmp_path):
    folder = write_model(tmp_path / "model")
    (folder / "weights.safetensors").rename(tmp_path / "weights.safetensors")
    (folder / "weights.safetensors").symlink_to(tmp_path / "weights.safetensors")
    with pytest.raises(InvalidModelCard, match="lies outside the model's folder"):
        load_folder(folder)


def test_a_volume_network_is_loaded_and_proven(tmp_path):
    module = make(Volume)
    folder = write_model(
        tmp_path / "model",
        module,
        architecture="example_networks:Volume",
        architecture_arguments=None,
        input={"size": [8, 20, 16]},
        findings=[{"name": name} for name in "ABC"],
    )
    model = load_folder(folder)
    assert model.head.kind is HeadKind.LINEAR
    assert len(model.head.grid) == 3


@pytest.mark.real_data
def test_a_real_squeezenet_is_loaded(tmp_path, real_data):
    folder = write_squeezenet(tmp_path / "model", real_data)
    model = load_folder(folder)
    assert model.head.grid == (13, 13)
    assert model.head.target_layer.startswith("classifier")


def test_a_pth_beside_the_card_is_loaded(tmp_path):
    folder = write_model(tmp_path / "model", weights="weights.pth")
    torch.save({"state_dict": small_network(seed=3).state_dict()}, folder / "weights.pth")
    assert torch.equal(load_folder(folder).module.head.bias, small_network(seed=3).head.bias)
