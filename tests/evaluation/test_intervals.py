import numpy as np
import pytest

from camlucida.evaluation.estimates import means
from camlucida.evaluation.intervals import estimate, mean, proportion, ratio, resamples


def test_a_resample_draws_patients_with_all_their_cases():
    patients = ["a", "b", "a", "c"]
    weights = np.concatenate(list(resamples(patients, draws=500, seed=1)))
    assert weights.shape == (500, 4)
    assert (weights[:, 0] == weights[:, 2]).all()  # both of patient a
    assert (weights[:, [0, 1, 3]].sum(axis=1) == 3).all()  # as many patients as there are
    assert weights[:, 1].mean() == pytest.approx(1, abs=0.1)


def test_the_interval_is_that_of_resamples_drawn_one_by_one():
    """The slow way: for each resample the list of its cases, and the mean of that list."""
    random = np.random.default_rng(3)
    patients = [f"p{number}" for number in random.integers(20, size=60)]
    values = random.normal(size=60)
    slow = []
    for weights in np.concatenate(list(resamples(patients, draws=400, seed=5))):
        listed = [values[case] for case in range(60) for _ in range(int(weights[case]))]
        slow.append(sum(listed) / len(listed))
    found = mean(values, patients, draws=400, seed=5)
    assert found.value == pytest.approx(values.mean())
    assert (found.low, found.high) == pytest.approx(tuple(np.quantile(slow, [0.025, 0.975])))
    assert (found.cases, found.patients) == (60, len(set(patients)))


def test_95_of_100_intervals_hold_the_truth_though_cases_of_one_patient_are_alike():
    random = np.random.default_rng(0)
    held = {"by patient": 0, "by case": 0}
    for seed in range(100):
        own = np.repeat(random.normal(size=40), 4)  # four images of each of 40 patients
        values = own + 0.3 * random.normal(size=160)
        for name, patients in (("by patient", np.arange(160) // 4), ("by case", np.arange(160))):
            found = mean(values, [str(one) for one in patients], draws=400, seed=seed)
            held[name] += found.low <= 0 <= found.high
    assert 89 <= held["by patient"] <= 99
    assert held["by case"] < 75  # what drawing images would claim


def test_the_same_seed_gives_the_same_interval_in_pieces_or_at_once(monkeypatch):
    values, patients = np.arange(30.0), [str(case) for case in range(30)]
    whole = mean(values, patients, seed=4)
    assert mean(values, patients, seed=4) == whole
    assert mean(values, patients, seed=5) != whole
    monkeypatch.setattr("camlucida.evaluation.intervals.CHUNK_VALUES", 90)  # three resamples at a time
    assert mean(values, patients, seed=4) == whole


def test_what_is_not_defined_does_not_count():
    found = mean([1.0, np.nan, 3.0], ["a", "b", "c"])
    assert (found.value, found.cases, found.patients) == (2.0, 2, 2)
    nothing = mean([np.nan], ["a"])
    assert (nothing.value, nothing.low, nothing.cases, nothing.text()) == (None, None, 0, "–")


def test_resamples_without_a_value_are_told():
    """One of 40 cases counts below the line: a third of the resamples are without it."""
    patients = [str(case) for case in range(40)]
    counted = np.zeros(40)
    counted[7] = 1
    found = estimate(ratio(counted * 2, counted), patients)
    assert found.value == 2
    assert found.low is None
    assert "not defined in" in found.note
    counted[:4] = 1  # five of them: now it is rare
    found = estimate(ratio(counted * np.arange(40), counted), patients)
    assert found.low < found.value < found.high
    assert "were left out" in found.note


def test_one_patient_or_equal_values_have_no_interval():
    assert "one patient" in mean([1.0, 2.0], ["a", "a"]).note
    same = mean([0.5] * 9, list("abcdefghi"))
    assert (same.value, same.low) == (0.5, None)
    assert "same value" in same.note
    assert same.text() == "0.50"


def test_all_hits_have_the_exact_interval():
    """Clopper and Pearson: of 11 hits in 11 the lower bound is 0.025 ** (1 / 11) = 0.715."""
    found = proportion([True] * 11, [str(case) for case in range(11)])
    assert found.text(3) == "1.000 (0.715 to 1.000)"
    none = proportion([False] * 20, [str(case // 2) for case in range(20)])
    assert none.text(3) == "0.000 (0.000 to 0.308)"  # ten patients count, not twenty images
    some = proportion([True, False] * 20, [str(case) for case in range(40)])
    assert some.low == pytest.approx(0.35, abs=0.03)


def test_measurements_are_gathered_by_what_they_are_of(observed):
    cases = [
        observed(1.0, patient="a", measured={("A", "grad-cam", "x"): 1.0, ("A", "lime", "x"): 5.0}),
        observed(1.0, patient="b", measured={("A", "grad-cam", "x"): 2.0, ("A", "lime", "x"): None}),
        observed(1.0, patient="c", measured={("A", "grad-cam", "x"): 6.0}),
    ]
    first, second = means(cases, "view: AP")
    assert (first.measure, first.finding, first.method, first.group) == ("x", "A", "grad-cam", "view: AP")
    assert (first.estimate.value, first.estimate.cases) == (3.0, 3)
    assert (second.estimate.value, second.estimate.cases) == (5.0, 1)
