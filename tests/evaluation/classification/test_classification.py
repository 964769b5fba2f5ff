import numpy as np
import pytest
from scipy.special import expit
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from camlucida.evaluation.classification import (
    MEASURES,
    STATISTICS,
    Answers,
    answers,
    at,
    auc,
    calibration,
    classified,
    log_odds,
    one_of_several,
    youden,
)
from camlucida.models.card import Output


def given(present, log_odds, point=0.5):
    patients = tuple(str(case) for case in range(len(present)))
    x = np.asarray(log_odds, float)
    return Answers("A", np.asarray(present, bool), x, point, expit(x) >= point, patients)


def drawn(count, seed=0, slope=1.0, shift=0.0):
    """Labels drawn from sigmoid(slope · x + shift): of x as log odds, slope and shift are the truth."""
    random = np.random.default_rng(seed)
    x = random.normal(size=count)
    return random.random(count) < expit(slope * x + shift), x


def once(statistic, count):
    return statistic(np.ones((1, count)))[0]


@pytest.mark.parametrize("seed", range(4))
def test_auc_counts_pairs_and_ties_half(seed):
    random = np.random.default_rng(seed)
    present, score = random.random(40) < 0.4, random.integers(6, size=40).astype(float)
    pairs = [
        1.0 if one > other else 0.5 if one == other else 0.0
        for one in score[present]
        for other in score[~present]
    ]
    assert once(auc(present, score), 40) == pytest.approx(sum(pairs) / len(pairs))


def test_auc_of_a_resample_is_that_of_the_cases_that_it_lists():
    random = np.random.default_rng(9)
    present, score = random.random(30) < 0.5, random.integers(9, size=30).astype(float)
    weights = random.integers(4, size=(5, 30))
    slow = [roc_auc_score(np.repeat(present, row), np.repeat(score, row)) for row in weights]
    assert auc(present, score)(weights.astype(float)) == pytest.approx(np.array(slow))


def test_auc_without_one_of_the_two_is_not_defined():
    result = classified(given([True, True, True], [0.0, 1.0, 2.0]))
    assert result.estimates["classification.auc"].value is None
    assert result.alternative is None
    assert result.stated.specificity.value is None


def test_the_four_shares_at_the_operating_point():
    present = [1, 1, 1, 1, 0, 0, 0, 0, 0, 0]
    logits = [2, 2, 2, -2, 2, -2, -2, -2, -2, -2]
    point = at(given(present, logits), 0.6)
    assert point.sensitivity.value == 3 / 4
    assert point.specificity.value == 5 / 6
    assert point.positive_predictive_value.value == 3 / 4
    assert point.negative_predictive_value.value == 5 / 6
    assert (point.sensitivity.cases, point.specificity.cases) == (4, 6)
    assert at(given(present, logits), float(expit(2.0))).sensitivity.value == 3 / 4  # reached is reported


def test_youden_is_the_best_of_all_operating_points():
    present, x = drawn(80, slope=2)
    best = youden(given(present, x))
    worth = {
        point: (expit(x[present]) >= point).mean() + (expit(x[~present]) < point).mean() - 1
        for point in expit(x)
    }
    assert worth[best] == pytest.approx(max(worth.values()))


@pytest.mark.parametrize(("slope", "shift"), [(1.0, 0.0), (0.5, -1.0), (2.0, 0.7)])
def test_calibration_slope_and_intercept_are_those_of_a_logistic_regression(slope, shift):
    present, x = drawn(3000, slope=slope, shift=shift)
    fitted = LogisticRegression(C=np.inf, tol=1e-10).fit(x[:, None], present)
    assert once(calibration.slope(present, x), 3000) == pytest.approx(fitted.coef_[0, 0], abs=1e-4)
    assert once(calibration.slope(present, x), 3000) == pytest.approx(slope, abs=0.2)
    added = once(calibration.intercept(present, x), 3000)
    assert expit(x + added).mean() == pytest.approx(present.mean(), abs=1e-9)  # right in the large


def test_calibration_of_a_resample_is_that_of_the_cases_that_it_lists():
    present, x = drawn(60, seed=2)
    weights = np.random.default_rng(0).integers(3, size=(3, 60))
    for statistic in (calibration.slope, calibration.intercept):
        slow = [once(statistic(np.repeat(present, row), np.repeat(x, row)), row.sum()) for row in weights]
        assert statistic(present, x)(weights.astype(float)) == pytest.approx(np.array(slow), abs=1e-6)


def test_classes_without_overlap_have_no_slope():
    result = classified(given([0, 0, 0, 1, 1, 1], [-3, -2, -1, 1, 2, 3]))
    assert result.estimates["classification.auc"].value == 1
    assert result.estimates["classification.calibration-slope"].value is None


def test_calibration_error_is_the_weighted_gap_of_ten_bins():
    probability = np.array([0.05, 0.05, 0.95, 0.95, 1.0])
    present = np.array([0, 1, 1, 1, 1], bool)
    low, high = abs(0.05 - 0.5), abs((0.95 * 2 + 1) / 3 - 1)
    assert once(calibration.error(present, probability), 5) == pytest.approx(low * 2 / 5 + high * 3 / 5)


def test_by_chance_a_calibrated_model_shows_an_error_that_shrinks_with_more_cases():
    few, many = drawn(50), drawn(5000)
    by_chance = [calibration.error_by_chance(expit(x)) for _, x in (few, many)]
    assert by_chance[0] > 0.08
    assert by_chance[1] < 0.02
    assert once(calibration.error(many[0], expit(many[1])), 5000) < 0.03  # it is calibrated


def test_the_reliability_curve_holds_the_diagonal_where_probabilities_are_right():
    present, x = drawn(4000)
    bins = calibration.reliability(present, expit(x), [str(case) for case in range(4000)])
    assert [part.seen.cases for part in bins] == [400] * 10
    assert sum(part.seen.low <= part.said <= part.seen.high for part in bins) >= 8
    assert [part.said for part in bins] == sorted(part.said for part in bins)


def test_only_cases_with_a_known_label_count(observed):
    cases = [
        observed(2.0, 0.0, labels={"A": True}, patient="1", point=0.3),
        observed(-2.0, 0.0, labels={"A": False, "B": True}, patient="2", point=0.3),
        observed(5.0, 0.0, patient="3"),
    ]
    one = answers(cases, "A")
    assert one.present.tolist() == [True, False]
    assert one.log_odds.tolist() == [2.0, -2.0]
    assert one.patients == ("1", "2")
    assert one.operating_point == 0.3
    assert one.reported.tolist() == [True, False]
    assert len(answers(cases, "B").present) == 1
    assert answers([], "A").operating_point is None


def test_no_case_is_no_error(observed):
    result = classified(answers([observed(1.0)], "A"))
    assert {one.value for one in result.estimates.values()} == {None}
    assert result.reliability == ()


def test_log_odds_of_softmax_are_against_all_other_findings(observed):
    prediction = observed(3.0, 1.0, -1.0, one_of=True).prediction
    for index, name in enumerate("ABC"):
        assert expit(log_odds(prediction, name, Output.SOFTMAX)) == pytest.approx(
            prediction.probabilities[index]
        )
    sure = observed(100.0, 0.0, one_of=True).prediction
    assert log_odds(sure, "A", Output.SOFTMAX) == 100.0  # where the probability is 1 and says no more


def test_in_a_softmax_the_highest_probability_is_reported_unless_there_is_an_operating_point(observed):
    said = [observed(1.0, 0.9, labels={"B": True}, one_of=True, point=point) for point in (None, 0.4)]
    assert [answers([one], "B", Output.SOFTMAX).reported.tolist() for one in said] == [[False], [True]]
    assert answers([said[0]], "B", Output.SIGMOID).reported is None
    assert classified(answers([said[0]], "B", Output.SIGMOID)).stated is None


def test_one_of_several_findings(observed):
    says = [("A", (2, 0, 0)), ("A", (0, 2, 0)), ("B", (0, 2, 0)), ("C", (0, 0, 2))]
    cases = [
        observed(*logits, labels={name: name == which for name in "ABC"}, patient=str(n), one_of=True)
        for n, (which, logits) in enumerate(says)
    ]
    result = one_of_several([*cases, observed(0, 0, 0, one_of=True)])  # one without labels
    assert result.confusion.tolist() == [[1, 1, 0], [0, 1, 0], [0, 0, 1]]
    assert result.estimates["classification.accuracy"].value == 3 / 4
    assert result.estimates["classification.mean-sensitivity"].value == pytest.approx((0.5 + 1 + 1) / 3)
    sure = np.exp(2) / (np.exp(2) + 2)
    assert result.estimates["classification.confidence-error"].value == pytest.approx(abs(sure - 3 / 4))
    rest = (1 - sure) / 2
    right, wrong = (1 - sure) ** 2 + 2 * rest**2, sure**2 + rest**2 + (1 - rest) ** 2
    assert result.estimates["classification.brier-of-all"].value == pytest.approx((3 * right + wrong) / 4)
    assert one_of_several([observed(0, 0)]) is None


def test_every_figure_has_its_measure():
    present, x = drawn(60)
    keys = {measure.key for measure in MEASURES}
    assert set(classified(given(present, x)).estimates) <= keys
    assert set(STATISTICS) <= keys
    assert {row.measure for row in classified(given(present, x)).rows()} <= keys
