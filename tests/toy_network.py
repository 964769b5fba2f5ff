"""A network of which every answer is known: its logits are weighted sums of the image's pixels."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from camlucida.evaluation.data.seen import Seen
from camlucida.models.card import read_card
from camlucida.models.classifier import Classifier
from camlucida.records import Geometry, Image, SaliencyMap
from example_models import write_model

SIDE = 16


class Weighted(nn.Module):
    """Logits are sums of pixels by weights (finding, *space)."""

    def __init__(self, weights: NDArray[np.floating], bias: float = 0.0) -> None:
        super().__init__()
        self.weights = nn.Parameter(torch.from_numpy(weights.astype(np.float32)))
        self.bias = bias

    def forward(self, images: Tensor) -> Tensor:
        return torch.einsum("nhw,fhw->nf", images[:, 0], self.weights) + self.bias


def classifier(folder: Path, network: nn.Module, findings: int, **card: object) -> Classifier:
    """The network as a model of SIDE × SIDE films, normalised by mean 0.5 and std 0.25."""
    names = [{"name": f"finding {number}", "operating_point": 0.5} for number in range(findings)]
    written = write_model(
        folder,
        input={"modality": [""], "size": [SIDE, SIDE], "mean": [0.5], "std": [0.25]},
        findings=names,
        **card,
    )
    return Classifier(network.eval(), read_card(written), "0" * 64)


def film(seed: int = 0) -> Image:
    """Random values, already as large as the network takes them."""
    return Image(np.random.default_rng(seed).integers(0, 256, (SIDE, SIDE), np.uint8))


def seen(
    model: Classifier,
    image: Image,
    maps: Mapping[str, NDArray[np.floating]],
    labels: Mapping[str, bool] | None = None,
) -> Seen:
    """A case with maps (finding, *grid) by the key of their method."""
    names = tuple(finding.name for finding in model.card.findings)
    return Seen(
        "a film", image, model, {key: _map(key, one, names) for key, one in maps.items()}, labels or {}
    )


def _map(key: str, values: NDArray[np.floating], names: tuple[str, ...]) -> SaliencyMap:
    nothing = (0.0,) * len(names)
    matrix = np.diag([*(SIDE / side for side in values.shape[1:]), 1.0])
    matrix[:-1, -1] = np.diag(matrix)[:-1] / 2 - 0.5
    geometry = Geometry(values.shape[1:], (SIDE, SIDE), matrix)
    return SaliencyMap(names, values.astype(np.float32), nothing, nothing, nothing, key, "pixels", geometry)


def by_key(measurements: object, method: str) -> dict[str, float | None]:
    """The values of one method, by their measures."""
    return {one.measure: one.value for one in measurements if one.method == method}  # type: ignore[attr-defined]
