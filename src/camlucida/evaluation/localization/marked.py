"""Where a finding is by all marks of it, and the grid on which a map is held against them."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from math import prod
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from camlucida.records import Annotation, Geometry
from camlucida.records.annotation import AnnotationKind
from camlucida.records.geometry import scaling
from camlucida.rendering.upsample import EDGE, on_grid

MOST_PIXELS = 2**23
"""Of the grid on which maps and marks are compared: the pixel grid itself of films up to 2900 × 2900."""

MOST_PLACES = 2**20
"""Marked pixels to which distances are measured."""

MOST_RANKED = 2**18
"""Pixels that are sorted by their support: 512 × 512."""


@dataclass(frozen=True, eq=False)
class Marked:
    """All marks of one finding on one image.

    `marks` are bool (*space) on the pixel grid, one for each; `extended` says whether they have an extent.
    Points are left out where other marks say more.
    """

    marks: tuple[NDArray[np.bool_], ...]
    extended: bool

    @cached_property
    def area(self) -> NDArray[np.bool_]:
        """Everything that is marked, (*space)."""
        return np.asarray(np.logical_or.reduce(self.marks))

    @cached_property
    def places(self) -> NDArray[np.float64]:
        """The marked pixels (n, axes), at most a million of them, evenly taken."""
        return self._every[:: -(-len(self._every) // MOST_PLACES)].astype(np.float64)

    @cached_property
    def centre(self) -> NDArray[np.float64]:
        """The mean place of what is marked, in pixels (axes,)."""
        return np.asarray(self._every.mean(axis=0), np.float64)

    @cached_property
    def _every(self) -> NDArray[np.intp]:
        box = extent(self.area)
        return np.asarray(np.argwhere(self.area[box]) + [along.start for along in box])


def marked(annotations: Sequence[Annotation], finding: str) -> Marked | None:
    """The marks of a finding; None where there are none, or where nothing is inside them."""
    own = [one for one in annotations if one.finding == finding and one.inside.any()]
    extended = [one for one in own if one.kind is not AnnotationKind.POINT]
    taken = extended or own
    return Marked(tuple(one.inside for one in taken), bool(extended)) if taken else None


@dataclass(frozen=True, slots=True)
class Grid:
    """Every so many pixels: a grid that lies on the pixel grid of an image, coarse enough for `most` places.

    `steps` (axes,) are its cells in pixels, `shape` (axes,) how many there are.
    """

    pixels: tuple[int, ...]
    steps: tuple[int, ...]

    @property
    def shape(self) -> tuple[int, ...]:
        """Cells along each axis; the last may be cut by the image's edge."""
        return tuple(-(-size // step) for size, step in zip(self.pixels, self.steps, strict=True))

    @property
    def to_pixel(self) -> NDArray[np.float64]:
        """From indices of this grid to pixel indices, homogeneous."""
        return scaling([float(step) for step in self.steps], [(step - 1) / 2 for step in self.steps])

    def of(self, area: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """What is marked (*pixels) on this grid: where at least half of a cell is, or any where none is."""
        if prod(self.steps) == 1:
            return area
        result = np.zeros(self.shape, np.bool_)
        touched = [  # in cells: a volume is large, and what is marked on it is small
            slice(along.start // step, -(-along.stop // step))
            for along, step in zip(extent(area), self.steps, strict=True)
        ]
        covered = [
            slice(one.start * step, one.stop * step) for one, step in zip(touched, self.steps, strict=True)
        ]
        result[tuple(touched)] = self._coarser(area[tuple(covered)])
        return result

    def _coarser(self, area: NDArray[np.bool_]) -> NDArray[np.bool_]:
        share: NDArray[np.floating] = area.astype(np.float32)
        for axis, (size, step) in enumerate(zip(area.shape, self.steps, strict=True)):
            starts = np.arange(0, size, step)
            counts = np.minimum(step, size - starts).reshape(
                [-1 if a == axis else 1 for a in range(area.ndim)]
            )
            share = np.add.reduceat(share, starts, axis=axis) / counts.astype(np.float32)
        half: NDArray[np.bool_] = share >= 0.5
        return half if half.any() else share > 0


def extent(area: NDArray[np.bool_]) -> tuple[slice, ...]:
    """The smallest block that holds all that is marked, along each axis; all of it where nothing is."""
    slices = []
    for axis, size in enumerate(area.shape):
        others = tuple(other for other in range(area.ndim) if other != axis)
        at = np.flatnonzero(area.any(axis=others))
        slices.append(slice(int(at[0]), int(at[-1]) + 1) if at.size else slice(0, size))
    return tuple(slices)


def grid(pixels: Sequence[int], most: int, spacing: Sequence[float] | None = None) -> Grid:
    """The finest grid of at most `most` cells; the axis with the smallest steps (mm) is thinned first."""
    sizes = np.array(spacing or [1.0] * len(pixels))
    steps = np.ones(len(pixels), int)
    while prod(-(-size // int(step)) for size, step in zip(pixels, steps, strict=True)) > most:
        lengths = np.where(steps < np.array(pixels), steps * sizes, np.inf)
        steps[int(lengths.argmin())] += 1
    return Grid(tuple(pixels), tuple(int(step) for step in steps))


class Support(NamedTuple):
    """What argues for the finding: `image` (*grid) ≥ 0 in the map's unit per cell, `total` and `highest` of
    the whole field, which with padding is larger than the image.
    """

    image: NDArray[np.float32]
    total: float
    highest: float


def support_on(values: NDArray[np.float32], geometry: Geometry, on: Grid) -> Support:
    """The support of a map (*native) on a grid; what argues against is cut off before it is interpolated.

    A network that was given the image with padding around it can find evidence there: that is nowhere on the
    image, but it is evidence, and it counts in the total.
    """
    positive = np.clip(np.nan_to_num(values, nan=0.0, posinf=0.0, neginf=0.0), 0, None)
    before, after = _beyond(geometry, on)
    shape = tuple(b + size + a for b, size, a in zip(before, on.shape, after, strict=True))
    shifted = on.to_pixel @ scaling([1.0] * len(shape), [-float(number) for number in before])
    whole = on_grid(positive, geometry, shifted, shape)
    image = whole[tuple(slice(b, b + size) for b, size in zip(before, on.shape, strict=True))]
    return Support(image, float(whole.sum(dtype=np.float64)), float(whole.max()))


def _beyond(geometry: Geometry, on: Grid) -> tuple[list[int], list[int]]:
    """How many more cells of the grid the network's field has before and after the image, by axis."""
    size = np.array(geometry.native_shape)
    ends = geometry.cell_to_pixel([size * 0 - 0.5, size - 0.5])
    low, high = np.sort((ends - on.to_pixel[:-1, -1]) / np.array(on.steps), axis=0)
    before = np.maximum(0, -np.ceil(low - EDGE)).astype(int)
    after = np.maximum(0, np.floor(high + EDGE).astype(int) - np.array(on.shape) + 1)
    return before.tolist(), after.tolist()
