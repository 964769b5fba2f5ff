"""Rank correlation of maps: whether two maps order the places alike, whatever their units."""

import numpy as np
from numpy.typing import NDArray


def spearman(one: NDArray[np.floating], other: NDArray[np.floating]) -> float | None:
    """Spearman's rank correlation of two maps of one shape, ties by their mean rank; None if one is flat.

    Spearman 1904: Pearson's correlation of the ranks.
    """
    from scipy.stats import rankdata  # noqa: PLC0415 - half a second that plain explanations spare

    ranks = rankdata(np.stack([one.ravel(), other.ravel()]), axis=1)
    ranks -= ranks.mean(axis=1, keepdims=True)
    spread = np.sqrt((ranks**2).sum(axis=1))
    if not spread.all():
        return None
    return float((ranks[0] * ranks[1]).sum() / (spread[0] * spread[1]))


def median(figures: list[float | None]) -> float | None:
    """The median of those figures that there are; None without any."""
    present = [figure for figure in figures if figure is not None]
    return float(np.median(present)) if present else None
