"""A real network that somebody else trained: SqueezeNet 1.1 on films of children, badly calibrated."""

from pathlib import Path

import torch
from torch import Tensor, nn

from example_models import write_model

WEIGHTS = "squeezenet1_1_kermany3.pth"
FINDINGS = ("Bacterial pneumonia", "Normal", "Viral pneumonia")


class Fire(nn.Module):
    """Iandola et al., arXiv 1602.07360, section 3.2, with torchvision's names."""

    def __init__(self, inputs: int, squeeze: int, expand: int) -> None:
        super().__init__()
        self.squeeze = nn.Conv2d(inputs, squeeze, 1)
        self.expand1x1 = nn.Conv2d(squeeze, expand, 1)
        self.expand3x3 = nn.Conv2d(squeeze, expand, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        x = self.squeeze(x).relu()
        return torch.cat([self.expand1x1(x).relu(), self.expand3x3(x).relu()], 1)


class SqueezeNet(nn.Module):
    """SqueezeNet 1.1 for three findings."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(3, 64, 3, 2),
            nn.ReLU(),
            nn.MaxPool2d(3, 2, ceil_mode=True),
            Fire(64, 16, 64),
            Fire(128, 16, 64),
            nn.MaxPool2d(3, 2, ceil_mode=True),
            Fire(128, 32, 128),
            Fire(256, 32, 128),
            nn.MaxPool2d(3, 2, ceil_mode=True),
            Fire(256, 48, 192),
            Fire(384, 48, 192),
            Fire(384, 64, 256),
            Fire(512, 64, 256),
        )
        self.classifier = nn.Sequential(
            nn.Dropout(), nn.Conv2d(512, 3, 1), nn.ReLU(), nn.AdaptiveAvgPool2d(1)
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(self.features(x)).flatten(1)


def write_squeezenet(folder: Path, real_data: Path) -> Path:
    """Its model folder, with the weights from the real data."""
    write_model(
        folder,
        nn.Linear(1, 1),  # its file is not read: the card names another
        name="squeezenet",
        architecture="squeezenet:SqueezeNet",
        architecture_arguments=None,
        weights=WEIGHTS,
        output="softmax",
        input={
            "size": [224, 224],
            "channels": 3,
            "mean": [0.485, 0.456, 0.406],
            "std": [0.229, 0.224, 0.225],
        },
        findings=[{"name": name} for name in FINDINGS],
    )
    (folder / WEIGHTS).write_bytes((real_data / "models" / WEIGHTS).read_bytes())
    return folder
