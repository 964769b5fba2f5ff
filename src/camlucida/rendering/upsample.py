"""From one grid to another by separable linear interpolation with half-pixel centres: one path for 2D and 3D.

The same arithmetic takes a radiograph down to a network's input and a map up to the radiograph. Everything is
a sequence of float32 multiplications and additions in a fixed order: the same input gives the same bits.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from camlucida.records import Geometry

EDGE = 1e-6  # in cells: a pixel centre on the very edge of the field is inside it, whatever the rounding


def resample(
    values: NDArray[Any],
    new_to_old: NDArray[np.float64],
    new_shape: Sequence[int],
    antialias: bool = False,
) -> NDArray[np.float32]:
    """Values (…, *old) on a new grid: float32 (…, *new).

    `new_to_old` is a homogeneous matrix (axes + 1, axes + 1) from new indices to old ones; axes may be
    exchanged and flipped but not mixed. Places beyond the edge have the edge's value. With `antialias` the
    triangle of linear interpolation is widened to the step between new cells where that is more than one old
    cell, as Pillow and torch do (`antialias=True`).

    Raises
    ------
    ValueError
        An old axis depends on more or fewer than one new axis (a rotation by less than 90°).
    """
    axes = len(new_shape)
    leading, old_shape = values.shape[: values.ndim - axes], values.shape[values.ndim - axes :]
    sources = _source_axes(new_to_old)
    taps = [
        _taps(new_to_old[old, new], new_to_old[old, -1], old_shape[old], new_shape[new], antialias)
        for new, old in enumerate(sources)
    ]
    result = np.empty((*leading, *new_shape), np.float32)
    for place in np.ndindex(*leading):
        result[place] = _separable(values[place].transpose(sources), taps)
    return result


def to_pixel_grid(values: NDArray[Any], geometry: Geometry) -> NDArray[np.float32]:
    """A map (…, *native) on the pixel grid of its image: float32 (…, *pixel_shape), its unit per cell.

    Zero where the pixel's centre is outside the field that the network saw (a centre crop).
    """
    return on_grid(values, geometry, np.eye(len(geometry.pixel_shape) + 1), geometry.pixel_shape)


def on_grid(
    values: NDArray[Any], geometry: Geometry, grid_to_pixel: NDArray[np.float64], shape: Sequence[int]
) -> NDArray[np.float32]:
    """A map (…, *native) on any grid that lies straight on the pixel grid: float32 (…, *shape).

    `grid_to_pixel` is a homogeneous matrix from the grid's indices to pixel indices: one slice, a thumbnail.
    """
    grid_to_native = np.linalg.inv(geometry.native_to_pixel) @ grid_to_pixel
    seen = inside(grid_to_native, shape, geometry.native_shape)
    return resample(values, grid_to_native, shape) * seen


def cells_on_grid(
    values: NDArray[Any], geometry: Geometry, grid_to_pixel: NDArray[np.float64], shape: Sequence[int]
) -> NDArray[np.float32]:
    """As `on_grid`, but each place has the value of the cell that it lies in, as computed."""
    grid_to_native = np.linalg.inv(geometry.native_to_pixel) @ grid_to_pixel
    sources = _source_axes(grid_to_native)
    at = [
        np.clip(
            np.floor(grid_to_native[old, new] * np.arange(shape[new]) + grid_to_native[old, -1] + 0.5),
            0,
            geometry.native_shape[old] - 1,
        ).astype(np.intp)
        for new, old in enumerate(sources)
    ]
    leading = values.ndim - len(shape)
    turned = values.transpose([*range(leading), *(leading + old for old in sources)])
    nearest = turned[(..., *np.ix_(*at))].astype(np.float32, copy=False)
    return nearest * inside(grid_to_native, shape, geometry.native_shape)


def inside(
    new_to_old: NDArray[np.float64], new_shape: Sequence[int], old_shape: Sequence[int]
) -> NDArray[np.bool_]:
    """Which cells of a new grid have their centre within the field of the old one: bool (*new)."""
    result = np.ones(new_shape, np.bool_)
    for new, old in enumerate(_source_axes(new_to_old)):
        at = new_to_old[old, new] * np.arange(new_shape[new]) + new_to_old[old, -1]
        within = (at >= -0.5 - EDGE) & (at <= old_shape[old] - 0.5 + EDGE)
        result &= within.reshape([-1 if axis == new else 1 for axis in range(len(new_shape))])
    return result


@dataclass(frozen=True, slots=True)
class _Taps:
    """For each new index along one axis: the first old index that counts, and the weights from there on."""

    old: int
    first: list[int]
    weights: NDArray[np.float32]

    @property
    def shrinks(self) -> bool:
        return len(self.first) < self.old


def _source_axes(new_to_old: NDArray[np.float64]) -> list[int]:
    """For each new axis the old axis that depends on it."""
    linear = np.abs(new_to_old[:-1, :-1]) > 1e-9
    if not (linear.sum(axis=0) == 1).all() or not (linear.sum(axis=1) == 1).all():
        raise ValueError("Each old axis must depend on one new axis; rotate the image in steps of 90° only.")
    return [int(column.argmax()) for column in linear.T]


def _taps(scale: float, offset: float, old: int, new: int, antialias: bool) -> _Taps:
    radius = max(1.0, abs(scale)) if antialias else 1.0
    at = np.clip(scale * np.arange(new) + offset, -0.5, old - 0.5)
    first = np.maximum(0, np.floor(at - radius).astype(np.intp) + 1)
    index = first[:, np.newaxis] + np.arange(math.ceil(2 * radius))
    triangle = np.maximum(0, 1 - np.abs(index - at[:, np.newaxis]) / radius) * (index < old)
    weights = (triangle / triangle.sum(axis=1, keepdims=True)).astype(np.float32)
    return _Taps(old, first.tolist(), weights)


def _separable(values: NDArray[Any], taps: Sequence[_Taps]) -> NDArray[np.float32]:
    """Axis by axis: first those that shrink, then the others from the last on, to move little memory."""
    shrinking = [axis for axis, along in enumerate(taps) if along.shrinks]
    growing = [axis for axis in reversed(range(len(taps))) if axis not in shrinking]
    for axis in [*shrinking, *growing]:
        rows = np.ascontiguousarray(np.moveaxis(values, axis, 0))
        values = np.moveaxis(_along_first(rows, taps[axis]), 0, axis)
    return values.astype(np.float32, copy=False)


def _along_first(rows: NDArray[Any], taps: _Taps) -> NDArray[np.float32]:
    result = np.empty((len(taps.first), *rows.shape[1:]), np.float32)
    product = np.empty(rows.shape[1:], np.float32)
    for row, first, weights in zip(result, taps.first, taps.weights, strict=True):
        np.multiply(rows[first], weights[0], out=row, casting="unsafe")
        for step in range(1, len(weights)):
            if weights[step]:
                np.multiply(rows[first + step], weights[step], out=product, casting="unsafe")
                np.add(row, product, out=row)
    return result
