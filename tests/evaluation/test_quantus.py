"""Agreement with Quantus 0.6.0 (Hedström et al., JMLR 2023) on fixed inputs, where it has the measure.

It is asked without its own scaling of maps (`normalise`), which would turn them around or make negative
values count. Where its code is not what its paper says, the test says so.
"""

import warnings

import numpy as np
import pytest
import torch
from torch import nn

import other_networks
from camlucida.evaluation.faithfulness import area, exchanged, road, strongest_first
from camlucida.evaluation.faithfulness.imputation import imputed
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


# --- faithfulness -------------------------------------------------------------------------------------------


class Network(nn.Module):
    """Two findings of small random weights, in evaluation mode."""

    def __init__(self) -> None:
        super().__init__()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(3)
            self.layers = nn.Sequential(
                nn.Conv2d(1, 6, 5, 2), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(6, 2)
            )
        self.eval()

    def forward(self, images):
        return self.layers(images)


def score(images):
    with torch.no_grad():
        return Network()(images).double().numpy()


@pytest.fixture(scope="module")
def images():
    random = np.random.default_rng(11)
    return random.normal(size=(3, 1, SIDE, SIDE)).astype(np.float32)


def asked(metric, images, values):
    """Quantus's figures of the first finding."""
    return metric(
        model=Network(),
        x_batch=images.copy(),
        y_batch=np.zeros(len(images), int),
        a_batch=values[:, None].copy(),
        softmax=False,
        device="cpu",
    )


@pytest.mark.parametrize("at_once", [48, 192])
def test_deletion_is_quantus_s_pixel_flipping(quantus, maps, images, at_once, monkeypatch):
    """It leaves the whole image out of its curve; its area counts steps where RISE counts the image as 1."""
    monkeypatch.setattr(np, "trapz", np.trapezoid, raising=False)  # which NumPy 2 took away
    values = maps[0][:3]
    options = {"features_in_step": at_once, "abs": False, "normalise": False, "disable_warnings": True}
    metric = quantus.PixelFlipping(perturb_baseline=0.0, **options)
    curves = np.asarray(asked(metric, images, values))
    areas = asked(
        quantus.PixelFlipping(perturb_baseline=0.0, return_auc_per_sample=True, **options), images, values
    )
    steps = SIDE**2 // at_once
    for image, one, curve, below in zip(images, values, curves, areas, strict=True):
        first = torch.from_numpy(image[None])
        ours = exchanged(score, first, torch.zeros_like(first), strongest_first(one), steps)[1:, 0]
        assert np.allclose(ours, curve, rtol=0, atol=TOLERANCE)
        assert np.isclose(area(ours) * (steps - 1), below, rtol=0, atol=TOLERANCE)


@pytest.mark.parametrize("order", ["morf", "lerf"])
def test_exchanging_patch_by_patch_is_quantus_s_region_perturbation(quantus, maps, images, order):
    """Its figures are how far the score has fallen; its order is that of the patches' sums."""
    values, patch = maps[0][:3], 6
    metric = quantus.RegionPerturbation(
        patch_size=patch,
        order=order,
        regions_evaluation=16,
        perturb_baseline=0.0,
        abs=False,
        normalise=False,
        disable_warnings=True,
    )
    fallen = np.asarray(asked(metric, images, values))
    across = SIDE // patch
    pixels = np.arange(SIDE**2).reshape(across, patch, across, patch).swapaxes(1, 2).reshape(-1, patch**2)
    for image, one, theirs in zip(images, values, fallen, strict=True):
        sums = one.ravel()[pixels].sum(axis=1)
        ranked = strongest_first(sums if order == "morf" else -sums)
        first = torch.from_numpy(image[None])
        ours = exchanged(score, first, torch.zeros_like(first), pixels[ranked].ravel(), across**2)[:, 0]
        assert np.allclose(ours[0] - ours[1:], theirs, rtol=0, atol=TOLERANCE)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_what_is_filled_in_is_quantus_s_noisy_linear_imputation(quantus, maps, images, share):
    for image, one in zip(images.astype(np.float64), maps[0], strict=False):
        removed = strongest_first(one)[: int(share * SIDE**2)]
        theirs = quantus.functions.perturb_func.noisy_linear_imputation(image.copy(), removed.copy(), noise=0)
        mask = torch.zeros(1, 1, SIDE, SIDE, dtype=torch.bool)
        mask.view(-1)[torch.from_numpy(removed)] = True
        ours = imputed(torch.from_numpy(image)[None], mask, noise=0)[0]
        assert np.allclose(ours, theirs, rtol=0, atol=TOLERANCE)


def test_road_is_quantus_s(quantus, maps, images, monkeypatch):
    """It counts how often the finding stays the highest; ours keeps the logits, from which that follows."""
    monkeypatch.setattr("camlucida.evaluation.faithfulness.imputed", without_noise)
    values, shares = maps[0][:3], [10, 30, 50, 70, 90]
    metric = quantus.ROAD(percentages=shares, noise=0, abs=False, normalise=False, disable_warnings=True)
    theirs = asked(metric, images, values)
    logits = [
        road(score, torch.from_numpy(image[None]), strongest_first(one), [share / 100 for share in shares])
        for image, one in zip(images, values, strict=True)
    ]
    ours = np.mean([each.argmax(axis=1) == 0 for each in logits], axis=0)
    assert list(theirs) == shares
    assert np.ptp(list(theirs.values())) > 0
    assert np.allclose(ours, list(theirs.values()), rtol=0, atol=TOLERANCE)


def without_noise(image, removed, seed=0):
    return imputed(image, removed, noise=0, seed=seed)
