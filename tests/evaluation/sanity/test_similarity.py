import numpy as np
import pytest
from skimage import metrics

from camlucida.evaluation.sanity.similarity import ssim


@pytest.mark.parametrize("shape", [(40, 33), (18, 20, 17)])
def test_ssim_is_that_of_scikit_image(shape):
    random = np.random.default_rng(0)
    one = random.random(shape)
    for other in (one, 0.7 * one + 0.3 * random.random(shape), random.random(shape), np.zeros(shape)):
        expected = metrics.structural_similarity(
            one, other, data_range=1.0, gaussian_weights=True, sigma=1.5, use_sample_covariance=False
        )
        assert ssim(one, other) == pytest.approx(expected, abs=1e-7)


def test_the_same_is_1_and_the_order_does_not_matter():
    one, other = np.random.default_rng(1).random((2, 30, 30))
    assert ssim(one, one) == pytest.approx(1)
    assert ssim(one, other) == pytest.approx(ssim(other, one))


def test_a_map_smaller_than_the_window_is_compared_all_over():
    one, other = np.random.default_rng(2).random((2, 7, 7))
    assert -1 <= ssim(one, other) < 1
    assert ssim(one, one) == pytest.approx(1)
