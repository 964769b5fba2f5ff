import numpy as np
import pytest

from camlucida.saliency import trust


def slow_corner(values):
    rows, columns = values.shape[-2:]
    reach_rows, reach_columns = max(1, rows // 6), max(1, columns // 6)
    held = total = 0.0
    for place, value in np.ndenumerate(np.clip(values, 0, None)):
        row, column = place[-2:]
        in_rows = row < reach_rows or row >= rows - reach_rows
        in_columns = column < reach_columns or column >= columns - reach_columns
        held += value * (in_rows and in_columns)
        total += value
    return held / total


@pytest.mark.parametrize("shape", [(7, 7), (16, 12), (32, 5), (4, 9, 13)])
def test_corner_share_counts_a_sixth_of_rows_and_columns(shape):
    values = np.random.default_rng(0).normal(size=(3, *shape))
    expected = [slow_corner(one) for one in values]
    assert trust.corner_share(np.clip(values, 0, None)) == pytest.approx(expected)


def test_a_thin_axis_has_no_corner_and_no_support_no_share():
    assert trust.corner_share(np.ones((1, 2, 8))) == [0.0]
    assert trust.corner_share(np.zeros((1, 8, 8))) == [None]


def test_outside_share_weighs_each_cell_by_how_much_of_it_lies_outside():
    support = np.array([[[4.0, 0.0], [1.0, 3.0]], [[0.0, 0.0], [0.0, 0.0]]])
    in_body = np.array([[0.25, 1.0], [0.5, 1.0]], np.float32)
    assert trust.outside_share(support, in_body) == [pytest.approx((4 * 0.75 + 0.5) / 8), None]
    assert trust.outside_share(support, None) == [None, None]
