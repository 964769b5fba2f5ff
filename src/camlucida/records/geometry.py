"""Where the cells of a native grid lie on the pixel grid and in the patient."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from camlucida.errors import MissingGeometry


@dataclass(frozen=True, slots=True, eq=False)
class Geometry:
    """The way back from a native grid to the pixel grid and to patient space.

    Coordinates are indices in the order of the array's axes, (row, column) or (slice, row, column), with
    the centre of a cell or pixel at integers, so that an array of n pixels reaches from -0.5 to n - 0.5.
    `native_to_pixel` is a homogeneous matrix of shape (axes + 1, axes + 1); it is affine and holds every
    resize, crop, pad, flip and change of axes of the preprocessing.
    """

    native_shape: tuple[int, ...]
    pixel_shape: tuple[int, ...]
    native_to_pixel: NDArray[np.float64]
    spacing: tuple[float, ...] | None = None
    pixel_to_patient: NDArray[np.float64] | None = None

    def cell_to_pixel(self, cells: ArrayLike) -> NDArray[np.float64]:
        """Native-grid indices (n, axes) to pixel indices (n, axes)."""
        return _transform(self.native_to_pixel, cells)

    def pixel_to_cell(self, pixels: ArrayLike) -> NDArray[np.float64]:
        """Pixel indices (n, axes) to native-grid indices (n, axes)."""
        return _transform(np.asarray(np.linalg.inv(self.native_to_pixel), np.float64), pixels)

    def cell_to_patient(self, cells: ArrayLike) -> NDArray[np.float64]:
        """Native-grid indices (n, axes) to patient coordinates (n, 3) in mm, LPS.

        Raises
        ------
        MissingGeometry
            The source has no position and orientation.
        """
        if self.pixel_to_patient is None:
            raise MissingGeometry(
                "The image has no Image Position (Patient) and Image Orientation (Patient), so a place on it "
                "has no patient coordinates; use cell_to_pixel."
            )
        pixels = self.cell_to_pixel(cells)
        slices = np.zeros((len(pixels), 3 - pixels.shape[1]))
        return _transform(self.pixel_to_patient, np.concatenate([slices, pixels], axis=1))

    def cell_size_pixels(self) -> tuple[float, ...]:
        """Size of a native cell in pixels, along each axis of the pixel grid."""
        return tuple(np.abs(self.native_to_pixel[:-1, :-1]).sum(axis=1).tolist())

    def cell_size_mm(self) -> tuple[float, ...] | None:
        """Size of a native cell in mm along each axis of the pixel grid; None without spacing."""
        if self.spacing is None:
            return None
        return tuple(size * mm for size, mm in zip(self.cell_size_pixels(), self.spacing, strict=True))


def scaling(scale: Sequence[float], offset: Sequence[float]) -> NDArray[np.float64]:
    """The homogeneous matrix of `x * scale + offset`, axis by axis."""
    matrix = np.diag([*scale, 1.0])
    matrix[:-1, -1] = offset
    return matrix


def resizing(old: Sequence[int], new: Sequence[int]) -> NDArray[np.float64]:
    """Maps indices on the new grid to the old one; both cover the same field (half-pixel centres)."""
    scale = [o / n for o, n in zip(old, new, strict=True)]
    return scaling(scale, [s / 2 - 0.5 for s in scale])


def _transform(matrix: NDArray[np.float64], points: ArrayLike) -> NDArray[np.float64]:
    points = np.atleast_2d(np.asarray(points, np.float64))
    return points @ matrix[:-1, :-1].T + matrix[:-1, -1]
