"""Artefact randomisation: the formula of pasting, a lot that asks for no label, and a shortcut that goes."""

import numpy as np
import pytest
import torch
from torch import nn

from camlucida.errors import InputError
from camlucida.images.artefact import Artefact
from camlucida.records import Image
from camlucida.saliency.trust.infill import filled
from camlucida.training import ArtefactRandomisation

TAG = Artefact(
    "tag", np.full((4, 4), 0.75, np.float32), np.full((4, 4), 0.9, np.float32), (0.0, 0.0, 0.25, 0.25)
)
PLACE = Artefact("place", np.ones((2, 2), np.float32), None, (0.5, 0.5, 0.75, 0.75))


def test_what_is_pasted_and_what_is_filled_in_are_their_formulas():
    torch.manual_seed(0)
    images = torch.randn(2, 2, 16, 16)
    black, white = torch.tensor([-2.0, -1.0]), torch.tensor([2.0, 3.0])
    kept = images.clone()
    levels = {"black": black.tolist(), "white": white.tolist()}
    pasted = ArtefactRandomisation([TAG], share=1, remove=False, **levels)(images)
    for channel in range(2):
        tag = black[channel] + 0.9 * (white[channel] - black[channel])
        expected = images[:, channel, :4, :4] * 0.25 + tag * 0.75
        assert torch.allclose(pasted[:, channel, :4, :4], expected, atol=1e-6)
    assert torch.equal(pasted[..., 4:, :], images[..., 4:, :])
    without = ArtefactRandomisation([TAG], share=0)(images)
    anew = ArtefactRandomisation([TAG], share=1, **levels)(images)
    upon = ArtefactRandomisation([TAG], share=1, remove=False, **levels)(without)
    assert torch.equal(anew, upon)
    region = torch.zeros(1, 1, 16, 16)
    region[..., :4, :4] = 1
    for number in range(2):
        assert torch.equal(without[number], filled(images[number : number + 1], region)[0])
    assert torch.equal(images, kept)


def test_it_pastes_what_the_artefact_pastes_into_the_film_itself():
    values = np.random.default_rng(0).integers(0, 4096, (32, 32)).astype(np.uint16)
    values[31, 30:] = 0, 4095
    film = Image(values, bits_stored=12)
    own = torch.from_numpy(values.astype(np.float32))[None, None] / 4095
    pasted = ArtefactRandomisation([TAG], share=1, remove=False)(own)[0, 0]
    assert np.abs(pasted.numpy() - TAG.paste(film).values / 4095).max() < 0.01


def test_a_share_of_the_images_gets_it_whatever_they_had_and_the_seed_says_which():
    images = torch.zeros(4000, 1, 4, 4)
    images[:2000, :, :1, :1] = 0.675 + 0.0  # half of them have it already
    has = ArtefactRandomisation([TAG], share=0.3, seed=3)(images)[:, 0, 0, 0] > 0.3
    for half in (has[:2000], has[2000:]):
        assert abs(half.double().mean() - 0.3) < 4 * (0.3 * 0.7 / 2000) ** 0.5
    assert torch.equal(has, ArtefactRandomisation([TAG], share=0.3, seed=3)(images)[:, 0, 0, 0] > 0.3)


def test_without_removing_those_that_had_it_keep_it():
    images = torch.rand(50, 1, 16, 16)
    changed = ArtefactRandomisation([TAG], share=0.5, remove=False)(images)
    same = (changed == images).flatten(1).all(dim=1)
    assert 10 < int(same.sum()) < 40


def test_artefacts_are_drawn_independently():
    other = Artefact("other", TAG.alpha, TAG.brightness, (0.75, 0.75, 1.0, 1.0))
    images = torch.zeros(4000, 1, 16, 16)
    changed = ArtefactRandomisation([TAG, other])(images)[:, 0]
    both = ((changed[:, 0, 0] > 0.3) & (changed[:, -1, -1] > 0.3)).double().mean()
    assert abs(both - 0.25) < 4 * (0.25 * 0.75 / 4000) ** 0.5


def test_volumes_have_it_on_every_slice():
    changed = ArtefactRandomisation([TAG], share=1)(torch.zeros(2, 1, 3, 16, 16))
    assert (changed[:, :, :, :4, :4] > 0.6).all()
    assert not changed[..., 4:].any()
    assert ArtefactRandomisation([TAG], share=0)(torch.ones(1, 1, 3, 16, 16)).shape == (1, 1, 3, 16, 16)


def test_a_place_can_be_taken_out_but_not_pasted():
    images = torch.zeros(1, 1, 16, 16)
    images[..., 8:12, 8:12] = 5
    assert float(ArtefactRandomisation([PLACE], share=0)(images).abs().max()) < 1e-6
    with pytest.raises(InputError, match="“place” only the place is known"):
        ArtefactRandomisation([PLACE])
    with pytest.raises(InputError, match=r"share .* is 2"):
        ArtefactRandomisation([TAG], share=2)


def test_a_regression_that_reads_the_tag_no_longer_does():
    """Least squares on pixels, in closed form: the tag's effect goes from most of the label to none of it.

    The tag is translucent: pasted over itself without filling in, it would go on telling the label.
    """
    random = np.random.default_rng(0)
    labels = random.integers(0, 2, 3000)
    images = torch.tensor(random.normal(0, 0.05, (3000, 1, 8, 8))).float()
    images[:, :, 4, 4] += torch.tensor(0.2 * labels)[:, None] + 0.1 * torch.randn(3000, 1)
    tagged = torch.tensor(random.random(3000) < np.where(labels, 0.95, 0.05))
    pasted = ArtefactRandomisation([TAG], share=1)(images)
    confounded = torch.where(tagged[:, None, None, None], pasted, images)
    effects = []
    for shown in (confounded, ArtefactRandomisation([TAG])(confounded)):
        weight = torch.linalg.lstsq(
            torch.cat([shown.flatten(1), torch.ones(3000, 1)], dim=1).double(),
            torch.tensor(labels).double()[:, None],
        ).solution
        score = nn.Linear(64, 1).double()
        score.weight.data, score.bias.data = weight[:-1].T, weight[-1]
        with torch.no_grad():
            with_tag, without = (
                score(ArtefactRandomisation([TAG], share=share)(images).flatten(1).double())
                for share in (1, 0)
            )
        effects.append(float((with_tag - without).mean()))
    assert effects[0] > 0.5
    assert abs(effects[1]) < 0.05
