"""One plane of a map, small enough to be one of a hundred on a page: as computed, or of averaged cells."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from camlucida.records import Geometry
from camlucida.records.geometry import resizing
from camlucida.rendering.upsample import resample

MOST_CELLS = 64
"""Along each side; the grids of networks have fewer, those of attributions to pixels have more."""


class MapPlane(NamedTuple):
    """Evidence (row, column) in its unit per native cell, and where it lies on the plane of the image.

    `cell_to_pixel` is a homogeneous 3×3 matrix; `slice` is None where the image has none.
    """

    values: NDArray[np.float32]
    cell_to_pixel: NDArray[np.float64]
    slice: int | None


def map_plane(values: NDArray[Any], geometry: Geometry) -> MapPlane:
    """The plane of one finding's map (*native); of a volume, that of the slice with most evidence for it."""
    at = None if len(geometry.pixel_shape) == 2 else _peak(values, geometry)
    axes = [_native_axis(geometry, pixel) for pixel in range(len(geometry.pixel_shape))]
    rows, columns = axes[-2:]
    cells = [geometry.native_shape[rows], geometry.native_shape[columns]]
    shape = [min(number, MOST_CELLS) for number in cells]
    to_pixel = geometry.native_to_pixel
    plane = np.eye(3)
    for line, axis in enumerate((rows, columns)):
        pixel = len(axes) - 2 + line
        plane[line, line], plane[line, 2] = to_pixel[pixel, axis], to_pixel[pixel, -1]
    plane = plane @ resizing(cells, shape)
    grid = plane if at is None else _in_volume(plane, at)
    whole = shape if at is None else [1, *shape]
    seen = resample(values, np.linalg.inv(to_pixel) @ grid, whole, antialias=True)
    return MapPlane(seen.reshape(shape), plane, at)


def _native_axis(geometry: Geometry, pixel: int) -> int:
    """The native axis that runs along an axis of the pixel grid."""
    return int(np.abs(geometry.native_to_pixel[pixel, :-1]).argmax())


def _peak(values: NDArray[Any], geometry: Geometry) -> int:
    axis = _native_axis(geometry, 0)
    others = tuple(other for other in range(values.ndim) if other != axis)
    cell = int(np.clip(values, 0, None).sum(axis=others).argmax())
    slice_ = geometry.native_to_pixel[0, axis] * cell + geometry.native_to_pixel[0, -1]
    return int(np.clip(round(slice_), 0, geometry.pixel_shape[0] - 1))


def _in_volume(plane: NDArray[np.float64], at: int) -> NDArray[np.float64]:
    """From (0, row, column) of the plane to pixels of the volume: 4×4."""
    grid = np.eye(4)
    grid[1:, 1:] = plane
    grid[0, -1] = at
    return grid
