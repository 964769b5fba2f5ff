import numpy as np
import pytest
import torch

from camlucida.evaluation.faithfulness.imputation import imputed


def rong(image, removed):
    """The paper's system, pixel by pixel: each removed pixel is the weighted mean of its neighbours."""
    places = [tuple(place) for place in np.argwhere(removed)]
    left, right = np.zeros((len(places),) * 2), np.zeros(len(places))
    for row, place in enumerate(places):
        for step in np.ndindex((3,) * image.ndim):
            offset = np.array(step) - 1
            other = tuple(np.array(place) + offset)
            if not offset.any() or not all(
                0 <= at < size for at, size in zip(other, image.shape, strict=True)
            ):
                continue
            weight = 0.5 ** np.abs(offset).sum() / (2**image.ndim - 1)  # 1/6 beside, 1/12 across
            left[row, row] += weight
            if other in places:
                left[row, places.index(other)] -= weight
            else:
                right[row] += weight * image[other]
    filled = image.copy()
    filled[tuple(np.transpose(places))] = np.linalg.solve(left, right)
    return filled


@pytest.mark.parametrize(("shape", "share"), [((13, 10), 0.2), ((13, 10), 0.8), ((5, 6, 7), 0.5)])
def test_each_removed_pixel_is_the_weighted_mean_of_its_neighbours(shape, share):
    random = np.random.default_rng(0)
    image, removed = random.normal(size=shape), random.random(shape) < share
    result = imputed(torch.from_numpy(image)[None, None], torch.from_numpy(removed)[None, None], noise=0)
    np.testing.assert_allclose(result[0, 0], rong(image, removed), atol=1e-7)


def test_a_ramp_is_continued_through_the_hole():
    """The weighted mean of the neighbours of a linear function is its own value."""
    ramp = torch.arange(40.0).expand(40, 40)[None, None]
    hole = torch.zeros(1, 1, 40, 40, dtype=torch.bool)
    hole[..., 5:35, 5:35] = True
    assert torch.allclose(imputed(ramp, hole, noise=0), ramp, atol=1e-5)


def test_several_sets_and_channels_are_as_one_by_one():
    generator = torch.Generator().manual_seed(0)
    image = torch.randn(1, 3, 20, 24, generator=generator)
    removed = torch.rand(2, 1, 20, 24, generator=generator) < torch.tensor([0.3, 0.9]).view(2, 1, 1, 1)
    together = imputed(image, removed, noise=0)
    for number in range(2):
        for channel in range(3):
            alone = imputed(image[:, channel, None], removed[number, None], noise=0)
            assert torch.allclose(together[number, channel], alone[0, 0], atol=1e-6)


def test_noise_is_a_hundredth_and_only_where_pixels_were_removed():
    image = torch.randn(1, 1, 64, 64, generator=torch.Generator().manual_seed(0))
    removed = torch.zeros(1, 1, 64, 64, dtype=torch.bool)
    removed[..., :32, :] = True
    noisy, exact = imputed(image, removed), imputed(image, removed, noise=0)
    assert torch.equal(noisy[..., 32:, :], image[..., 32:, :])
    assert float((noisy - exact)[..., :32, :].std() / image.std()) == pytest.approx(0.01, rel=0.05)
    assert torch.equal(noisy, imputed(image, removed))
    assert not torch.equal(noisy, imputed(image, removed, seed=1))
