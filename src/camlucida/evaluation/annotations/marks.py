"""Marks before they are drawn, and how each is drawn on the pixel grid.

Coordinates are those of DICOM (PS3.3 C.18.6.1.1) and of COCO: x runs along columns, y along rows, the upper
left corner of the upper left pixel is (0, 0), so that the centre of pixel (row, column) is at
(column + 0.5, row + 0.5). A pixel belongs to an outline if its centre lies inside.
"""

from dataclasses import dataclass
from math import isfinite

import numpy as np
from numpy.typing import NDArray

from camlucida.errors import InputError
from camlucida.evaluation.case import Mark
from camlucida.records import Annotation, AnnotationKind, Image

EDGE = 1.0  # pixels: what an outline may reach beyond the image, by rounding
Size = tuple[float, float]
"""Columns and rows of the image that coordinates were written for; None: those of the image itself."""


@dataclass(frozen=True, slots=True)
class BoxMark(Mark):
    """A box with its upper left corner at (x, y)."""

    x: float
    y: float
    width: float
    height: float
    size: Size | None = None
    slice_index: int | None = None

    def on(self, image: Image) -> Annotation:
        """All pixels whose centres lie in the box; of a box smaller than a pixel the one it lies in."""
        right, bottom = self.x + self.width, self.y + self.height
        corners = _on_image(np.array([[self.x, self.y], [right, bottom]]), self.size, image)
        if (corners[1] <= corners[0]).any():
            raise InputError(f"the box is {self.width:g} wide and {self.height:g} high; it has no area.")
        first, last = (np.ceil(corner - 0.5).astype(int) for corner in corners)
        last = np.maximum(last, first + 1)
        plane = np.zeros(image.space[-2:], np.bool_)
        plane[first[1] : last[1], first[0] : last[0]] = True
        if not plane.any():
            plane[_pixel(corners.mean(axis=0), image)] = True
        return Annotation(self.finding, AnnotationKind.BOX, _in_volume(plane, image, self.slice_index))


@dataclass(frozen=True, slots=True)
class PointMark(Mark):
    """A place at (x, y)."""

    x: float
    y: float
    size: Size | None = None
    slice_index: int | None = None

    def on(self, image: Image) -> Annotation:
        """The pixel that the point lies in."""
        (point,) = _on_image(np.array([[self.x, self.y]]), self.size, image)
        plane = np.zeros(image.space[-2:], np.bool_)
        plane[_pixel(point, image)] = True
        return Annotation(self.finding, AnnotationKind.POINT, _in_volume(plane, image, self.slice_index))


def _pixel(point: NDArray[np.float64], image: Image) -> tuple[int, int]:
    """Row and column of the pixel that a point lies in; one on the far edge belongs to the last."""
    rows, columns = image.space[-2:]
    return min(max(int(point[1]), 0), rows - 1), min(max(int(point[0]), 0), columns - 1)


def _on_image(points: NDArray[np.float64], size: Size | None, image: Image) -> NDArray[np.float64]:
    """Points (n, 2) as (x, y) in the image's own pixels, cut at its edges."""
    rows, columns = image.space[-2:]
    if not np.isfinite(points).all():
        raise InputError("a coordinate is not a finite number.")
    if size is not None:
        if not all(isfinite(side) and side > 0 for side in size):
            raise InputError(f"its image has the size {size[0]:g} × {size[1]:g}.")
        points = points * (columns / size[0], rows / size[1])
    if (points < -EDGE).any() or (points > (columns + EDGE, rows + EDGE)).any():
        x, y = points[np.argmax(np.abs(points - (columns / 2, rows / 2)).max(axis=1))]
        raise InputError(
            f"it reaches to ({x:.0f}, {y:.0f}), beyond the image's {columns} × {rows} pixels; if it was "
            "drawn on an image of another size, say so in columns image_width and image_height."
        )
    return np.clip(points, 0, (columns, rows))


def _in_volume(plane: NDArray[np.bool_], image: Image, slice_index: int | None) -> NDArray[np.bool_]:
    if len(image.space) == 2:
        return plane
    if slice_index is None:
        raise InputError("the image is a volume, and nothing says on which slice it lies.")
    if not 0 <= slice_index < image.space[0]:
        raise InputError(f"there is no slice {slice_index}; the volume has {image.space[0]}.")
    volume = np.zeros(image.space, np.bool_)
    volume[slice_index] = plane
    return volume
