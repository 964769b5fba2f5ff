import numpy as np
import pytest

from camlucida.saliency.ranks import median, spearman


def slow_ranks(values):
    """The mean of the places that equal values would take."""
    ranks = []
    for value in values:
        below = sum(other < value for other in values)
        equal = sum(other == value for other in values)
        ranks.append(below + (equal + 1) / 2)
    return ranks


def slow_spearman(one, other):
    a, b = slow_ranks(list(one.ravel())), slow_ranks(list(other.ravel()))
    mean_a, mean_b = sum(a) / len(a), sum(b) / len(b)
    together = sum((x - mean_a) * (y - mean_b) for x, y in zip(a, b, strict=True))
    spread_a = sum((x - mean_a) ** 2 for x in a) ** 0.5
    spread_b = sum((y - mean_b) ** 2 for y in b) ** 0.5
    return together / (spread_a * spread_b)


def test_spearman_is_the_correlation_of_ranks_with_ties():
    random = np.random.default_rng(0)
    for _ in range(5):
        one, other = random.integers(0, 9, (2, 5, 6)).astype(np.float32)
        assert spearman(one, other) == pytest.approx(slow_spearman(one, other))


def test_only_the_order_counts():
    values = np.random.default_rng(1).normal(size=(4, 4))
    assert spearman(values, np.exp(values)) == pytest.approx(1)
    assert spearman(values, -values) == pytest.approx(-1)


def test_a_flat_map_has_no_order():
    assert spearman(np.ones((3, 3)), np.eye(3)) is None


def test_the_median_is_of_those_that_there_are():
    assert median([None, 3.0, 1.0, 8.0]) == 3.0
    assert median([None, None]) is None
