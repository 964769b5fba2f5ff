"""Where a map points: hits, marks reached, and how far away it is where it misses."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from camlucida.evaluation.localization.marked import Support
from camlucida.records import Geometry

REACHED = 0.5  # of the map's highest value: from there a mark is reached


def hit(support: Support, area: NDArray[np.bool_]) -> float:
    """Whether a pixel with the most support is in an area (*grid); 0 without any support.

    Of several pixels with the same support any may be.
    """
    return float(support.highest > 0 and bool(area[support.image == support.highest].any()))


def marks_reached(support: Support, marks: Sequence[NDArray[np.bool_]]) -> float:
    """The share of the marks (*grid) in which some pixel has half of the highest support."""
    enough = REACHED * support.highest
    reached = [enough > 0 and float(support.image[mark].max(initial=0)) >= enough for mark in marks]
    return float(np.mean(reached))


def widened(area: NDArray[np.bool_], reach: Sequence[int]) -> NDArray[np.bool_]:
    """The area (*grid) and all within `reach` cells of it along each axis: a box around each pixel."""
    for axis, distance in enumerate(reach):
        counts = np.cumsum(area, axis=axis, dtype=np.int32)
        at = np.arange(area.shape[axis])
        last = np.take(counts, np.minimum(at + distance, area.shape[axis] - 1), axis=axis)
        first = np.take(counts, np.maximum(at - distance - 1, 0), axis=axis)
        outside = (at - distance - 1 < 0).reshape([-1 if a == axis else 1 for a in range(area.ndim)])
        area = last - np.where(outside, 0, first) > 0
    return area


def peak(values: NDArray[np.float32], geometry: Geometry) -> NDArray[np.float64]:
    """The middle of the cell with the highest value of a map (*native), in pixels (axes,)."""
    cell = np.unravel_index(int(values.argmax()), values.shape)
    return np.asarray(geometry.cell_to_pixel(np.array(cell, np.float64))[0])


def distance(one: NDArray[np.float64], others: NDArray[np.float64], spacing: Sequence[float] | None) -> float:
    """From a place (axes,), pixels, to the nearest of others (n, axes): mm, or pixels without spacing."""
    return float(np.sqrt((((others - one) * np.array(spacing or 1.0)) ** 2).sum(axis=1).min()))
