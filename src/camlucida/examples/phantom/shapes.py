"""Soft shapes in millimetres, so that a phantom is the same at every resolution.

A `Grid` holds the places of a film's pixels; a shape answers with a signed distance in mm (negative inside)
or with a density from 0 to 1. Everything is float32 of shape `(row, column)`.
"""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

Plane = NDArray[np.floating[Any]]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Grid:
    """Pixel centres in mm: `x` to the right (1, columns), `y` downwards (rows, 1), the middle at 0."""

    x: Plane
    y: Plane
    spacing: float

    @classmethod
    def of(cls, height: float, width: float, rows: int) -> Self:
        """The grid of a film of `height` × `width` mm with `rows` rows of square pixels."""
        spacing = height / rows
        columns = round(width / spacing)
        y = (np.arange(rows, dtype=np.float32) - (rows - 1) / 2) * spacing
        x = (np.arange(columns, dtype=np.float32) - (columns - 1) / 2) * spacing
        return cls(x[None, :].astype(np.float32), y[:, None].astype(np.float32), spacing)

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.y.shape[0], self.x.shape[1]

    def empty(self) -> Plane:
        """Zeros of the grid's shape."""
        return np.zeros(self.shape, np.float32)

    def window(self, left: float, top: float, right: float, bottom: float) -> "Window":
        """The part of the grid inside a box in mm: shapes are small, films are large."""
        rows = _between(self.y[:, 0], top, bottom)
        columns = _between(self.x[0], left, right)
        return Window(rows, columns, Grid(self.x[:, columns], self.y[rows], self.spacing))


@dataclass(frozen=True)
class Window:
    """A box of a grid: where it lies, and its own grid."""

    rows: slice
    columns: slice
    grid: Grid

    def of(self, plane: Plane) -> Plane:
        """The same box of a plane, as a view."""
        return plane[self.rows, self.columns]


def _between(places: Plane, low: float, high: float) -> slice:
    return slice(int(np.searchsorted(places, low)), int(np.searchsorted(places, high)))


def soft(distance: Plane, width: float) -> Plane:
    """1 well inside, 0 well outside, over about `width` mm on either side of the edge."""
    density: Plane = np.reciprocal(1 + np.exp(np.clip(distance * np.float32(2.5 / width), -40, 40)))
    return density


def ellipse(
    grid: Grid, centre: tuple[float, float], radii: tuple[float, float], turn: float = 0.0, power: float = 2.0
) -> Plane:
    """About the signed distance to a (super)ellipse: centre and radii (x, y) in mm, turn in radians."""
    u, v = turned(grid, centre, turn)
    u, v = u / np.float32(radii[0]), v / np.float32(radii[1])
    if power == 2:
        radius = np.hypot(u, v)
    else:
        radius = (np.abs(u) ** np.float32(power) + np.abs(v) ** np.float32(power)) ** np.float32(1 / power)
    return (radius - 1) * np.float32(min(radii))


def turned(grid: Grid, centre: tuple[float, float], turn: float) -> tuple[Plane, Plane]:
    """Coordinates in mm in a frame at `centre`, turned clockwise on the film by `turn` radians."""
    x, y = grid.x - np.float32(centre[0]), grid.y - np.float32(centre[1])
    if turn == 0:
        return x, y
    cos, sin = np.float32(np.cos(turn)), np.float32(np.sin(turn))
    return x * cos + y * sin, y * cos - x * sin


def capsule(grid: Grid, start: tuple[float, float], end: tuple[float, float]) -> tuple[Plane, Plane]:
    """Distance in mm to the segment from `start` to `end`, and how far along the nearest point is (0..1)."""
    dx, dy = end[0] - start[0], end[1] - start[1]
    x, y = grid.x - np.float32(start[0]), grid.y - np.float32(start[1])
    along = np.clip((x * np.float32(dx) + y * np.float32(dy)) / np.float32(dx * dx + dy * dy + 1e-6), 0, 1)
    return np.hypot(x - along * np.float32(dx), y - along * np.float32(dy)), along


def clouds(grid: Grid, seed: int, coarse: float, fine: float) -> Plane:
    """Smooth noise of mean 0 and deviation about 1 with structure from `coarse` down to `fine` mm.

    The lattices are fixed in mm, so the clouds do not depend on the resolution.
    """
    rng = np.random.default_rng(seed)
    total, weight, step = grid.empty(), 0.0, coarse
    while step >= fine:
        lattice = rng.standard_normal((int(520 / step) + 3, int(520 / step) + 3)).astype(np.float32)
        total += np.float32(step / coarse) * _interpolated(lattice, grid, step)
        weight += (step / coarse) ** 2 * 0.45
        step /= 2
    return total / np.float32(np.sqrt(weight))


def _interpolated(lattice: Plane, grid: Grid, step: float) -> Plane:
    """Smooth interpolation of a lattice with `step` mm between its points, one axis after the other."""
    across = _weights(grid.x[0], step, lattice.shape[1])
    down = _weights(grid.y[:, 0], step, lattice.shape[0])
    return (down @ lattice) @ across.T


def _weights(places: Plane, step: float, count: int) -> Plane:
    position = np.clip((places + 260) / step, 0, count - 1.001)
    index = position.astype(int)
    share = position - index
    share = share * share * (3 - 2 * share)
    weights = np.zeros((len(places), count), np.float32)
    weights[np.arange(len(places)), index] = 1 - share
    weights[np.arange(len(places)), index + 1] = share
    return weights
