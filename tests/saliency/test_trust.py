import numpy as np
import pytest

from camlucida.records import Geometry, HeadKind, SaliencyMap, Unit
from camlucida.saliency import trust
from camlucida.saliency.methods import METHODS


def map_of(*values, logit=1.0, bias=0.0, unit=Unit.LOGIT):
    array = np.array(values, np.float32)[None]
    residual = logit - bias - float(array.sum(dtype=np.float64))
    geometry = Geometry(array.shape[1:], array.shape[1:], np.eye(array.ndim))
    return SaliencyMap(
        ("Nodule",), array, (logit,), (bias,), (residual,), "hirescam", "layer", geometry, unit
    )


def statement_of(saliency_map):
    return trust.report(saliency_map, METHODS["hirescam"], None).findings[0].statement


def slow_focality(values):
    support = sorted((max(float(v), 0.0) for v in np.ravel(values)), reverse=True)
    held, half = 0.0, sum(support) / 2
    for count, value in enumerate(support, 1):
        held += value
        if held >= half:
            return count / len(support)
    return None


def test_focality_is_the_area_that_holds_half_of_the_evidence():
    values = np.random.default_rng(0).normal(size=(5, 6, 7))
    support = np.clip(values, 0, None)
    assert trust.focality(support) == pytest.approx([slow_focality(one) for one in values])
    one_cell = np.zeros((1, 4, 4))
    one_cell[0, 2, 1] = 3
    assert trust.focality(one_cell) == [1 / 16]
    assert trust.focality(np.zeros((1, 4, 4))) == [None]


def test_border_share_counts_the_outermost_ring():
    values = np.zeros((2, 4, 5))
    values[0, 0, 0], values[0, 1, 1] = 1, 3
    assert trust.border_share(values) == [0.25, None]
    assert trust.border_share(np.ones((1, 3, 3))) == [pytest.approx(8 / 9)]


def test_a_thin_axis_is_not_all_border():
    assert trust.border_share(np.ones((1, 1, 3, 3))) == [pytest.approx(8 / 9)]


def test_residual_share_is_between_all_and_nothing():
    assert trust.residual_share(0.0, 3.0, -1.0) == 0.0
    assert trust.residual_share(-1.0, 2.0, -1.0) == 0.25
    assert trust.residual_share(0.0, 0.0, 0.0) == 0.0


@pytest.mark.parametrize(
    ("saliency_map", "says"),
    [
        (map_of([2.0, -1.0], [0.0, 0.0]), "accounts for the whole logit"),
        (map_of([2.0, -1.1], [0.0, 0.0]), "all but 0.1 logits"),
        (map_of([0.2, -0.1], [0.0, 0.0]), "75% of the evidence is not on the map (+0.90 logits)"),
        (map_of([-2.0, -1.0], [0.0, 0.0], logit=-3.0), "No supporting evidence"),
        (map_of([2.0, 1.0], [0.0, 0.0], unit=Unit.RELATIVE), "Shows where, not how much"),
    ],
)
def test_says_in_words_what_the_map_is_good_for(saliency_map, says):
    assert says in statement_of(saliency_map)


def test_the_report_says_what_is_not_proven():
    report = trust.report(map_of([1.0, 0.0], [0.0, 0.0]), METHODS["grad-cam"], None, ["look out"])
    assert report.head is HeadKind.UNPROVEN
    assert report.head_deviation is None
    assert report.cautions[0] == "look out"
