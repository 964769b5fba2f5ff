"""Networks whose truth is known: one reads a marker, one has a map that points where it does not look."""

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from camlucida.records import Image

GRID = 16


class Marker(nn.Module):
    """Its one finding is the brightness of the upper left corner, cell by cell: a planted shortcut."""

    def __init__(self) -> None:
        super().__init__()
        corner = torch.zeros(1, 1, GRID, GRID)
        corner[..., :2, :2] = 1
        self.register_buffer("corner", corner)
        self.fc = nn.Linear(1, 1)
        nn.init.constant_(self.fc.weight, 1000.0)
        nn.init.zeros_(self.fc.bias)

    def forward(self, x: Tensor) -> Tensor:
        cells = functional.adaptive_avg_pool2d(x, GRID).relu() * self.corner
        return self.fc(cells.mean((2, 3)))


class Elsewhere(nn.Module):
    """Sees the mean of the whole image and has its activations at one place, where nothing is."""

    def __init__(self) -> None:
        super().__init__()
        place = torch.zeros(1, 1, GRID, GRID)
        place[..., 9:11, 4:7] = 1
        self.register_buffer("place", place)
        self.fc = nn.Linear(1, 1)
        nn.init.constant_(self.fc.weight, 1000.0)
        nn.init.zeros_(self.fc.bias)

    def forward(self, x: Tensor) -> Tensor:
        cells = functional.adaptive_avg_pool2d(x, GRID)
        everywhere = cells.relu().mean((2, 3), keepdim=True) * self.place
        return self.fc(everywhere.relu().mean((2, 3)))


def marked(seed: int = 0, size: int = 64) -> np.ndarray:
    """A film (row, column), 0..1: a bright body in dark air, with texture, and a marker in the upper left."""
    random = np.random.default_rng(seed)
    r, c = np.mgrid[:size, :size] / size
    body = ((r - 0.6) / 0.45) ** 2 + ((c - 0.5) / 0.35) ** 2 < 1
    film = body * (0.6 + 0.1 * random.normal(size=(size, size)))
    film[2:7, 2:7] = 0.95
    return np.clip(film, 0, 1).astype(np.float32)


def as_image(film: np.ndarray) -> Image:
    """The film as an 8-bit image."""
    return Image(np.round(film * 255).astype(np.uint8))
