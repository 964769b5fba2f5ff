import numpy as np
import pytest

from camlucida.evaluation.comparison.coherence import CELLS, coarse, morans_i, one_region


def slow_morans_i(values):
    """Moran's formula, pair by pair."""
    cells = list(np.ndindex(values.shape))
    mean = sum(values[cell] for cell in cells) / len(cells)
    weights = above = 0.0
    for one in cells:
        for other in cells:
            if sum(abs(a - b) for a, b in zip(one, other, strict=True)) == 1:
                weights += 1
                above += (values[one] - mean) * (values[other] - mean)
    below = sum((values[cell] - mean) ** 2 for cell in cells)
    return len(cells) / weights * above / below


@pytest.mark.parametrize("shape", [(5, 7), (3, 4, 2), (1, 6)])
def test_morans_i_is_the_papers_formula(shape):
    values = np.random.default_rng(0).normal(size=shape)
    assert morans_i(values) == pytest.approx(slow_morans_i(values))


def test_a_chequerboard_a_slope_and_noise():
    rows, columns = np.indices((8, 8))
    assert morans_i((rows + columns) % 2.0) == pytest.approx(-1)
    assert morans_i(rows.astype(float)) > 0.8
    random = np.random.default_rng(1)
    noise = [morans_i(random.normal(size=(8, 8))) for _ in range(300)]
    assert np.mean(noise) == pytest.approx(-1 / 63, abs=0.02)
    assert morans_i(np.full((8, 8), 0.1)) is None


def test_a_finer_map_of_the_same_is_as_coherent():
    small = np.random.default_rng(2).normal(size=(8, 8)).astype(np.float32)
    fine = np.kron(small, np.ones((16, 16), np.float32))
    assert morans_i(coarse(fine)) == pytest.approx(morans_i(small), abs=1e-5)
    assert coarse(small[:7, :5]).shape == (7, 5)
    assert coarse(np.zeros((4, 90, 9), np.float32)).shape == (4, CELLS, CELLS)


def test_the_share_in_one_region_is_what_was_drawn():
    values = np.full((20, 20), -1.0)
    values[2:5, 2:5] = 1.0  # nine pixels that hold 9
    values[12:14, 12:14] = 3.0  # four that hold 12, more than half
    assert one_region(values) == 1.0
    values[12:14, 12:14] = 1.0  # 4 of 13: seven pixels hold half, wherever they are taken
    values[2:5, 2:5] = 1.1
    assert one_region(values) == 1.0
    values[2:5, 3] = 0.0  # the nine are now two regions of three, 6.6 of 10.6: five of these six are taken
    assert one_region(values) == pytest.approx(3 / 5)
    apart = np.zeros((9, 9))
    apart[::4, ::4] = 1.0  # nine dots: five hold more than half
    assert one_region(apart) == pytest.approx(1 / 5)
    assert one_region(-apart) is None


def test_touching_at_a_corner_is_not_one_region():
    values = np.zeros((4, 4))
    values[0, 0] = values[1, 1] = 1.0
    values[3, 3] = 1e-3
    assert one_region(values) == pytest.approx(0.5)
