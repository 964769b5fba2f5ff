"""Marked pixels against the others by their support, over all levels at once."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class Ranking(NamedTuple):
    """How well support tells marked pixels from others: 0..1 each."""

    auprc: float
    auroc: float
    rank_accuracy: float


def ranking(support: NDArray[np.float32], area: NDArray[np.bool_]) -> Ranking | None:
    """Of a map (*grid) and a marked area (*grid); None where nothing or everything is marked.

    AUPRC is the average precision, Σ (R_n - R_{n-1}) P_n over the levels; pixels with the same support come
    together. AUROC gives ties a half. Rank accuracy is the precision among the first K pixels, K the number
    of marked ones; of those that tie for the last places a share is taken, as in a fair draw.
    """
    flat, marked = support.ravel(), area.ravel()
    positives = int(marked.sum())
    if positives in (0, len(marked)):
        return None
    order = np.argsort(-flat, kind="stable")
    hits, values = np.cumsum(marked[order]), flat[order]
    ends = np.append(np.flatnonzero(np.diff(values)), len(values) - 1)  # the last of each level
    true, taken = hits[ends].astype(np.float64), ends + 1.0
    return Ranking(
        auprc=float((np.diff(true, prepend=0) / positives * true / taken).sum()),
        auroc=_auroc(true, taken - true, positives, len(marked) - positives),
        rank_accuracy=float(np.interp(positives, [0, *taken], [0, *true]) / positives),
    )


def _auroc(true: NDArray[np.float64], false: NDArray[np.float64], positives: int, negatives: int) -> float:
    """The area below the curve through these numbers of true and false positives, by trapezoids."""
    true, false = np.append(0, true) / positives, np.append(0, false) / negatives
    return float((np.diff(false) * (true[1:] + true[:-1]) / 2).sum())
