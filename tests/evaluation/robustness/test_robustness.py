import numpy as np
import pytest
import torch
from torch import nn

from camlucida.evaluation.data.case import Case
from camlucida.evaluation.data.cohort import Observed
from camlucida.evaluation.data.seen import Seen
from camlucida.evaluation.robustness import (
    MEASURES,
    Changes,
    carried,
    likeness,
    measure,
    measuring,
    prediction_saliency_correlation,
)
from camlucida.evaluation.robustness.small_changes import Family, small_changes
from camlucida.records import Geometry, Image, Measurement, SaliencyMap
from camlucida.records.geometry import resizing
from camlucida.saliency.explain import explain_batch
from toy_network import SIDE, by_key, classifier

FINDING = "finding 0"


class Bright(nn.Module):
    """One convolution that lets brightness above the middle through, mean, one weight: a map of the light."""

    def __init__(self, weight: float = 4.0) -> None:
        super().__init__()
        self.through = nn.Conv2d(1, 1, 1)
        self.head = nn.Linear(1, 1)
        with torch.no_grad():
            self.through.weight.fill_(1.0)
            self.through.bias.zero_()
            self.head.weight.fill_(weight)
            self.head.bias.fill_(-0.5)

    def forward(self, x):
        return self.head(self.through(x).relu().mean((2, 3)))


def spot(row, column, side=64):
    rows, columns = np.indices((side, side))
    light = 255 * np.exp(-((rows - row) ** 2 + (columns - column) ** 2) / 120)
    return Image(light.astype(np.uint8))


def case(model, image, methods=("grad-cam",), **labels):
    maps = {
        method: explain_batch(model, [image], method=method)[0].explanation.saliency_map for method in methods
    }
    return Seen("a film", image, model, maps, labels or {FINDING: True})


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return classifier(tmp_path_factory.mktemp("bright"), Bright(), 1)


@pytest.fixture(scope="module")
def measured(model):
    return by_key(measure(case(model, spot(24, 40))), "grad-cam")


def test_a_map_of_the_light_goes_where_the_light_goes(measured):
    """Shift and turn leave the light as it is and are carried back: the map is the same."""
    for kind in ("shift", "turn", "compression"):
        assert measured[f"robustness.{kind}-ssim"] > 0.95
        assert measured[f"robustness.{kind}-logit"] < 0.02
    assert measured["robustness.window-logit"] > 0.05  # brightness is all that this network sees


def test_without_being_carried_back_it_would_be_another_map(model):
    image = spot(24, 40)
    seen = case(model, image)
    (shifted, _) = (one for one in small_changes(image) if one.family is Family.SHIFT)
    there = explain_batch(model, [shifted.image], method="grad-cam")[0].explanation.saliency_map
    back = likeness(seen.maps["grad-cam"], there, FINDING, shifted.moved)
    left = likeness(seen.maps["grad-cam"], there, FINDING, np.eye(3))
    assert back.ssim > left.ssim + 0.02
    assert back.logit == left.logit


def test_a_map_is_carried_to_where_it_lies_on_the_image_before():
    """A ramp along the columns, read 3 pixels further right: 3 pixels' worth more."""
    geometry = Geometry((8, 8), (32, 32), resizing((32, 32), (8, 8)))
    ramp = np.tile(np.arange(8, dtype=np.float32), (8, 1))
    still, everywhere = carried(ramp, geometry, np.eye(3))
    moved = np.eye(3)
    moved[1, 2] = 3
    further, known = carried(ramp, geometry, moved)
    np.testing.assert_allclose(further[:, 4:24] - still[:, 4:24], 3 / 4, atol=1e-6)
    assert everywhere.all()
    assert known[:, :29].all()
    assert not known[:, 29:].any()


def test_a_volume_s_map_is_carried_within_its_slices():
    geometry = Geometry((4, 8, 8), (12, 32, 32), resizing((12, 32, 32), (4, 8, 8)))
    ramp = np.broadcast_to(np.arange(8, dtype=np.float32), (4, 8, 8))
    moved = np.eye(4)
    moved[2, 3] = 4
    still, _ = carried(ramp, geometry, np.eye(4))
    further, known = carried(ramp, geometry, moved)
    assert still.shape == (12, 24, 24)
    np.testing.assert_allclose(further[..., 3:18] - still[..., 3:18], 1, atol=1e-6)
    assert known[:, :, :20].all()
    assert not known[:, :, 22:].any()


def test_two_maps_of_which_one_has_no_support_have_no_likeness_of_look():
    geometry = Geometry((4, 4), (4, 4), np.eye(3))
    random = np.random.default_rng(0).normal(size=(1, 4, 4)).astype(np.float32)
    one, against = (
        SaliencyMap(("x",), values, (logit,), (0.0,), (0.0,), "m", "l", geometry)
        for values, logit in ((random, 1.0), (-np.abs(random), -2.0))
    )
    alike = likeness(one, against, "x", np.eye(3))
    assert alike.ssim is None
    assert alike.logit == 3.0
    assert -1 <= alike.rank <= 1
    assert likeness(one, one, "x", np.eye(3)) == (0.0, pytest.approx(1.0), pytest.approx(1.0))


def test_another_seed_is_compared_on_the_same_image(model, tmp_path):
    """The same network is the best repeat there is; one that looks for darkness is none."""
    dark = Bright()
    with torch.no_grad():
        dark.through.weight.fill_(-1.0)
    other = classifier(tmp_path, dark, 1)
    seen = case(model, spot(24, 40))
    few = Changes(families=())
    same = by_key(measuring(few, (model,))(seen), "grad-cam")
    unlike = by_key(measuring(few, (other,))(seen), "grad-cam")
    assert same == {
        "robustness.repeatability-logit": 0.0,
        "robustness.repeatability-ssim": pytest.approx(1.0),
        "robustness.repeatability-rank": pytest.approx(1.0),
    }
    assert unlike["robustness.repeatability-ssim"] < 0.5
    assert unlike["robustness.repeatability-rank"] < 0


def test_keys_are_in_the_catalogue_and_nothing_is_measured_of_what_is_not_there(model, measured):
    assert set(measured) <= {measure.key for measure in MEASURES}
    assert len(measured) == 15
    dark = case(model, Image(np.zeros((SIDE, SIDE), np.uint8)), **{FINDING: False})
    assert list(measure(dark)) == []


def observed(name, patient, pairs):
    """A case whose changes moved logit and map so far."""
    rows = [
        Measurement(name, "x", "m", f"robustness.{kind}-{what}", value)
        for kind, (logit, change) in zip(("window", "noise", "shift"), pairs, strict=True)
        for what, value in (("logit", logit), ("ssim", 1 - change), ("rank", 0.5))
    ]
    blank = np.zeros((4, 4), np.uint8)
    return Observed(Case(name, (), {}, patient), None, {}, tuple(rows), blank, np.zeros(2, np.float32))


def test_prediction_and_saliency_correlate_as_pearson_says():
    random = np.random.default_rng(0)
    cohort, every = [], []
    for number in range(12):
        logits = random.random(3)
        pairs = np.stack([logits, 0.3 * logits + 0.1 * random.random(3)], axis=1)
        every.append(pairs)
        cohort.append(observed(f"film {number}", f"patient {number // 2}", pairs))
    (found,) = prediction_saliency_correlation(cohort)
    x, y = np.concatenate(every).T
    assert found.estimate.value == pytest.approx(np.corrcoef(x, y)[0, 1])
    assert found.estimate.low < found.estimate.value < found.estimate.high
    assert (found.estimate.cases, found.estimate.patients) == (12, 6)
    assert (found.finding, found.method) == ("x", "m")


def test_a_map_that_never_moves_has_no_correlation():
    cohort = [observed(f"film {number}", str(number), [(number, 0.0)] * 3) for number in range(4)]
    (found,) = prediction_saliency_correlation(cohort)
    assert found.estimate.value is None
