"""Lead letters on the film: the side marker, and the corner tag that a network may learn as a shortcut."""

import numpy as np

from camlucida.examples.phantom.shapes import Grid, Plane

_LETTERS = {
    "A": ".###. #...# #...# ##### #...# #...# #...#",
    "E": "##### #.... #.... ####. #.... #.... #####",
    "L": "#.... #.... #.... #.... #.... #.... #####",
    "P": "####. #...# #...# ####. #.... #.... #....",
    "R": "####. #...# #...# ####. #.#.. #..#. #...#",
    "X": "#...# #...# .#.#. ..#.. .#.#. #...# #...#",
}


def letters(grid: Grid, text: str, left: float, top: float, height: float) -> Plane:
    """Density (0..1) of `text` in a 5 × 7 raster, `height` mm tall, with the corner at `left`, `top` mm."""
    density = grid.empty()
    dot = height / 7
    for place, letter in enumerate(text):
        for row, line in enumerate(_LETTERS[letter].split()):
            for column, mark in enumerate(line):
                if mark == "#":
                    _dot(density, grid, left + (place * 6 + column) * dot, top + row * dot, dot)
    return density


def frame(grid: Grid, left: float, top: float, right: float, bottom: float, width: float) -> Plane:
    """Density (0..1) of the outline of a box in mm."""
    density = _box(grid, left, top, right, bottom)
    return density - _box(grid, left + width, top + width, right - width, bottom - width)


def _dot(density: Plane, grid: Grid, left: float, top: float, size: float) -> None:
    window = grid.window(
        left - grid.spacing, top - grid.spacing, left + size + grid.spacing, top + size + grid.spacing
    )
    part = window.of(density)
    part += _box(window.grid, left, top, left + size, top + size)


def _box(grid: Grid, left: float, top: float, right: float, bottom: float) -> Plane:
    """How much of each pixel a box covers: exact, so that letters look the same at every resolution."""
    across = _covered(grid.x, left, right, grid.spacing)
    down = _covered(grid.y, top, bottom, grid.spacing)
    return across * down


def _covered(places: Plane, low: float, high: float, spacing: float) -> Plane:
    start = np.maximum(places - spacing / 2, low)
    end = np.minimum(places + spacing / 2, high)
    share: Plane = np.clip((end - start) / spacing, 0, 1).astype(np.float32)
    return share
