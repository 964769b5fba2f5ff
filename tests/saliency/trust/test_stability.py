import numpy as np
import pytest
import torch

import camlucida
from camlucida.saliency.ranks import spearman
from camlucida.saliency.trust.stability import changes, shifted
from example_networks import Dense, Volume, images, make
from planted_networks import Marker, marked


def test_each_change_is_explained_again_and_compared():
    network, image = make(Dense), images(Dense)
    result = camlucida.explain(network, image[0], method="hirescam", checks=["stability"])
    again = {change.name: change for change in changes(image)}
    for index, trust in enumerate(result.explanation.trust.findings):
        assert {change.name for change in trust.stability.changes} == set(again)
        for change in trust.stability.changes:
            other = camlucida.explain(network, again[change.name].image[0], method="hirescam")
            assert change.logit_change == pytest.approx(other.logits[index] - result.logits[index], abs=1e-5)
            if not again[change.name].shift:
                expected = spearman(result.values[index], other.values[index])
                assert change.correlation == pytest.approx(expected, abs=1e-6)
        correlations = [change.correlation for change in trust.stability.changes]
        assert trust.stability.worst == min(correlations)
        assert trust.stability.median == np.median(correlations)
        assert trust.stability.logit_change == max(abs(c.logit_change) for c in trust.stability.changes)


def test_the_map_of_a_shifted_image_is_put_back():
    """A pixel attribution moves with its image: put back, it is the same but for the edge."""
    network, image = Marker().eval(), torch.from_numpy(marked())[None]
    network.corner.fill_(1)  # it looks everywhere, with cells as fine as pixels
    result = camlucida.explain(network, image, method="input x gradient", checks="stability")
    (trust,) = result.explanation.trust.findings
    moved = [change.correlation for change in trust.stability.changes if "shift" in change.name]
    assert len(moved) == 4
    assert min(moved) > 0.9


def test_shifts_are_slow_loops_too():
    image = torch.arange(2 * 4 * 5).reshape(1, 2, 4, 5).float()
    moved = shifted(image, (1, -2))
    for row in range(4):
        for column in range(5):
            source = image[..., min(max(row - 1, 0), 3), min(max(column + 2, 0), 4)]
            assert torch.equal(moved[..., row, column], source)


def test_a_volume_is_shifted_within_its_slices():
    image = images(Volume)
    every = list(changes(image))
    moved = [change.shift for change in every if change.shift]
    assert moved == [(0, -1, 0), (0, 1, 0), (0, 0, -1), (0, 0, 1)]
    assert len(every) == 10
    assert all(torch.equal(a.image, b.image) for a, b in zip(every, changes(image), strict=True))


def test_every_step_is_told():
    told = []
    camlucida.explain(
        make(Dense), images(Dense)[0], checks="stability", progress=lambda *done: told.append(done)
    )
    assert told == [(number, 10) for number in range(1, 11)]
