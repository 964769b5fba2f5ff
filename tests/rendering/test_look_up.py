"""The table gives what the function gives, for every type and size."""

import numpy as np
import pytest

from camlucida.rendering.look_up import BLOCK, FEW, mapped, percentiles


def cube(values):
    return values.astype(np.float64) ** 3


@pytest.mark.parametrize("dtype", [np.uint8, np.int8, np.uint16, np.int16, np.int32, np.float32])
@pytest.mark.parametrize("size", [7, FEW, 2 * BLOCK + 13])
def test_mapped_is_the_function(dtype, size):
    values = np.random.default_rng(size).integers(-100, 100, (size, 1)).astype(dtype)
    result = mapped(values, cube)
    assert result.shape == values.shape
    assert (result == cube(values)).all()


def test_the_function_sees_each_value_once():
    seen = []
    mapped(np.full((300, 300), 5, np.uint16), lambda values: seen.append(values.tolist()) or values)
    assert seen == [[5]]


def test_values_that_are_not_contiguous():
    values = np.arange(2 * FEW * 3, dtype=np.uint16).reshape(-1, 3)[::2].T
    assert (mapped(values, cube) == cube(values)).all()


@pytest.mark.parametrize("dtype", [np.int16, np.float32])
def test_percentiles_of_nothing_kept_are_those_of_all(dtype):
    values = np.arange(10_001).astype(dtype)
    assert percentiles(values, lambda given: given < 0, [0, 50, 100]) == [0, 5000, 10_000]
    assert percentiles(values, lambda given: given > 9_000, [0, 100]) == [9_001, 10_000]
