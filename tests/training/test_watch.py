"""What is kept of watched cases, against the maps of `explain`; and that watching changes nothing."""

import csv
import json
import warnings

import numpy as np
import PIL.Image
import pytest
import torch
from torch import nn
from torch.nn import functional

import camlucida
from camlucida.errors import InputError, NoTargetLayer
from camlucida.models.architectures import SmallResNet
from camlucida.training import Watch
from camlucida.training.film_strip import MOST_EPOCHS, thinned
from camlucida.training.watched import Epoch
from example_networks import Deep, Dense

CASES = {f"film {n}": torch.rand(1, 32, 48, generator=torch.Generator().manual_seed(n)) for n in range(3)}
CORNER = torch.zeros(32, 48)
CORNER[:8, :8] = 1


@pytest.fixture
def network():
    torch.manual_seed(0)
    return SmallResNet(findings=2, width=4, stages=2, blocks=1).train()


def step(network):
    """One step of a training on noise."""
    optimizer = torch.optim.SGD(network.parameters(), lr=0.5)
    loss = functional.binary_cross_entropy_with_logits(network(torch.rand(4, 1, 32, 48)), torch.ones(4, 2))
    optimizer.zero_grad()
    torch.autograd.backward(loss)
    optimizer.step()


def test_every_figure_is_that_of_the_map_that_explain_gives(network, tmp_path):
    watch = Watch(network, CASES, tmp_path, zones={"corner": CORNER}, findings=("Nodule", "Tube / line"))
    for epoch in range(2):
        step(network)
        watch.after_epoch(network, epoch)
    rows = json.loads((tmp_path / "watch.json").read_text())["rows"]
    assert len(rows) == 2 * 3 * 2
    for number, (name, image) in enumerate(CASES.items()):
        explained = camlucida.explain(network, image)
        for finding in range(2):
            values = explained.values[finding]
            row = rows[6 + 2 * number + finding]
            assert (row["epoch"], row["case"]) == (1, name)
            assert row["logit"] == pytest.approx(explained.logits[finding], abs=1e-4)
            assert row["for"] == pytest.approx(values[values > 0].sum(), abs=1e-4)
            assert row["against"] == pytest.approx(values[values < 0].sum(), abs=1e-4)
            inside = values[:2, :2]  # of cells of 4 pixels, a corner of 8
            assert row["corner: sum"] == pytest.approx(inside.sum(), abs=1e-4)
            whole = values[values > 0].sum()
            if whole > 0:
                assert row["corner: share"] == pytest.approx(inside[inside > 0].sum() / whole, abs=1e-4)
            else:
                assert row["corner: share"] is None
    with (tmp_path / "watch.csv").open() as file:
        assert [row["epoch"] for row in csv.DictReader(file)] == ["0"] * 6 + ["1"] * 6
    assert sorted(path.name for path in tmp_path.glob("*.png")) == ["strip-Nodule.png", "strip-Tube-line.png"]


def test_the_network_is_left_as_it_was_found(network, tmp_path):
    network.stages[0].eval()
    step(network)
    state = {name: value.clone() for name, value in network.state_dict().items()}
    gradients = [parameter.grad.clone() for parameter in network.parameters()]
    modes = [module.training for module in network.modules()]
    watch = Watch(network, CASES, tmp_path)
    chance = torch.get_rng_state()
    watch.after_epoch(network, 0)
    assert torch.equal(chance, torch.get_rng_state())
    assert [module.training for module in network.modules()] == modes
    assert all(torch.equal(value, state[name]) for name, value in network.state_dict().items())
    for parameter, gradient in zip(network.parameters(), gradients, strict=True):
        assert torch.equal(parameter.grad, gradient)
    assert not any(module._forward_hooks for module in network.modules())


def test_a_training_is_the_same_whether_it_is_watched_or_not(tmp_path):
    ends = []
    for watched in (False, True):
        torch.manual_seed(0)
        network = Deep()  # with dropout
        watch = Watch(network, CASES, tmp_path) if watched else None
        for epoch in range(3):
            step(network.train())
            if watch:
                watch.after_epoch(network, epoch)
        ends.append(nn.utils.parameters_to_vector(network.parameters()))
    assert torch.equal(*ends)


def test_a_training_that_is_taken_up_again_goes_on_in_the_same_folder(network, tmp_path):
    watch = Watch(network, CASES, tmp_path)
    for epoch in range(3):
        watch.after_epoch(network, epoch)
    again = Watch(network, CASES, tmp_path)
    again.after_epoch(network, 2)
    assert [epoch.number for epoch in again.watched.epochs] == [0, 1, 2]
    others = Watch(network, {"another": CASES["film 0"]}, tmp_path)
    assert not others.watched.epochs
    (tmp_path / "maps.npz").write_bytes(b"damaged")
    assert not Watch(network, CASES, tmp_path).watched.epochs


def test_the_strip_has_a_tile_for_every_case_and_epoch_and_evidence_is_coloured(network, tmp_path):
    watch = Watch(network, CASES, tmp_path, only=("output 1",))
    with torch.no_grad():
        network.head.weight[1] = 1.0
    watch.after_epoch(network, 0)
    with torch.no_grad():
        network.head.weight[1] = 0.0
    watch.after_epoch(network, 1)
    strip = np.asarray(PIL.Image.open(tmp_path / "strip-output-1.png")).astype(int)
    tiles = [strip[66 + 30 : 66 + 80, 170 + 120 * column :][:, :112] for column in range(3)]
    colourful = [int(np.abs(tile[..., 0] - tile[..., 2]).max()) for tile in tiles]
    assert colourful[0] == 0  # the image alone
    assert colourful[1] > 60
    assert colourful[2] == 0  # on the row's one scale, no evidence is none
    assert strip.shape == (66 + 3 * 148, 170 + 3 * 120, 3)


def test_long_trainings_keep_their_first_and_last_epoch_on_the_strip():
    epochs = [Epoch(number, np.zeros((1, 1)), np.zeros((1, 1, 2, 2))) for number in range(200)]
    shown = [epoch.number for epoch in thinned(epochs)]
    assert len(shown) == MOST_EPOCHS
    assert (shown[0], shown[-1]) == (0, 199)
    assert max(np.diff(shown)) <= 14


def test_volumes_are_watched_too(tmp_path):
    torch.manual_seed(0)
    network = SmallResNet(space=3, width=4, stages=2, blocks=1)
    zone = torch.zeros(8, 16, 16)
    zone[:4] = 1
    watch = Watch(network, {"volume": torch.rand(1, 8, 16, 16)}, tmp_path, zones={"upper half": zone})
    watch.after_epoch(network, 0)
    (row,) = watch.watched.rows()
    values = watch.watched.epochs[0].maps[0, 0]
    assert row["upper half: sum"] == pytest.approx(values[:1].sum(), rel=1e-4)
    assert values.shape == (2, 4, 4)


def test_a_head_that_becomes_another_is_found_anew(tmp_path):
    """At first all cells count the same, so the head is run on means; then they no longer do."""

    class Weighing(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv, self.fc = nn.Conv2d(1, 3, 4, 4), nn.Linear(3, 1)
            self.register_buffer("weigh", torch.tensor(0.0))

        def forward(self, x):
            cells = functional.relu(self.conv(x))
            rows = (1 + self.weigh * torch.linspace(-1, 1, cells.shape[2])) / cells[0, 0].numel()
            return self.fc(torch.einsum("bkrc,r->bk", cells, rows))

    torch.manual_seed(0)
    network = Weighing()
    watch = Watch(network, CASES, tmp_path)
    assert watch._cut.pooled
    network.weigh.fill_(1.0)
    watch.after_epoch(network, 0)
    assert not watch._cut.pooled
    explained = camlucida.explain(network, CASES["film 1"])
    assert np.allclose(watch.watched.epochs[0].maps[1, 0], explained.values[0], atol=1e-6)


def test_a_network_that_has_diverged_is_watched_to_its_end(tmp_path):
    network = Dense()
    watch = Watch(network, CASES, tmp_path)
    with torch.no_grad():
        network.classifier.weight.fill_(float("nan"))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        watch.after_epoch(network, 0)
    assert json.loads((tmp_path / "watch.json").read_text())["rows"][0]["logit"] is None


def test_a_full_disk_warns_and_does_not_end_the_training(network, tmp_path, monkeypatch):
    watch = Watch(network, CASES, tmp_path)

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("camlucida.training.watched.replace_whole", full)
    with pytest.warns(UserWarning, match="Epoch 3 could not be watched: No space left on device"):
        watch.after_epoch(network, 3)


def test_what_cannot_be_watched_is_refused_before_the_training(network, tmp_path):
    with pytest.raises(InputError, match="shapes"):
        Watch(network, {}, tmp_path)
    with pytest.raises(InputError, match="shapes"):
        Watch(network, {"one": torch.rand(1, 8, 8), "two": torch.rand(1, 8, 9)}, tmp_path)
    with pytest.raises(InputError, match="2 logits and 1 names"):
        Watch(network, CASES, tmp_path, findings=("Nodule",))
    with pytest.raises(InputError, match="no finding “Nodule”"):
        Watch(network, CASES, tmp_path, only=("Nodule",))
    with pytest.raises(InputError, match="regions have shape"):
        Watch(network, CASES, tmp_path, zones={"corner": torch.ones(8, 8)})
    with pytest.raises(InputError, match="Integrated Gradients draws no map"):
        Watch(network, CASES, tmp_path, method="integrated gradients")
    nn.init.zeros_(network.head.weight)
    with pytest.raises(NoTargetLayer):
        Watch(network, CASES, tmp_path)
    assert Watch(network, CASES, tmp_path, target_layer="stages").watched.target_layer == "stages"
