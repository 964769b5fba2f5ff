"""Phantom patients: always the same by number, and a heart as wide as it is said to be."""

import numpy as np

from camlucida.examples.phantom.anatomy import draw_anatomy, thorax_width


def test_a_number_is_always_the_same_patient():
    assert draw_anatomy(5) == draw_anatomy(5)
    assert draw_anatomy(5) != draw_anatomy(6)


def test_cardiomegaly_changes_the_heart_and_nothing_else():
    normal, large = draw_anatomy(8), draw_anatomy(8, cardiomegaly=True)
    assert normal.lungs == large.lungs
    assert normal.rib_pitch == large.rib_pitch
    assert large.heart.radii[0] > normal.heart.radii[0]


def test_the_cardiothoracic_ratio_separates_normal_from_large():
    def ratio(anatomy):
        heart = anatomy.heart
        right = heart.atrium_centre[0] - heart.atrium_radii[0]
        left = heart.centre[0] + heart.radii[0]
        return (left - right) / thorax_width(anatomy.lungs)

    normal = [ratio(draw_anatomy(seed)) for seed in range(60)]
    large = [ratio(draw_anatomy(seed, cardiomegaly=True)) for seed in range(60)]
    assert max(normal) < 0.53 < min(large)
    assert 0.38 < np.mean(normal) < 0.48


def test_the_right_dome_stands_higher_because_of_the_liver():
    domes = np.array([[lung.dome[1] for lung in draw_anatomy(seed).lungs] for seed in range(80)])
    assert domes[:, 0].mean() + 5 < domes[:, 1].mean()
