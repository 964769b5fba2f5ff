"""What a map would reach if it were the same map, but somewhere else: its mean over all places.

The map is shifted over the image, around its edges, to every place: its shape, size and coarseness stay, and
only what it knows of the place is lost. Most measures then have a closed form; overlap is counted out for
every shift by a Fourier transform.
"""

from collections.abc import Sequence
from itertools import product

import numpy as np
from numpy.typing import NDArray

RANKED_SHIFTS = {2: 8, 3: 4}
"""Shifts along each axis, by how many axes there are, over which the average precision is counted out."""

MOST_PLACES = 2**16
"""Marked pixels to which the distance by chance is measured."""


def expected_overlap(shown: NDArray[np.bool_], area: NDArray[np.bool_]) -> float | None:
    """The mean IoU over all shifts of what is shown (*grid) against what is marked (*grid)."""
    sizes = int(shown.sum()), int(area.sum())
    if not all(sizes):
        return None
    common = _common(shown, area)
    return float((common / (sum(sizes) - common)).mean())


def expected_reach(shown: NDArray[np.bool_], marks: Sequence[NDArray[np.bool_]]) -> float:
    """Over all shifts of what is shown (*grid), the mean share of the marks (*grid) that it touches."""
    return float(np.mean([(_common(shown, mark) > 0.5).mean() for mark in marks]))


def expected_precision(support: NDArray[np.float32], area: NDArray[np.bool_]) -> float:
    """The mean AUPRC of a map (*grid) over shifts of the marked area (*grid), evenly spread: at most 64.

    It is more than the marked share: a map in one piece finds nearly all of the area, or nothing of it, and
    the average precision gains more by the one than it loses by the other.
    """
    ranked = np.sort(support, axis=None)
    at_least = ranked.size - np.searchsorted(ranked, support, side="left")  # pixels with as much support
    places, most = np.argwhere(area), RANKED_SHIFTS[area.ndim]
    along = [((np.arange(n := min(most, size)) + 0.5) * size / n).astype(int) for size in area.shape]
    means = []
    for shift in product(*along):
        taken = np.sort(at_least[tuple(((places + shift) % area.shape).T)])
        means.append((np.searchsorted(taken, taken, side="right") / taken).mean())
    return float(np.mean(means))


def expected_distance(
    places: NDArray[np.float64], shape: Sequence[int], spacing: Sequence[float] | None
) -> float:
    """The mean distance of a place anywhere on the image (*shape) to the nearest of places (n, axes).

    In mm, or in pixels without spacing; counted out on a lattice of at most sixteen places along each axis.
    """
    from scipy.spatial import KDTree  # noqa: PLC0415

    axes = [(np.arange(n := min(16, size)) + 0.5) * size / n - 0.5 for size in shape]
    lattice = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, len(axes))
    scale = np.array(spacing or 1.0)
    thinned = places[:: -(-len(places) // MOST_PLACES)]
    distances, _ = KDTree(thinned * scale).query(lattice * scale)
    return float(distances.mean())


def _common(one: NDArray[np.bool_], other: NDArray[np.bool_]) -> NDArray[np.float64]:
    """How many cells of two areas (*grid) meet, for each shift of the first: (*grid)."""
    from scipy import fft  # noqa: PLC0415 - a tenth of a second that few need

    spectra = fft.rfftn(one.astype(np.float64)).conj() * fft.rfftn(other.astype(np.float64))
    return np.asarray(np.rint(fft.irfftn(spectra, s=one.shape)))
