"""The picture that somebody saw: one plane of an image with evidence over it, on the image's pixel grid.

It is the viewer's picture at one pixel of the image for one of the screen, without what is written over it.
The same numbers give the same bytes.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import PIL.Image
import PIL.ImageDraw
from numpy.typing import NDArray

from camlucida.records import Geometry, SaliencyMap
from camlucida.records.geometry import resizing
from camlucida.rendering import colour
from camlucida.rendering.contour import contours
from camlucida.rendering.look import Look
from camlucida.rendering.overlay import overlay
from camlucida.rendering.scale import scale_of
from camlucida.rendering.upsample import cells_on_grid, on_grid, resample

DIFFERENCE = "coolwarm"
"""Differences have two sides, so they have a colour map of their own."""

LEVELS = (0.25, 0.5, 0.75)
"""Shares of full colour at which contours are drawn."""

LINE, HALO = (0xF4, 0xF0, 0xE6), (0, 0, 0)

Plane = NDArray[np.uint8]


@dataclass(frozen=True, slots=True, eq=False)
class Evidence:
    """What lies over the image: one finding's values (*native), and how strong full colour is."""

    values: NDArray[np.float32]
    geometry: Geometry
    scale: float
    colour_map: str


def evidence(seen: Look, own: SaliencyMap, other: SaliencyMap | None = None) -> Evidence | None:
    """What the look shows of a map, or of its difference to another one; None: no map is on.

    Raises
    ------
    IndexError
        The map has no such finding.
    """
    if not seen.map or seen.finding is None:
        return None
    values, fixed = own.values[seen.finding], scale_of(own, seen.finding)
    colours = seen.colour_map
    if seen.difference and other is not None:
        values, colours = values - _laid_over(other, own, seen.finding), DIFFERENCE
    scale = seen.scale or (_largest(values, colours) if seen.own_scale else 0) or fixed
    return Evidence(values, own.geometry, scale, colours)


def picture(grey: Plane, seen: Look, shown: Evidence | None, spacing: Sequence[float] | None) -> Plane:
    """The plane (row, column) or (row, column, 3) in greys or colours, with evidence over it: RGB.

    `spacing` is that of the whole image, in mm along each of its axes; slabs need it.
    """
    if shown is None:
        return grey if grey.ndim == 3 else np.repeat(grey[..., np.newaxis], 3, axis=-1)
    values = on_plane(shown, seen, spacing)
    drawn = overlay(grey, values, shown.scale, seen.opacity, shown.colour_map)
    return _with_contours(drawn, values, shown) if seen.contours else drawn


def on_plane(shown: Evidence, seen: Look, spacing: Sequence[float] | None) -> NDArray[np.float32]:
    """Evidence at each pixel of the plane that is seen: (row, column)."""
    shape = list(shown.geometry.pixel_shape)
    if len(shape) == 2:
        return _sampled(shown, seen, np.eye(3), shape)
    at, size = seen.place(tuple(shape)), shape[seen.axis]
    shape[seen.axis] = 1
    strongest = None
    for place in _depths(shown.geometry, seen, at, size, spacing):
        grid = np.eye(4)
        grid[seen.axis, -1] = place
        values = _sampled(shown, seen, grid, shape)
        strongest = values if strongest is None else _stronger(strongest, values, shown.colour_map)
    assert strongest is not None  # noqa: S101 - there is the plane itself at least
    return strongest.squeeze(seen.axis)


def _sampled(
    shown: Evidence, seen: Look, grid_to_pixel: NDArray[np.float64], shape: Sequence[int]
) -> NDArray[np.float32]:
    sample = cells_on_grid if seen.cells else on_grid
    return sample(shown.values, shown.geometry, grid_to_pixel, shape)


def _depths(
    geometry: Geometry, seen: Look, at: int, size: int, spacing: Sequence[float] | None
) -> Iterator[float]:
    """Places along the axis: the plane, or those of a slab between which nothing can be stronger.

    Evidence is linear between the planes of cells: it is strongest on one of them, or on a face of the slab.
    """
    if not seen.slab or not spacing or min(spacing) <= 0:
        yield at
        return
    reach = seen.slab / 2 / spacing[seen.axis]
    start, end = max(at - reach, -0.5), min(at + reach, size - 0.5)
    yield start
    yield end
    cell = geometry.cell_size_pixels()[seen.axis]
    first = float(geometry.cell_to_pixel([[0] * len(geometry.native_shape)])[0, seen.axis])
    for step in range(math.ceil((start - first) / cell), math.floor((end - first) / cell) + 1):
        yield first + step * cell


def _stronger(a: NDArray[np.float32], b: NDArray[np.float32], colour_map: str) -> NDArray[np.float32]:
    if colour.kind(colour_map) is colour.Kind.DIVERGING:
        return np.where(np.abs(a) >= np.abs(b), a, b)
    return np.maximum(a, b)


def _largest(values: NDArray[Any], colour_map: str) -> float:
    both = colour.kind(colour_map) is colour.Kind.DIVERGING
    return float(np.abs(values).max() if both else values.max(initial=0))


def _laid_over(other: SaliencyMap, own: SaliencyMap, finding: int) -> NDArray[np.float32]:
    """The other map of the same finding on this one's cells."""
    values = other.values[other.findings.index(own.findings[finding])]
    shapes = other.geometry.native_shape, own.geometry.native_shape
    return resample(values, resizing(*shapes), shapes[1], antialias=True)


def _with_contours(drawn: Plane, values: NDArray[np.float32], shown: Evidence) -> Plane:
    """Lines at shares of full colour, a pixel wide, dark beside them."""
    signs = (1, -1) if colour.kind(shown.colour_map) is colour.Kind.DIVERGING else (1,)
    lines = [
        [(float(column), float(row)) for row, column in line]
        for sign in signs
        for share in LEVELS
        for line in contours(sign * values, share * shown.scale)
    ]
    canvas = PIL.Image.fromarray(drawn)
    draw = PIL.ImageDraw.Draw(canvas)
    for width, line_colour in ((3, HALO), (1, LINE)):
        for line in lines:
            draw.line(line, fill=line_colour, width=width)
    return np.asarray(canvas)
