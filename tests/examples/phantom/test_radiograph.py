"""Phantom films: deterministic, 12 bits, the same at every resolution, with findings where the masks say."""

import numpy as np
import pytest

from camlucida.errors import InputError
from camlucida.examples.phantom.lesions import FINDINGS
from camlucida.examples.phantom.radiograph import radiograph


def test_a_film_is_twelve_bits_and_uses_them():
    film = radiograph(3, rows=240)
    assert film.values.shape == (240, 212)
    assert film.values.dtype == np.uint16
    assert film.values.max() <= 4095
    assert np.ptp(np.percentile(film.values, [1, 99])) > 2500
    assert film.spacing == pytest.approx(430 / 240)
    assert film.masks == {}


def test_the_same_number_is_the_same_film():
    first, again = (radiograph(4, ["Nodule", "Effusion"], rows=200) for _ in range(2))
    np.testing.assert_array_equal(first.values, again.values)
    assert (first.values != radiograph(5, ["Nodule", "Effusion"], rows=200).values).mean() > 0.9


@pytest.mark.parametrize("findings", [(), ("Consolidation", "Cardiomegaly"), ("Pneumothorax", "Effusion")])
def test_a_small_film_is_the_large_one_seen_from_afar(findings):
    small = radiograph(6, findings, rows=180)
    large = radiograph(6, findings, rows=720)
    columns = small.values.shape[1]
    averaged = large.values[:, : columns * 4].reshape(180, 4, columns, 4).mean((1, 3))
    difference = averaged - small.values
    assert np.abs(difference).mean() < 60  # of 4095: quantum noise
    assert np.corrcoef(averaged.ravel(), small.values.ravel())[0, 1] > 0.995
    for name, mask in small.masks.items():
        share = large.masks[name][:, : columns * 4].reshape(180, 4, columns, 4).mean((1, 3))
        assert ((share > 0.5) != mask).mean() < 0.003


@pytest.mark.parametrize("name", FINDINGS)
def test_a_finding_changes_its_film_inside_its_mask_more_than_outside(name):
    with_it, without = radiograph(7, [name], rows=300), radiograph(7, rows=300)
    difference = np.abs(with_it.values.astype(float) - without.values)
    mask = with_it.masks[name]
    assert list(with_it.masks) == [name]
    assert difference[mask].mean() > 3 * difference[~mask].mean()


def test_a_prior_shows_the_same_patient_on_another_day():
    today, before = radiograph(9, ["Effusion"], rows=200, visit=1), radiograph(9, rows=200, visit=0)
    assert today.anatomy == before.anatomy
    assert (today.values != before.values).mean() > 0.9
    assert np.corrcoef(today.values.ravel(), before.values.ravel())[0, 1] > 0.85


def test_the_tag_is_drawn_in_its_corner_and_nowhere_else():
    plain, tagged = radiograph(10, rows=300), radiograph(10, rows=300, marker=True)
    rows, columns = np.nonzero(plain.values != tagged.values)
    assert rows.max() < 30
    assert columns.max() < 50
    assert tagged.marker
    assert not plain.marker


def test_the_side_can_be_chosen():
    for side in (-1, 1):
        mask = radiograph(11, ["Pneumothorax"], rows=200, sides={"Pneumothorax": side}).masks["Pneumothorax"]
        assert np.sign(np.nonzero(mask)[1].mean() - mask.shape[1] / 2) == side


def test_sides_vary_from_patient_to_patient():
    sides = {
        np.nonzero(radiograph(seed, ["Nodule"], rows=100).masks["Nodule"])[1].mean() > 44
        for seed in range(12)
    }
    assert sides == {True, False}


def test_an_unknown_finding_is_refused_by_name():
    with pytest.raises(InputError, match=r"no finding “Fracture”; it can have: Pneumothorax"):
        radiograph(1, ["Fracture"], rows=100)
