"""Lines around evidence: against a circle, against the pixels they enclose, and closed at the edge."""

import json
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from camlucida.rendering.contour import MOST_LINES, MOST_POINTS, TOLERANCE, _lines, area, contours

VECTORS = json.loads((Path(__file__).resolve().parents[1] / "vectors" / "contours.json").read_text())["cases"]


def cone(shape, centre, height):
    rows, columns = np.indices(shape)
    return np.maximum(height - np.hypot(rows - centre[0], columns - centre[1]), 0).astype(np.float32)


def enclosed(line, shape):
    """Which pixel centres a closed line encloses, by counting crossings of a ray to the right."""
    rows, columns = np.indices(shape)
    inside = np.zeros(shape, bool)
    for (r0, c0), (r1, c1) in pairwise(line):
        if r0 == r1:
            continue
        between = (np.minimum(r0, r1) <= rows) & (rows < np.maximum(r0, r1))
        inside ^= between & (columns < c0 + (rows - r0) * (c1 - c0) / (r1 - r0))
    return inside


@pytest.mark.parametrize("case", VECTORS, ids=lambda case: case["name"])
def test_vectors(case):
    values = np.array(case["values"], np.float32).reshape(case["shape"])
    lines = _lines(values, case["level"])
    found = sorted([*start, *end] for line in lines for start, end in pairwise(line.tolist()))
    assert len(found) == len(case["segments"])
    assert np.allclose(found, case["segments"], rtol=0, atol=1e-9)


def test_the_line_around_a_cone_is_a_circle():
    (line,) = contours(cone((60, 80), (25.3, 41.7), 20.0), 8.0)
    assert np.array_equal(line[0], line[-1])
    radii = np.hypot(line[:, 0] - 25.3, line[:, 1] - 41.7)
    assert np.abs(radii - 12).max() < 0.05  # of the points
    assert area(line) == pytest.approx(np.pi * 144, rel=0.03)  # the chords are off by up to TOLERANCE
    assert len(line) < 60


@given(arrays(np.float32, (9, 11), elements=st.floats(0, 2, width=16)))
def test_lines_enclose_the_pixels_that_reach_the_level_and_no_others(values):
    inside = np.zeros(values.shape, bool)
    for line in _lines(values, 1.0):  # before the few points are dropped
        assert np.array_equal(line[0], line[-1])
        inside ^= enclosed(line, values.shape)
    off = inside != (values >= 1.0)
    assert not (off & (values != 1.0)).any()  # exactly at the level the line goes through the centre


def test_a_line_runs_along_the_edge_of_the_image():
    (line,) = contours(np.full((4, 6), 3.0, np.float32), 1.0)
    assert line.min(axis=0).tolist() == [-0.5, -0.5]
    assert line.max(axis=0).tolist() == [3.5, 5.5]


def test_nothing_reaches_the_level():
    assert contours(np.zeros((4, 6), np.float32), 1.0) == []


def test_a_hole_has_its_own_line_and_the_largest_area_comes_first():
    ring = cone((50, 50), (25, 25), 20.0)
    ring[ring > 14] = 0
    outer, inner = contours(ring, 5.0)
    assert area(outer) > area(inner) > 50


def test_noise_is_bounded():
    noise = np.random.default_rng(0).random((200, 200)).astype(np.float32)
    lines = contours(noise, 0.5)
    assert len(lines) == MOST_LINES
    assert max(len(line) for line in lines) <= MOST_POINTS


def test_simplified_lines_stay_close():
    values = cone((400, 400), (200, 200), 180.0)
    (line,) = contours(values, 40.0)
    middles = (line[1:] + line[:-1]) / 2
    assert np.abs(np.hypot(*(middles - 200).T) - 140).max() < TOLERANCE + 0.05
