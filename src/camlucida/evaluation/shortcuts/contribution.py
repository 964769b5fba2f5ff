"""What a region contributed to a logit, summed up from a signed map.

A cell's value says what the network found around it, as far as its receptive field reaches. So what a
thing in the image does is spread over the cells that see it, and a tight mask misses most of it (0.98 of a
marker's +3.02 logits, when it was tried). Dilated by that reach, the mask holds it all: where the head is
linear in the pooled activations, the dilated sum of the difference of two maps, with the thing and without,
is its counterfactual effect exactly (Draelos and Carin, arXiv 2011.08891: a map's sum is logit less bias).
"""

import numpy as np
import torch
from numpy.typing import NDArray

from camlucida.models.classifier import Classifier
from camlucida.saliency.explain import explain

HELD = 0.95
"""Share of what a change of one place does to a map that lies within the reach."""


def contribution(values: NDArray[np.float32], weights: NDArray[np.float32]) -> float:
    """The sum of a map (*native), signed, where the weights (*native), 0..1, are: in the map's unit."""
    return float((values.astype(np.float64) * weights).sum())


def share_of_support(values: NDArray[np.float32], weights: NDArray[np.float32]) -> float | None:
    """What of a map's supporting values (*native) falls to the weights, 0..1; None without any support."""
    support = np.clip(values, 0, None).astype(np.float64)
    whole = float(support.sum())
    return float((support * weights).sum()) / whole if whole > 0 else None


def dilated(weights: NDArray[np.float32], reach: int) -> NDArray[np.float32]:
    """Weights (*native) that hold the highest of all within `reach` cells along each axis."""
    from scipy.ndimage import grey_dilation  # noqa: PLC0415 - a tenth of a second that few need

    widened: NDArray[np.float32] = grey_dilation(weights, size=(2 * reach + 1,) * weights.ndim)
    return widened


def reach(model: Classifier, method: str = "hirescam") -> int:
    """How many cells away from a changed place a map still changes: so wide is a region dilated.

    It is tried: one cell's part in the middle of an input of noise is replaced by other noise, and the two
    maps of all findings are compared. The least number of cells (along the axes, Chebyshev) that holds 95 %
    of the absolute difference; the theoretical receptive field is wider, and hardly used at its rim
    (Luo et al., NeurIPS 2016).
    """
    preparation = model.card.preparation
    random = np.random.default_rng(0)
    shape = (2, 1, preparation.channels, *preparation.size)
    first, other = random.standard_normal(shape).astype(np.float32)
    before = _values(model, first, method)
    grid = before.shape[1:]
    place = tuple(
        slice(side // 2 * size // side, (side // 2 + 1) * size // side)
        for side, size in zip(grid, preparation.size, strict=True)
    )
    changed = first.copy()
    changed[(..., *place)] = other[(..., *place)]
    difference = np.abs(_values(model, changed, method) - before).sum(axis=0)
    return _radius(difference)


def _radius(difference: NDArray[np.float64]) -> int:
    middle = [side // 2 for side in difference.shape]
    away = np.max(
        [abs(index - centre) for index, centre in zip(np.indices(difference.shape), middle, strict=True)],
        axis=0,
    )
    rings = np.bincount(away.ravel(), difference.ravel())
    if not rings.sum():
        return 0
    return int((np.cumsum(rings) < HELD * rings.sum()).sum())


def _values(model: Classifier, inputs: NDArray[np.float32], method: str) -> NDArray[np.float64]:
    given = torch.from_numpy(inputs)
    found = explain(model.module, given, method=method, logits=model.logits, scalar=True)
    return np.asarray(found.values, np.float64)
