"""Zones are found where artefacts are known to be, and what is measured of them is what was planted."""

from types import SimpleNamespace

import numpy as np
import PIL.Image
import pytest
import torch
from torch import nn

from camlucida.errors import InputError
from camlucida.evaluation.shortcuts import measuring
from camlucida.evaluation.shortcuts.contribution import contribution, dilated, share_of_support
from camlucida.evaluation.shortcuts.removal import without
from camlucida.evaluation.shortcuts.zones import LEAST_CONTRAST, ZONES, Filling, found_on, plain, zone_of_mask
from camlucida.examples.phantom.radiograph import radiograph
from camlucida.images.artefact import phantom_artefact
from camlucida.images.prepare import Preparation, prepare
from camlucida.records import Geometry, Image
from camlucida.records.geometry import resizing

WHERE = {
    "corner tag": "lettering",
    "side letter": "lettering",
    "collimator": "shutters",
    "drain": "devices",
    "device": "devices",
    "electrodes": "devices",
}


@pytest.fixture(scope="module")
def film():
    drawn = radiograph(904, ["Nodule", "Effusion"], rows=192)
    return drawn, Image(drawn.values, bits_stored=12, spacing=(drawn.spacing, drawn.spacing))


@pytest.mark.parametrize(("name", "key"), WHERE.items())
def test_what_is_pasted_on_a_film_is_found(name, key, film):
    with_it, without = plain(phantom_artefact(name).paste(film[1])), plain(film[1])
    # Of what stands out only: the device's lead, half of its pixels, is as grey as the heart behind it, and
    # the shutters are as black as the air.
    truth = np.abs(with_it.grey - without.grey) > LEAST_CONTRAST
    inside = ZONES[key].find(with_it)
    assert truth.sum() > 50
    assert (inside & truth).sum() > 0.8 * truth.sum()


@pytest.mark.parametrize("key", ["lettering", "devices", "shutters"])
def test_lesions_are_no_artefacts(key, film):
    drawn, image = film
    inside = ZONES[key].find(plain(image))
    assert not (inside & drawn.masks["Nodule"]).any()
    assert inside.mean() < 0.01


def test_a_colour_picture_and_a_volume_have_fewer_zones():
    volume = Image(np.random.default_rng(0).integers(0, 255, (4, 30, 30), np.uint8))
    assert {found.zone.key for found in found_on(volume, ZONES)} <= {"border", "corners", "outside"}
    assert plain(volume).grey.shape == (4, 30, 30)


def test_a_zone_covers_cells_and_input_as_it_covers_the_image():
    image = Image(np.zeros((60, 48), np.uint8))
    (found,) = found_on(image, {"corners": ZONES["corners"]})
    assert found.area == pytest.approx(4 / 36)
    prepared = prepare(image, Preparation(2, 1, (30, 24)))
    assert found.on_input(prepared)[:5, :4].all()
    assert not found.on_input(prepared)[7:23].any()
    geometry = Geometry((6, 6), (60, 48), resizing((60, 48), (6, 6)))
    cells = found.share_of_cells(geometry)
    assert cells.sum() == pytest.approx(4, abs=0.2)
    assert (cells[2:4] == 0).all()


def test_the_users_zone_is_where_it_was_drawn(tmp_path):
    mask = np.zeros((10, 20), np.uint8)
    mask[:5, :10] = 255
    PIL.Image.fromarray(mask).save(tmp_path / "mask.png")
    zone = zone_of_mask("sticker", tmp_path / "mask.png")
    (found,) = found_on(Image(np.zeros((40, 40), np.uint8)), {"sticker": zone})
    np.testing.assert_array_equal(np.argwhere(found.inside).max(axis=0), [19, 19])
    assert found.area == pytest.approx(0.25, abs=1e-3)


@pytest.mark.parametrize(
    ("name", "level", "says"), [("corners", 1, "called"), ("a b", 1, "called"), ("x", 0, "black")]
)
def test_a_zone_that_is_none_is_refused(name, level, says, tmp_path):
    values = np.zeros((4, 4), np.uint8)
    values[0, 0] = level
    PIL.Image.fromarray(values).save(tmp_path / "mask.png")
    with pytest.raises(InputError, match=says):
        zone_of_mask(name, tmp_path / "mask.png")


def test_filling_takes_out_what_stands_there_and_nothing_else():
    plane = torch.arange(64.0).reshape(1, 1, 8, 8) / 64
    marked = plane.clone()
    marked[..., 2:4, 2:4] = 9
    region = np.zeros((8, 8), np.bool_)
    region[2:4, 2:4] = True
    emptied = without(marked, region)
    outside = ~torch.from_numpy(region)
    assert torch.equal(emptied[0, 0][outside], marked[0, 0][outside])
    assert (emptied - plane).abs().max() < 0.1
    median = without(marked, region, Filling.MEDIAN)
    assert (median[0, 0][torch.from_numpy(region)] == 9).all()


class Marker(nn.Module):
    """3 × 3 means, squared, pooled: a place is seen by its neighbours too, and the head is linear."""

    def cells(self, x):
        return nn.functional.avg_pool2d(x, 3, 1, 1) ** 2

    def forward(self, x):
        return 5 * self.cells(x).sum((1, 2, 3))


def test_the_dilated_sum_is_the_counterfactual_effect_of_a_planted_marker():
    network, blank = Marker(), torch.zeros(1, 1, 12, 12)
    with_marker = blank.clone()
    with_marker[..., 2:4, 2:5] = 1
    effect = float(network(with_marker) - network(blank))
    change = (5 * (network.cells(with_marker) - network.cells(blank)))[0, 0].numpy()
    tight = (with_marker[0, 0] > 0).numpy().astype(np.float32)
    assert contribution(change, dilated(tight, 1)) == pytest.approx(effect)
    assert contribution(change, tight) < 0.8 * effect


def test_shares_count_support_only():
    values = np.array([[1.0, -5.0], [3.0, 0.0]], np.float32)
    weights = np.array([[1.0, 1.0], [0.0, 0.0]], np.float32)
    assert share_of_support(values, weights) == pytest.approx(0.25)
    assert contribution(values, weights) == pytest.approx(-4.0)
    assert share_of_support(-np.abs(values), weights) is None


def test_all_marks_of_a_finding_are_taken_out_together(monkeypatch):
    """Two boxes of one finding: what is left is what both taken out leave."""
    left, right = np.zeros((4, 8), bool), np.zeros((4, 8), bool)
    left[1:3, 1:3] = right[1:3, 5:7] = True
    taken = []

    def effects(_, regions, __):
        taken.extend(regions)
        return np.zeros((len(regions), 1))

    monkeypatch.setattr(measuring, "effects", effects)
    monkeypatch.setattr(measuring, "_body_on_input", lambda _: None)
    monkeypatch.setattr(measuring, "_on_input", lambda _, inside: inside)
    marks = [SimpleNamespace(finding="Nodule", inside=inside) for inside in (left, right)]
    seen = SimpleNamespace(name="a", annotations=marks, inputs=None, score=lambda _: np.zeros((1, 1)))
    (row,) = measuring._without_the_truth(seen, ["Nodule"])
    assert row.finding == "Nodule"
    np.testing.assert_array_equal(taken[0], left | right)
