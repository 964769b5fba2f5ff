import numpy as np
import pytest
import torch

from camlucida.evaluation.faithfulness import (
    CHANCE,
    MEASURES,
    Removal,
    area,
    blurred,
    darkened,
    deletion,
    exchanged,
    insertion,
    measure,
    measuring,
    road,
    strongest_first,
)
from camlucida.models.card import Task
from toy_network import SIDE, Weighted, by_key, classifier, film, seen


def square(value=1.0):
    """Weights that look at one square only."""
    weights = np.zeros((SIDE, SIDE))
    weights[4:8, 9:13] = value
    return weights


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return classifier(tmp_path_factory.mktemp("toy"), Weighted(np.stack([square(0.5), -square(0.5)])), 2)


@pytest.fixture(scope="module")
def bright():
    """A film whose square is brighter than the rest, so that the first finding is there."""
    image = film()
    image.values[4:8, 9:13] = 250
    return image


def petsiuk(score, first, last, order, steps):
    """RISE's loop: pixel by pixel, the score looked at after every step."""
    image, taken, scores = first.clone(), 0, []
    for step in range(steps + 1):
        until = round(len(order) * step / steps)
        while taken < until:
            row, column = divmod(int(order[taken]), SIDE)
            image[..., row, column] = last[..., row, column]
            taken += 1
        scores.append(score(image)[0])
    return np.array(scores)


def test_insertion_and_deletion_exchange_pixel_after_pixel_in_the_map_s_order(model, bright):
    case = seen(model, bright, {"x": np.stack([square()] * 2)})
    order = strongest_first(np.random.default_rng(1).normal(size=(SIDE, SIDE)))
    image = case.inputs
    mean = torch.full_like(image, float(image.mean()))
    for slow, fast in (
        (petsiuk(case.score, image, mean, order, 7), deletion(case.score, image, order, 7)),
        (petsiuk(case.score, blurred(image), image, order, 7), insertion(case.score, image, order, 7)),
    ):
        np.testing.assert_allclose(fast, slow, atol=1e-5)


def test_the_area_of_a_line_is_its_middle():
    """RISE: (sum - first / 2 - last / 2) / steps."""
    curve = np.array([0.0, 0.5, 1.0, 4.0])
    assert area(curve) == pytest.approx((curve.sum() - curve[0] / 2 - curve[-1] / 2) / 3)
    assert area(np.linspace(0, 1, 5)) == 0.5


def test_deletion_of_a_weighted_sum_is_known_in_closed_form(model, bright):
    """With the square's 16 pixels first, 1 step in 16 takes it all: the logit is then that of its mean."""
    case = seen(model, bright, {"x": np.stack([square()] * 2)})
    logits = deletion(case.score, case.inputs, strongest_first(square()), SIDE)[:, 0]
    mean = float(case.inputs.mean())
    whole = 0.5 * float(case.inputs[0, 0, 4:8, 9:13].sum())
    assert logits[0] == pytest.approx(whole, rel=1e-5)
    np.testing.assert_allclose(logits[1:], 0.5 * 16 * mean, rtol=1e-4, atol=1e-4)


def test_the_true_map_is_better_than_chance_and_the_false_one_worse(model, bright):
    false = seen(model, bright, {"x": np.stack([-square()] * 2)})
    true = seen(model, bright, {"x": np.stack([square()] * 2)})
    good, chance = (by_key(measure(true), method) for method in ("x", CHANCE))
    bad = by_key(measure(false), "x")
    for key in ("insertion", "insertion-logit", "road", "beyond-chance", "road-weakest"):
        assert good[f"faithfulness.{key}"] > chance[f"faithfulness.{key}"] > bad[f"faithfulness.{key}"]
    for key in ("deletion-logit", "road-strongest"):
        assert good[f"faithfulness.{key}"] < chance[f"faithfulness.{key}"] < bad[f"faithfulness.{key}"]
    assert good["faithfulness.beyond-chance"] > 0 > bad["faithfulness.beyond-chance"]


def test_road_takes_the_strongest_and_then_the_weakest(model, bright):
    """The weakest 80 % leave the whole square, so the logit stays; the strongest 20 % hold it."""
    case = seen(model, bright, {"x": np.stack([square()] * 2)})
    order = strongest_first(square())
    weakest = road(case.score, case.inputs, order[::-1], [0.8])[0, 0]
    strongest = road(case.score, case.inputs, order, [0.2])[0, 0]
    assert weakest == pytest.approx(case.prediction.logits[0], abs=1e-4)
    assert strongest < case.prediction.logits[0] - 5
    measured = by_key(measure(case, Removal(shares=(0.2,))), "x")
    both = [
        road(case.score, case.inputs, one, [0.2], int(bright.digest[:8], 16)) for one in (order, order[::-1])
    ]
    half = float(both[1][0, 0] - both[0][0, 0]) / 2
    assert measured["faithfulness.beyond-chance"] == pytest.approx(half, abs=1e-6)


def test_a_map_of_ones_games_the_average_drop(model, bright):
    """It darkens nothing, so nothing drops: the best score there is, for a map that says nothing."""
    ones = by_key(measure(seen(model, bright, {"x": np.ones((2, 4, 4))})), "x")
    true = by_key(measure(seen(model, bright, {"x": np.stack([square()] * 2)})), "x")
    assert ones["faithfulness.average-drop"] == pytest.approx(0, abs=1e-4)
    assert ones["faithfulness.drop-logit"] == pytest.approx(0, abs=1e-4)
    assert ones["faithfulness.increase"] == 0
    assert ones["faithfulness.kept"] == 100
    assert true["faithfulness.kept"] == pytest.approx(100 * 16 / SIDE**2)
    assert ones["faithfulness.insertion"] is None  # no order, so nothing to measure
    assert ones["faithfulness.road"] is None


def test_darkening_multiplies_the_image_before_its_normalisation(model, bright):
    weights = np.random.default_rng(2).random((SIDE, SIDE))
    dark = darkened(seen(model, bright, {}).inputs, weights, model.card.preparation)
    by_hand = (bright.values / 255 * weights - 0.5) / 0.25
    np.testing.assert_allclose(dark[0, 0], by_hand, atol=1e-5)


def test_average_drop_is_chattopadhay_s(model, bright):
    """max(0, Y - O) / Y, in per cent, of one image."""
    half = np.stack([square() * 0.5 + 0.5] * 2)  # the square kept, half of everything else
    case = seen(model, bright, {"x": -half})  # no support
    assert by_key(measure(case), "x")["faithfulness.average-drop"] is None
    case = seen(model, bright, {"x": half[:, ::-1]})
    measured = by_key(measure(case), "x")
    weights = half[0, ::-1]
    logit = 0.5 * float(((bright.values / 255 * weights - 0.5) / 0.25)[4:8, 9:13].sum())
    before, after = (1 / (1 + np.exp(-one)) for one in (case.prediction.logits[0], logit))
    expected = 100 * max(0, before - after) / before
    assert measured["faithfulness.average-drop"] == pytest.approx(expected, abs=1e-3)
    assert measured["faithfulness.drop-logit"] == pytest.approx(case.prediction.logits[0] - logit, abs=1e-3)


def test_only_what_is_there_or_reported_is_measured(model, bright):
    maps = {"x": np.stack([square()] * 2)}
    findings = {one.finding for one in measure(seen(model, bright, maps), Removal(findings=2))}
    assert findings == {"finding 0"}
    labels = {"finding 1": True}
    findings = [one.finding for one in measure(seen(model, bright, maps, labels), Removal(findings=1))]
    assert set(findings) == {"finding 1"}


def test_every_key_is_in_the_catalogue_and_no_case_costs_more_than_is_said(model, bright, monkeypatch):
    case = seen(model, bright, {"x": np.stack([square()] * 2)})
    scored = []
    score = type(case).score
    monkeypatch.setattr(
        type(case), "score", lambda self, inputs: scored.append(len(inputs)) or score(self, inputs)
    )
    rows = list(measuring()(case))
    assert {one.measure for one in rows} == {measure.key for measure in MEASURES}
    assert sum(scored) == 2 * 21 + 1  # the map, chance, and what the model says
    assert rows == list(measuring()(case))


def test_a_regression_has_logits_and_no_probabilities(tmp_path, bright):
    model = classifier(tmp_path, Weighted(square()[None]), 1, task=str(Task.REGRESSION))
    measured = by_key(measure(seen(model, bright, {"x": square()[None]})), "x")
    assert measured["faithfulness.insertion"] is None
    assert measured["faithfulness.average-drop"] is None
    assert measured["faithfulness.insertion-logit"] is not None


def test_exchanging_nothing_and_everything(model, bright):
    case = seen(model, bright, {})
    other = -case.inputs
    logits = exchanged(case.score, case.inputs, other, np.arange(SIDE**2), 2)
    np.testing.assert_allclose(logits[0], case.score(case.inputs)[0])
    np.testing.assert_allclose(logits[-1], case.score(other)[0])


def test_a_counterfactual_map_is_turned_round(model, bright):
    against = seen(model, bright, {"counterfactual grad-cam": np.stack([-square()] * 2)})
    for_it = seen(model, bright, {"grad-cam": np.stack([square()] * 2)})
    key = "counterfactual grad-cam"
    assert by_key(measure(against), key) == by_key(measure(for_it), "grad-cam")
