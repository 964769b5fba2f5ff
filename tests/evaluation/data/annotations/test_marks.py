from pathlib import Path

import numpy as np
import pytest

from camlucida.errors import InputError
from camlucida.evaluation.data.annotations.marks import (
    BoxMark,
    Plane,
    PointMark,
    PolygonMark,
    filled,
    resized,
)
from camlucida.records import AnnotationKind, Image, Source


def image(*space, **fields):
    return Image(np.zeros(space, np.uint8), **fields)


def even_odd(points, rows, columns):
    """Pixel by pixel: a ray to the left from the centre crosses the line an odd number of times."""
    inside = np.zeros((rows, columns), bool)
    for row in range(rows):
        for column in range(columns):
            x, y = column + 0.5, row + 0.5
            for (x0, y0), (x1, y1) in zip(points, [*points[1:], points[0]], strict=True):
                if (y0 <= y) != (y1 <= y) and x >= x0 + (y - y0) * (x1 - x0) / (y1 - y0):
                    inside[row, column] ^= True
    return inside


@pytest.mark.parametrize("seed", range(20))
def test_a_polygon_is_filled_as_by_hand(seed):
    random = np.random.default_rng(seed)
    points = random.uniform(-2, [14, 11], (random.integers(3, 9), 2)).round(int(random.integers(0, 3)))
    assert np.array_equal(filled(points, (9, 12)), even_odd(points.tolist(), 9, 12))


def test_the_area_of_a_large_polygon_is_its_own():
    angles = np.linspace(0, 2 * np.pi, 100, endpoint=False)
    circle = 100 + 80 * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    assert filled(circle, (200, 200)).sum() == pytest.approx(np.pi * 80**2, rel=0.002)


@pytest.mark.parametrize(
    ("box", "rows", "columns"),
    [
        ((2, 1, 3, 2), (1, 3), (2, 5)),
        ((2.4, 1.4, 1.0, 1.0), (1, 2), (2, 3)),  # the centre of (1, 2) is at (2.5, 1.5)
        ((2.6, 1.6, 0.1, 0.1), (1, 2), (2, 3)),  # smaller than a pixel: the one it lies in
        ((-0.9, 0, 4, 10.9), (0, 10), (0, 3)),  # a pixel beyond the edge is rounding
    ],
)
def test_a_box_is_the_pixels_whose_centres_it_holds(box, rows, columns):
    drawn = BoxMark("Mass", *box).on(image(10, 8))
    expected = np.zeros((10, 8), bool)
    expected[slice(*rows), slice(*columns)] = True
    assert np.array_equal(drawn.inside, expected)
    assert (drawn.finding, drawn.kind) == ("Mass", AnnotationKind.BOX)


def test_coordinates_of_an_image_of_another_size_are_scaled():
    drawn = BoxMark("Mass", 512, 256, 256, 256, size=(1024, 1024)).on(image(8, 16))
    assert np.argwhere(drawn.inside).min(axis=0).tolist() == [2, 8]
    assert np.argwhere(drawn.inside).max(axis=0).tolist() == [3, 11]


@pytest.mark.parametrize(
    ("mark", "says"),
    [
        (BoxMark("Mass", 5, 1, 5, 2), r"to \(10, 3\), beyond the image's 8 × 10.*image_width"),
        (BoxMark("Mass", -5, 1, 5, 2), r"\(-5, 1\)"),
        (BoxMark("Mass", 1, 1, 0, 2), "no area"),
        (BoxMark("Mass", 1, 1, -1, 2), "no area"),
        (BoxMark("Mass", float("nan"), 1, 1, 2), "finite"),
        (BoxMark("Mass", 1, 1, 1, 1, size=(0, 5)), "size 0 × 5"),
        (PointMark("Mass", 80, 1), r"\(80, 1\)"),
        (PolygonMark("Mass", ((0, 0, 5, 0, 1e9, 5),)), "beyond"),
    ],
)
def test_what_does_not_fit_the_image_is_refused(mark, says):
    with pytest.raises(InputError, match=says):
        mark.on(image(10, 8))


def test_a_point_is_the_pixel_it_lies_in_the_far_edge_too():
    for x, y, place in ((3.9, 2.0, (2, 3)), (8, 10, (9, 7)), (0, 0, (0, 0))):
        drawn = PointMark("Mass", x, y).on(image(10, 8))
        assert np.argwhere(drawn.inside).tolist() == [list(place)]
        assert drawn.kind is AnnotationKind.POINT


def test_polygons_are_joined_and_a_tiny_one_is_not_lost():
    drawn = PolygonMark("Mass", ((0, 0, 2, 0, 2, 2, 0, 2), (5.1, 5.1, 5.2, 5.1, 5.2, 5.2))).on(image(10, 8))
    assert np.argwhere(drawn.inside).tolist() == [[0, 0], [0, 1], [1, 0], [1, 1], [5, 5]]


def test_on_a_volume_a_mark_lies_on_one_slice():
    volume = image(4, 6, 6, source=Source(sop_instance_uids=("1.1", "1.2", "1.3", "1.4")))
    by_number = BoxMark("Mass", 0, 0, 2, 2, plane=Plane(2)).on(volume)
    by_instance = PointMark("Mass", 1, 1, plane=Plane(instance="1.3")).on(volume)
    assert np.argwhere(by_number.inside.any(axis=(1, 2))).tolist() == [[2]]
    assert np.argwhere(by_instance.inside).tolist() == [[2, 1, 1]]
    with pytest.raises(InputError, match="nothing says on which slice"):
        PointMark("Mass", 1, 1).on(volume)
    with pytest.raises(InputError, match="no slice 4; the volume has 4"):
        PointMark("Mass", 1, 1, plane=Plane(4)).on(volume)


def test_a_mask_of_another_size_is_taken_at_the_nearest_pixels():
    mask = np.random.default_rng(0).random((5, 4)) > 0.5
    assert np.array_equal(resized(mask, (10, 8)), mask.repeat(2, 0).repeat(2, 1))
    assert resized(mask, (5, 4)) is mask
    with pytest.raises(InputError, match="other proportions"):
        resized(mask, (10, 10))


def test_a_mark_of_no_file_has_none():
    assert BoxMark("Mass", 0, 0, 1, 1).files == ()
    assert Path not in {type(part) for part in BoxMark("Mass", 0, 0, 1, 1).files}
