"""Does a map hang together? How alike neighbouring cells are, and how much of its support is one region.

Coherence describes and judges nothing: a disease may lie in many places, and a map that is one smooth blob
may be wrong. It says what a reader will see, regions or scattered dots. Others have measured the same by the
sum of differences between neighbours (Saifullah et al. 2024) and by the smallest box around what is bright
(Fong and Vedaldi, ICCV 2017); Moran's I is the standard measure of spatial autocorrelation, and has a scale.
"""

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from camlucida.evaluation.data.interest import findings_of_interest
from camlucida.evaluation.data.seen import Seen
from camlucida.evaluation.measures import Better, Measure, Topic
from camlucida.records import Measurement

CELLS = 8
"""Cells along an axis on which neighbours are compared, at most: those of a class activation map, so that
finer maps are not called rougher for being finer."""

HELD = 0.5
"""Share of the support that the pixels hold of which regions are made: the strongest of them."""

MORAN, ONE_REGION = "coherence.morans-i", "coherence.one-region"

MEASURES = (
    Measure(
        MORAN,
        "Moran's I",
        Topic.COHERENCE,
        Better.NEITHER,
        f"How alike neighbouring cells are, on at most {CELLS} cells an axis: near 1 for a map that changes "
        "slowly, near 0 for one without order, below 0 for a chequerboard. It describes: a smooth map may be "
        "wrong.",
        "Moran, Biometrika 1950, with neighbours along the axes",
    ),
    Measure(
        ONE_REGION,
        "In one region",
        Topic.COHERENCE,
        Better.NEITHER,
        "Of the strongest pixels that hold half of the support: the share of their evidence that lies in the "
        "largest connected region. 1 for one region, near 0 for scattered dots. Interpolation makes coarse "
        "maps connected.",
        "after Fong and Vedaldi, ICCV 2017, and camlucida's focality",
    ),
)


def measure_coherence(seen: Seen, findings: int = 1) -> Iterator[Measurement]:
    """Both measures of each method's map of the findings that matter in this image, at most so many."""
    for finding in findings_of_interest(seen, findings):
        for method in seen.maps:
            values = {
                MORAN: morans_i(coarse(seen.values(method, finding))),
                ONE_REGION: one_region(seen.on_input(method, finding)),
            }
            for key, value in values.items():
                yield Measurement(seen.name, finding, method, key, value)


def morans_i(values: NDArray[np.floating]) -> float | None:
    """Moran's I of a map (*space) with its neighbours along each axis; None where it is the same everywhere.

    Moran, Biometrika 1950: N / W · Σ w_ij z_i z_j / Σ z_i², where z is the distance from the mean and w_ij is
    1 for neighbours. Without any order it is -1 / (N - 1) on average.
    """
    from_mean = values.astype(np.float64) - values.mean(dtype=np.float64)
    variance = float((from_mean**2).sum())
    if variance <= 1e-12 * max(1e-300, float(np.abs(values).max()) ** 2) * values.size:
        return None
    pairs, together = 0, 0.0
    for axis in range(values.ndim):
        behind, before = (np.take(from_mean, _but(end, values.shape[axis]), axis) for end in (0, 1))
        pairs += behind.size
        together += float((behind * before).sum())
    return values.size / pairs * together / variance if pairs else None


def _but(end: int, size: int) -> NDArray[np.intp]:
    """All places along an axis but the last (0) or the first (1)."""
    return np.arange(end, size - 1 + end)


def coarse(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """A map of more cells averaged to at most `CELLS` along each axis; a coarser one as it is."""
    grid = tuple(min(size, CELLS) for size in values.shape)
    if grid == values.shape:
        return values
    tensor = torch.from_numpy(np.ascontiguousarray(values))[None, None]
    return np.asarray(functional.interpolate(tensor, size=grid, mode="area")[0, 0])


def one_region(values: NDArray[np.floating]) -> float | None:
    """The share of the strongest pixels' support that lies in the largest connected region of them.

    The strongest are as many as hold half of the support. None where nothing supports the finding.
    """
    from scipy.ndimage import label, sum_labels  # noqa: PLC0415 - a tenth of a second that few need

    support = np.clip(values.astype(np.float64), 0, None)
    whole = support.sum()
    if not whole > 0:
        return None
    order = np.argsort(support, axis=None)[::-1]
    held = np.cumsum(support.ravel()[order])
    strongest = np.zeros(support.size, bool)
    strongest[order[: int(np.searchsorted(held, HELD * whole)) + 1]] = True
    regions, count = label(strongest.reshape(support.shape))
    sums = sum_labels(support, regions, np.arange(1, count + 1))
    return float(sums.max() / sums.sum())
