"""Whole numbers of at most 16 bits have few different values: each is computed once and then looked up.

Work goes block by block, so that what is in between (eight bytes a value) stays in the processor's cache.
"""

from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

BLOCK = 1 << 15  # values
FEW = 1 << 12  # below this a table is not worth its making

Scalar = TypeVar("Scalar", bound=np.generic)


def mapped(values: NDArray[Any], function: Callable[[NDArray[Any]], NDArray[Scalar]]) -> NDArray[Scalar]:
    """`function(values)`, same shape, for a function that looks at each value by itself."""
    flat = values.reshape(-1)
    if not _has_few_different(values):
        result = np.empty(flat.shape, function(flat[:0]).dtype)
        for start in range(0, flat.size, BLOCK):
            result[start : start + BLOCK] = function(flat[start : start + BLOCK])
        return result.reshape(values.shape)
    lowest, highest = int(values.min()), int(values.max())
    table = function(np.arange(lowest, highest + 1))
    result = np.empty(flat.shape, table.dtype)
    for start, block in _blocks(flat, lowest):
        np.take(table, block, out=result[start : start + block.size], mode="clip")
    return result.reshape(values.shape)


def percentiles(
    values: NDArray[Any], keep: Callable[[NDArray[Any]], NDArray[np.bool_]], percentages: list[float]
) -> list[float]:
    """Percentiles of the values kept (of all if none is), each the lower of the two that it lies between."""
    if not _has_few_different(values):
        kept = values[keep(values)]
        found = np.percentile(kept if kept.size else values, percentages, method="lower")
        return [float(value) for value in found]
    lowest, highest = int(values.min()), int(values.max())
    counts = np.zeros(highest - lowest + 1, np.int64)
    for _, block in _blocks(values.reshape(-1), lowest):
        counts += np.bincount(block, minlength=len(counts))
    return _ranked(np.arange(lowest, highest + 1), counts, keep, percentages)


def _ranked(
    stored: NDArray[Any],
    counts: NDArray[np.int64],
    keep: Callable[[NDArray[Any]], NDArray[np.bool_]],
    percentages: list[float],
) -> list[float]:
    kept = np.where(keep(stored), counts, 0)
    below = np.cumsum(kept if kept.any() else counts)
    ranks = [int(np.floor(percentage / 100 * (below[-1] - 1))) for percentage in percentages]
    return [float(value) for value in stored[np.searchsorted(below, ranks, side="right")]]


def _has_few_different(values: NDArray[Any]) -> bool:
    return values.dtype.kind in "iu" and values.dtype.itemsize <= 2 and values.size >= FEW


def _blocks(flat: NDArray[Any], lowest: int) -> Iterator[tuple[int, NDArray[np.intp]]]:
    """Where each block of values starts, and its values counted from the lowest."""
    for start in range(0, flat.size, BLOCK):
        yield start, flat[start : start + BLOCK].astype(np.intp) - lowest
