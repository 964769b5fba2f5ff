"""Do other methods place the evidence where this one does? Those are asked that cost next to nothing more.

They share the forward pass and the gradients at the target layer. Where a head is linear after mean pooling,
several of them give the very same map by theorem; that they agree is no independent support, so they are
listed and left out of the medians.
"""

from collections.abc import Callable, Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from camlucida.errors import UnsupportedNetwork
from camlucida.records.trust_report import AgreementCheck, MethodAgreement
from camlucida.saliency.methods import METHODS
from camlucida.saliency.ranks import median, spearman
from camlucida.saliency.recording import Recording
from camlucida.saliency.trust.checks import Checking, Examined

OTHERS = ("grad-cam", "hirescam", "grad-cam++", "xgrad-cam", "layercam", "ablation-cam")

FAINT = 1e-3
"""Of a map's largest value: what is less has no sign worth comparing."""

SAME = 1e-4
"""Two maps that differ by no more than this share of their largest value are one and the same."""


def check(examined: Examined, step: Callable[[], None]) -> list[AgreementCheck]:
    """One result a finding, over the other methods that take this network."""
    rows: list[list[MethodAgreement]] = [[] for _ in examined.maps]
    counted: list[list[MethodAgreement]] = [[] for _ in examined.maps]
    grid = tuple(examined.recording.activations.shape[2:])
    own = _on_grid(examined.maps, grid)
    alone = _alone(examined)
    for key in _others(examined):
        maps = _maps(alone, key)
        for index, other in enumerate(() if maps is None else maps):
            rows[index].append(compared(key, own[index], other))
            if not one_and_the_same(own[index], other):
                counted[index].append(rows[index][-1])
        step()
    return [_summary(row, counts) for row, counts in zip(rows, counted, strict=True)]


AGREEMENT = Checking(check, lambda examined: sum(1 for _ in _others(examined)))


def compared(key: str, own: NDArray[np.float32], other: NDArray[np.float32]) -> MethodAgreement:
    """How far two maps of one grid agree; signs are compared where both are more than faint.

    A method that knows only support (LayerCAM) is held against the support alone.
    """
    if not (other < 0).any():
        return MethodAgreement(key, spearman(np.clip(own, 0, None), other), None)
    strong = [np.abs(one) > FAINT * np.abs(one).max() for one in (own, other)]
    both = strong[0] & strong[1]
    signed = all((one > 0).any() and (one < 0).any() for one in (own, other))
    same = float((own[both] * other[both] > 0).mean()) if signed and both.any() else None
    return MethodAgreement(key, spearman(own, other), same)


def one_and_the_same(own: NDArray[np.float32], other: NDArray[np.float32]) -> bool:
    """Whether two maps are equal, to rounding and to a factor."""
    size, theirs = float(np.abs(own).max()), float(np.abs(other).max())
    return bool(np.abs(own * theirs - other * size).max() <= SAME * size * theirs)


def _others(examined: Examined) -> Iterator[str]:
    return (key for key in OTHERS if key in METHODS and key != examined.key)


def _alone(examined: Examined) -> Recording:
    """A recording of this image alone: of a batch, the other images' maps would be computed in vain."""
    recording = examined.recording
    if len(recording.images) == 1:
        return recording
    return recording.again(examined.image, examined.sample)


def _maps(recording: Recording, key: str) -> NDArray[np.float32] | None:
    method = METHODS[key]
    try:
        maps = method.compute(recording, variant=method.variants[0], progress=None)
    except UnsupportedNetwork:  # a method that does not take this network has no say
        return None
    return maps[0].detach().float().cpu().numpy()


def _on_grid(maps: NDArray[np.float32], grid: tuple[int, ...]) -> NDArray[np.float32]:
    """A finer map (an attribution) averaged to the target layer's cells."""
    if maps.shape[1:] == grid:
        return maps
    return np.asarray(functional.interpolate(torch.from_numpy(maps)[None], size=grid, mode="area")[0])


def _summary(row: list[MethodAgreement], counted: list[MethodAgreement]) -> AgreementCheck:
    return AgreementCheck(
        correlation=median([one.correlation for one in counted]),
        same_sign=median([one.same_sign for one in counted]),
        methods=tuple(row),
    )
