"""Phantom CTs: Hounsfield units of the right tissues, and findings where the masks say."""

import numpy as np
import pytest

from camlucida.errors import InputError
from camlucida.examples.phantom.volume import ct_volume


@pytest.fixture(scope="module")
def pair():
    return ct_volume(3, ["Nodule", "Effusion"], slices=36, rows=96), ct_volume(3, slices=36, rows=96)


def test_voxels_are_anisotropic_and_in_hounsfield_units(pair):
    _, healthy = pair
    assert healthy.values.shape == (36, 96, 96)
    assert healthy.spacing == (8.0, 3.75, 3.75)
    assert healthy.values.dtype == np.int16
    assert np.median(healthy.values[:, :4, :4]) == pytest.approx(-1000, abs=40)  # air around the patient
    assert healthy.values.max() > 250  # bone
    lungs = (healthy.values > -900) & (healthy.values < -780)
    assert 0.05 < lungs.mean() < 0.35


def test_the_same_number_is_the_same_volume(pair):
    again = ct_volume(3, ["Nodule", "Effusion"], slices=36, rows=96)
    np.testing.assert_array_equal(pair[0].values, again.values)


def test_findings_put_tissue_or_fluid_where_there_was_air(pair):
    ill, healthy = pair
    for name, low, high in (("Nodule", -150, 90), ("Effusion", -60, 60)):
        mask = ill.masks[name]
        assert mask.any()
        assert np.median(healthy.values[mask]) < -600
        assert low < np.median(ill.values[mask]) < high
    anywhere = ill.masks["Nodule"] | ill.masks["Effusion"]
    changed = np.abs(ill.values.astype(int) - healthy.values) > 150
    assert (changed & ~anywhere).sum() < 0.8 * anywhere.sum()  # the soft edges of small things


def test_fluid_sinks_to_the_back_of_a_supine_patient(pair):
    assert np.nonzero(pair[0].masks["Effusion"])[1].mean() > 96 * 0.6


def test_the_place_of_a_nodule_does_not_depend_on_the_resolution():
    centres = []
    for slices, rows in ((36, 96), (72, 192)):
        volume = ct_volume(21, ["Nodule"], slices=slices, rows=rows)
        indices = np.argwhere(volume.masks["Nodule"]).mean(0)
        centres.append((indices + 0.5) * np.array(volume.spacing))
    np.testing.assert_allclose(centres[0], centres[1], atol=3)  # mm


def test_an_unknown_finding_is_refused_by_name():
    with pytest.raises(InputError, match="no finding “Cardiomegaly”"):
        ct_volume(1, ["Cardiomegaly"], slices=8, rows=16)
