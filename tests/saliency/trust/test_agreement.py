import numpy as np
import pytest

import camlucida
from camlucida.saliency.ranks import spearman
from camlucida.saliency.trust.agreement import OTHERS, compared, one_and_the_same
from example_networks import Dense, Flat, images, make


def test_others_are_those_that_explain_gives():
    network, image = make(Flat), images(Flat)[0]
    own = camlucida.explain(network, image, checks="agreement")
    for index, trust in enumerate(own.explanation.trust.findings):
        assert [one.method for one in trust.agreement.methods] == [key for key in OTHERS if key != "grad-cam"]
        for one in trust.agreement.methods:
            other = camlucida.explain(network, image, method=one.method).values[index]
            mine = own.values[index] if (other < 0).any() else np.clip(own.values[index], 0, None)
            assert one.correlation == pytest.approx(spearman(mine, other), abs=1e-6)
        listed = {one.method: one for one in trust.agreement.methods}
        assert listed["layercam"].same_sign is None


def test_signs_are_compared_cell_by_cell():
    random = np.random.default_rng(0)
    own, other = random.normal(size=(2, 5, 6)).astype(np.float32)
    own[0, 0] = 0
    pairs = list(zip(own.ravel(), other.ravel(), strict=True))
    strong = [(a, b) for a, b in pairs if abs(a) > 1e-3 * abs(own).max() and abs(b) > 1e-3 * abs(other).max()]
    same = sum(a * b > 0 for a, b in strong) / len(strong)
    assert compared("x", own, other).same_sign == pytest.approx(same)
    assert compared("x", own, -own).same_sign == 0
    assert compared("x", own, own).same_sign == 1


def test_a_map_that_is_the_same_by_theorem_is_no_support():
    """Mean pooling and a linear head: Grad-CAM, HiResCAM, XGrad-CAM are one map."""
    network, image = make(Dense), images(Dense)[0]
    own = camlucida.explain(network, image, checks="agreement")
    for index, finding in enumerate(own.explanation.trust.findings):
        counted = []
        for one in finding.agreement.methods:
            other = camlucida.explain(network, image, method=one.method).values[index]
            scaled = [values / np.abs(values).max() for values in (own.values[index], other)]
            if np.abs(scaled[0] - scaled[1]).max() > 1e-4:
                counted.append(one.correlation)
        assert len(counted) < len(finding.agreement.methods) - 1
        assert finding.agreement.correlation == pytest.approx(np.median(counted))
    values = np.random.default_rng(0).normal(size=(4, 4)).astype(np.float32)
    assert one_and_the_same(values, 3 * values)
    assert not one_and_the_same(values, -values)


def test_an_attribution_is_compared_on_the_cells():
    result = camlucida.explain(make(Dense), images(Dense)[0], method="gradient", checks="agreement")
    assert all(trust.agreement.correlation is not None for trust in result.explanation.trust.findings)
