"""Marks before they are drawn, and how each is drawn on the pixel grid.

Coordinates are those of DICOM (PS3.3 C.18.6.1.1) and of COCO: x runs along columns, y along rows, the upper
left corner of the upper left pixel is (0, 0), so that the centre of pixel (row, column) is at
(column + 0.5, row + 0.5). A pixel belongs to an outline if its centre lies inside.
"""

from dataclasses import dataclass, field
from math import isfinite

import numpy as np
from numpy.typing import NDArray

from camlucida.errors import InputError
from camlucida.evaluation.data.case import Mark
from camlucida.records import Annotation, AnnotationKind, Image

EDGE = 1.0  # pixels: what an outline may reach beyond the image, by rounding
Size = tuple[float, float]
"""Columns and rows of the image that coordinates were written for; None: those of the image itself."""


@dataclass(frozen=True, slots=True)
class Plane:
    """Which slice of a volume a mark lies on: its number from 0, or its SOP Instance UID."""

    slice_index: int | None = None
    instance: str = field(default="", repr=False)  # who has it in a PACS knows the patient

    def of(self, image: Image) -> int:
        """The slice's number in this volume."""
        count = image.space[0]
        if self.slice_index is not None:
            if not 0 <= self.slice_index < count:
                raise InputError(f"there is no slice {self.slice_index}; the volume has {count}.")
            return self.slice_index
        instances = image.source.sop_instance_uids
        if self.instance in instances and len(instances) == count:
            return instances.index(self.instance)
        raise InputError("the image is a volume, and nothing says on which slice it lies.")


ANYWHERE = Plane()
"""Of an image that is no volume."""


@dataclass(frozen=True, slots=True)
class BoxMark(Mark):
    """A box with its upper left corner at (x, y)."""

    x: float
    y: float
    width: float
    height: float
    size: Size | None = None
    plane: Plane = ANYWHERE

    def on(self, image: Image) -> Annotation:
        """All pixels whose centres lie in the box; of a box smaller than a pixel the one it lies in."""
        right, bottom = self.x + self.width, self.y + self.height
        corners = _on_image(np.array([[self.x, self.y], [right, bottom]]), self.size, image)
        if (corners[1] <= corners[0]).any():
            raise InputError(f"the box is {self.width:g} wide and {self.height:g} high; it has no area.")
        first, last = (np.ceil(corner - 0.5).astype(int) for corner in corners)
        inside = np.zeros(image.space[-2:], np.bool_)
        inside[first[1] : last[1], first[0] : last[0]] = True
        if not inside.any():
            inside[_pixel(corners.mean(axis=0), image)] = True
        return Annotation(self.finding, AnnotationKind.BOX, in_volume(inside, image, self.plane))


@dataclass(frozen=True, slots=True)
class PointMark(Mark):
    """A place at (x, y)."""

    x: float
    y: float
    size: Size | None = None
    plane: Plane = ANYWHERE

    def on(self, image: Image) -> Annotation:
        """The pixel that the point lies in."""
        (point,) = _on_image(np.array([[self.x, self.y]]), self.size, image)
        inside = np.zeros(image.space[-2:], np.bool_)
        inside[_pixel(point, image)] = True
        return Annotation(self.finding, AnnotationKind.POINT, in_volume(inside, image, self.plane))


@dataclass(frozen=True, slots=True)
class PolygonMark(Mark):
    """What one or several closed lines go around, each as (x, y, x, y, …)."""

    polygons: tuple[tuple[float, ...], ...]
    size: Size | None = None
    plane: Plane = ANYWHERE

    def on(self, image: Image) -> Annotation:
        """All pixels whose centres lie in one of them, by the even-odd rule; of a tiny one its middle's."""
        inside = np.zeros(image.space[-2:], np.bool_)
        for polygon in self.polygons:
            points = _on_image(np.array(polygon, np.float64).reshape(-1, 2), self.size, image)
            drawn = filled(points, image.space[-2:])
            if not drawn.any():
                drawn[_pixel(points.mean(axis=0), image)] = True
            inside |= drawn
        return Annotation(self.finding, AnnotationKind.MASK, in_volume(inside, image, self.plane))


def filled(points: NDArray[np.float64], shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """Which pixels' centres lie inside a closed line (n, 2) of (x, y), by the even-odd rule: bool (*shape).

    Where an edge crosses the line through a row's centres, all that is right of it is turned over.
    """
    rows, columns = shape
    crossings = np.zeros((rows, columns + 1), np.int32)
    for (x0, y0), (x1, y1) in zip(points, np.roll(points, -1, axis=0), strict=True):
        first, last = (int(np.clip(np.ceil(y - 0.5), 0, rows)) for y in sorted((y0, y1)))
        if last > first:
            crossed = np.arange(first, last)
            at = x0 + (crossed + 0.5 - y0) * (x1 - x0) / (y1 - y0)
            crossings[crossed, np.clip(np.ceil(at - 0.5), 0, columns).astype(np.intp)] += 1
    inside: NDArray[np.bool_] = np.cumsum(crossings[:, :-1], axis=1) % 2 == 1
    return inside


def resized(mask: NDArray[np.bool_], shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """A mask (row, column) of another size than its image, nearest pixels; the proportion must be the same.

    Raises
    ------
    InputError
        The proportions differ by more than a pixel.
    """
    if mask.shape == shape:
        return mask
    rows, columns = shape
    if abs(mask.shape[0] * columns / mask.shape[1] - rows) > max(1.0, rows / mask.shape[0]):
        raise InputError(
            f"the mask has {mask.shape[1]} × {mask.shape[0]} pixels and the image {columns} × {rows}: other "
            "proportions, so it is of another image or was cut."
        )
    at = [(np.arange(new) + 0.5) * old / new for old, new in zip(mask.shape, shape, strict=True)]
    return mask[np.ix_(at[0].astype(np.intp), at[1].astype(np.intp))]


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


def in_volume(inside: NDArray[np.bool_], image: Image, plane: Plane) -> NDArray[np.bool_]:
    """A mask (row, column) on the pixel grid of its image: one slice of a volume."""
    if len(image.space) == 2:
        return inside
    volume = np.zeros(image.space, np.bool_)
    volume[plane.of(image)] = inside
    return volume
