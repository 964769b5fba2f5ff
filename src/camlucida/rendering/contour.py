"""Lines around the places where values reach a level: marching squares, closed, simplified.

Coordinates are (row, column), pixel centres at integers. Beyond the edge nothing reaches the level, so that a
line that meets the edge of the image runs along it and every line is closed.
"""

import numpy as np
from numpy.typing import NDArray

TOLERANCE = 0.25  # pixels that a simplified line may be off
MOST_LINES = 64  # of one image; maps of single pixels can have thousands
MOST_POINTS = 1024  # of one line; DICOM's explicit FL ends at 8191 pairs (PS3.5 7.1.2)

TOP, RIGHT, BOTTOM, LEFT = range(4)  # edges of a cell between four pixels
STEPS = {  # which pixels of a cell reach the level (1, 2, 4, 8 clockwise from the first) -> edges from, to
    1: [(LEFT, TOP)],
    2: [(TOP, RIGHT)],
    4: [(RIGHT, BOTTOM)],
    8: [(BOTTOM, LEFT)],
    3: [(LEFT, RIGHT)],
    6: [(TOP, BOTTOM)],
    12: [(RIGHT, LEFT)],
    9: [(BOTTOM, TOP)],
    14: [(TOP, LEFT)],
    13: [(RIGHT, TOP)],
    11: [(BOTTOM, RIGHT)],
    7: [(LEFT, BOTTOM)],
    # Two opposite pixels: whether they hang together (+ 16) is said by the mean of the four.
    5: [(LEFT, TOP), (RIGHT, BOTTOM)],
    10: [(TOP, RIGHT), (BOTTOM, LEFT)],
    5 + 16: [(RIGHT, TOP), (LEFT, BOTTOM)],
    10 + 16: [(TOP, LEFT), (BOTTOM, RIGHT)],
}


def contours(values: NDArray[np.float32], level: float) -> list[NDArray[np.float64]]:
    """Closed lines around where values (row, column) reach a level above 0, those of the largest areas first.

    Each line is (point, 2), its last point the first again, with what it encloses on its left as seen on the
    screen. At most `MOST_LINES` lines of `MOST_POINTS` points.
    """
    lines = sorted(_lines(values, level), key=area, reverse=True)
    return [_simplified(line) for line in lines[:MOST_LINES]]


def area(line: NDArray[np.float64]) -> float:
    """Pixels that a closed line encloses."""
    rows, columns = line.T
    return abs(float((rows[1:] * columns[:-1] - rows[:-1] * columns[1:]).sum())) / 2


def _lines(values: NDArray[np.float32], level: float) -> list[NDArray[np.float64]]:
    field = np.pad(values, 1)
    following = _following(field, level)
    lines = []
    while following:
        start, at = following.popitem()
        edges = [start]
        while at != start:
            edges.append(at)
            at = following.pop(at)
        points = _crossings(np.array([*edges, start]), field, level) - 1
        lines.append(np.clip(points, -0.5, np.array(values.shape) - 0.5))
    return lines


def _following(field: NDArray[np.float32], level: float) -> dict[int, int]:
    """For each crossed edge the next one of its line. Edge 2 i goes right from pixel i, 2 i + 1 down."""
    reached = (field >= level).view(np.uint8)
    codes = reached[:-1, :-1] + 2 * reached[:-1, 1:] + 4 * reached[1:, 1:] + 8 * reached[1:, :-1]
    rows, columns = np.nonzero((codes > 0) & (codes < 15))
    kinds = codes[rows, columns].astype(np.intp)
    means = (
        field[rows, columns]
        + field[rows, columns + 1]
        + field[rows + 1, columns]
        + field[rows + 1, columns + 1]
    ) / 4
    kinds[np.isin(kinds, (5, 10)) & (means >= level)] += 16
    width = field.shape[1]
    first = rows * width + columns
    edges = np.stack([2 * first, 2 * first + 3, 2 * (first + width), 2 * first + 1], axis=1)
    following: dict[int, int] = {}
    for kind, steps in STEPS.items():
        of_kind = edges[kinds == kind]
        for start, end in steps:
            following.update(zip(of_kind[:, start].tolist(), of_kind[:, end].tolist(), strict=True))
    return following


def _crossings(edges: NDArray[np.intp], field: NDArray[np.float32], level: float) -> NDArray[np.float64]:
    """Where the values reach the level on each edge, by linear interpolation, (edge, 2)."""
    rows, columns = np.divmod(edges // 2, field.shape[1])
    down = edges % 2
    here = field[rows, columns].astype(np.float64)
    there = field[rows + down, columns + 1 - down].astype(np.float64)
    share = (level - here) / (there - here)
    return np.stack([rows + share * down, columns + share * (1 - down)], axis=1)


def _simplified(line: NDArray[np.float64]) -> NDArray[np.float64]:
    """The line with fewer points, off by at most `TOLERANCE`, or by more where it still has too many."""
    tolerance, simple = TOLERANCE, line
    while (simple := _thinned(line, tolerance)).shape[0] > MOST_POINTS:
        tolerance *= 2
    return simple


def _thinned(line: NDArray[np.float64], tolerance: float) -> NDArray[np.float64]:
    """Douglas and Peucker: a part whose points all lie close to its chord becomes the chord."""
    far = int(np.abs(line - line[0]).sum(axis=1).argmax())  # a closed line has no chord: begin with two parts
    kept, parts = {0, far, len(line) - 1}, [(0, far), (far, len(line) - 1)]
    while parts:
        start, end = parts.pop()
        if end - start < 2:
            continue
        offsets, chord = line[start + 1 : end] - line[start], line[end] - line[start]
        distances = _distances(offsets, chord)
        worst = int(distances.argmax())
        if distances[worst] > tolerance:
            split = start + 1 + worst
            kept.add(split)
            parts += [(start, split), (split, end)]
    return line[sorted(kept)]


def _distances(offsets: NDArray[np.float64], chord: NDArray[np.float64]) -> NDArray[np.float64]:
    """How far points lie from a chord that begins at the origin."""
    length = float(chord @ chord)
    along = np.clip(offsets @ chord / length, 0, 1) if length else np.zeros(len(offsets))
    return np.asarray(np.linalg.norm(offsets - along[:, np.newaxis] * chord, axis=1))
