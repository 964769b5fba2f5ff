"""Agreement with Quantus 0.6.0 (Hedström et al., JMLR 2023) on fixed inputs, where it has the measure.

It is asked without its own scaling of maps (`normalise`), which would turn them around or make negative
values count. Where its code is not what its paper says, the test says so.
"""

import warnings

import numpy as np
import pytest

import other_networks
from camlucida.evaluation.localization import localization, measures
from camlucida.evaluation.localization.marked import marked
from camlucida.records import Annotation, Geometry
from camlucida.records.annotation import AnnotationKind

# What it warns of is its own.
pytestmark = [pytest.mark.filterwarnings("ignore"), pytest.mark.slow]

TOLERANCE = 1e-6
SIDE = 24


@pytest.fixture(scope="module")
def quantus():
    """The library; importing it takes seconds, and warns."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return other_networks.module("quantus")


# --- localisation -------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def maps():
    """Maps (n, row, column) as they come from a network, signed, and masks: n random boxes."""
    random = np.random.default_rng(7)
    edges = np.sort(random.integers(1, SIDE - 1, (6, 2, 2)), axis=-1)
    masks = np.zeros((6, SIDE, SIDE), np.bool_)
    for mask, ((top, bottom), (left, right)) in zip(masks, edges, strict=True):
        mask[top : bottom + 1, left : right + 1] = True
    return random.normal(size=(6, SIDE, SIDE)).astype(np.float32), masks


@pytest.fixture(scope="module")
def ours(maps):
    geometry = Geometry((SIDE, SIDE), (SIDE, SIDE), np.eye(3))
    return [
        localization(values, geometry, marked([Annotation("A", AnnotationKind.MASK, mask)], "A"))
        for values, mask in zip(*maps, strict=True)
    ]


@pytest.mark.parametrize(
    ("name", "measure"),
    [
        ("RelevanceMassAccuracy", measures.SHARE),
        ("AttributionLocalisation", measures.SHARE),
        ("RelevanceRankAccuracy", measures.RANK_ACCURACY),
        ("PointingGame", measures.HIT),
        ("AUC", measures.AUROC),
    ],
)
def test_localisation_is_that_of_quantus(quantus, maps, ours, name, measure):
    """Given the support: Quantus sums what argues against a finding as well, and its mass may exceed 1."""
    values, masks = maps
    metric = getattr(quantus, name)(abs=False, normalise=False, disable_warnings=True)
    told = metric(
        model=None,
        x_batch=np.zeros((6, 1, SIDE, SIDE), np.float32),
        y_batch=np.zeros(6, int),
        a_batch=np.clip(values, 0, None)[:, None],
        s_batch=masks[:, None],
    )
    theirs = np.asarray(told, float)
    assert np.ptp(theirs) > 0  # the measure tells these maps apart
    assert np.allclose([one[measure] for one in ours], theirs, rtol=0, atol=TOLERANCE)
