"""A real training by Lightning, watched."""

import json
import sys
import warnings

import pytest
import torch
from torch import nn
from torch.nn import functional
from torch.utils.data import DataLoader, TensorDataset

import camlucida.training
from camlucida.errors import MissingExtra
from other_networks import let_torchvision_import


@pytest.fixture
def lightning():
    let_torchvision_import()  # torchmetrics imports it
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pytest.importorskip("lightning.pytorch")


class Part(nn.Module):
    """A convolution, ReLU, mean, one linear layer."""

    def __init__(self):
        super().__init__()
        self.conv, self.fc = nn.Conv2d(1, 4, 4, 4), nn.Linear(4, 1)

    def forward(self, x):
        return self.fc(functional.relu(self.conv(x)).mean((2, 3)))


@pytest.mark.filterwarnings("ignore")  # Lightning's own: workers, sanity, deprecations
def test_a_training_by_lightning_is_watched_epoch_by_epoch(lightning, tmp_path):
    class Module(lightning.LightningModule):
        def __init__(self):
            super().__init__()
            self.model = Part()

        def training_step(self, batch, _):
            images, labels = batch
            return functional.binary_cross_entropy_with_logits(self.model(images), labels)

        def configure_optimizers(self):
            return torch.optim.SGD(self.parameters(), lr=0.5)

    torch.manual_seed(0)
    images = torch.rand(16, 1, 16, 16)
    labels = torch.ones(16, 1)
    case = {"first": images[0]}
    watching = camlucida.training.WatchCallback(
        case, tmp_path / "watched", part="model", findings=("Nodule",)
    )
    module = Module()
    trainer = lightning.Trainer(
        max_epochs=3,
        callbacks=[watching],
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        default_root_dir=tmp_path,
    )
    trainer.fit(module, DataLoader(TensorDataset(images, labels), batch_size=8))
    rows = json.loads((tmp_path / "watched" / "watch.json").read_text())["rows"]
    assert [row["epoch"] for row in rows] == [0, 1, 2]
    logits = [row["logit"] for row in rows]
    assert logits == sorted(logits)  # all labels are 1, so it rises
    assert logits[-1] == pytest.approx(module.model(images[:1]).item(), abs=1e-5)
    assert (tmp_path / "watched" / "strip-Nodule.png").exists()


def test_without_lightning_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "lightning.pytorch", None)
    monkeypatch.delitem(sys.modules, "camlucida.training.lightning", raising=False)
    with pytest.raises(MissingExtra, match="pip install lightning"):
        _ = camlucida.training.WatchCallback
