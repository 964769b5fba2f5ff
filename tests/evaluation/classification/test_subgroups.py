import numpy as np
import pytest
from scipy.special import expit
from scipy.stats import rankdata

from camlucida.evaluation.classification import Answers
from camlucida.evaluation.classification.subgroups import by_group, groups


def sizes(column, values):
    return {group.name: int(group.members.sum()) for group in groups(column, values)}


def test_ages_go_into_bands_in_years_or_as_dicom_writes_them():
    found = sizes("Patient Age", ["17", "058Y", "006M", "80", "18", "", "39.5", "003W", "102"])
    assert found == {
        "0 to below 18": 3,
        "18 to below 40": 2,
        "40 to below 60": 1,
        "80 and above": 2,
        "not given": 1,
    }
    assert list(found)[-1] == "not given"


def test_other_numbers_go_into_four_bands_unless_they_are_few():
    assert sizes("exposure", [str(number) for number in range(1, 101)]) == {
        "1 to below 26": 25,
        "26 to below 51": 25,
        "51 to below 76": 25,
        "76 and above": 25,
    }
    assert sizes("scanner", ["1", "2", "2"]) == {"1": 1, "2": 2}


def test_rare_names_are_taken_together_and_no_case_is_lost():
    values = [name for number, name in enumerate("abcdefghijkl") for _ in range(number + 1)] + [" ", "nan"]
    found = sizes("site", values)
    assert found["all others"] == 1 + 2 + 1  # a, b and nan
    assert found["not given"] == 1
    assert sum(found.values()) == len(values)


def test_a_cell_that_is_no_age_leaves_the_column_as_names():
    assert sizes("age", ["old", "12"]) == {"12": 1, "old": 1}


def made(count=400, worse=0.0, seed=0, images=1):
    """Logits that tell the finding well; among women noise is added, by `worse`."""
    random = np.random.default_rng(seed)
    present = random.random(count) < 0.4
    sex = np.repeat(random.choice(["F", "M"], count // images), images)
    x = 1.5 * (2 * present - 1) + random.normal(size=count) + worse * random.normal(size=count) * (sex == "F")
    patients = tuple(str(case // images) for case in range(count))
    return Answers("A", present, x, 0.5, x >= 0, patients), sex.tolist()


def slow_auc(present, score):
    ranks, count = rankdata(score), present.sum()
    return (ranks[present].sum() - count * (count + 1) / 2) / (count * (~present).sum())


def test_figures_of_a_group_are_those_of_its_cases_alone():
    answers, sex = made(worse=3.0)
    found = by_group(answers, "sex", sex)
    women = np.array(sex) == "F"
    first = found.rows[0]
    assert first.title == "sex: F"
    assert (first.present, first.absent) == (answers.present[women].sum(), (~answers.present[women]).sum())
    auc = first.estimates["classification.auc"]
    assert auc.value == pytest.approx(slow_auc(answers.present[women], answers.log_odds[women]))
    assert auc.low < auc.value < auc.high
    reported = expit(answers.log_odds) >= 0.5
    assert first.estimates["classification.sensitivity"].value == pytest.approx(
        reported[women & answers.present].mean()
    )


def test_a_real_gap_is_beyond_chance_and_a_made_up_one_is_not():
    answers, sex = made(worse=3.0)
    gap = by_group(answers, "sex", sex).gaps[0]
    assert (gap.measure, gap.best, gap.worst) == ("classification.auc", "sex: M", "sex: F")
    men = np.array(sex) == "M"
    own = [slow_auc(answers.present[some], answers.log_odds[some]) for some in (men, ~men)]
    assert gap.estimate.value == pytest.approx(own[0] - own[1])
    assert 0 < gap.estimate.low < gap.estimate.high
    assert gap.beyond_chance
    flukes = 0
    for seed in range(6):
        answers, sex = made(seed=seed, count=200)
        flukes += by_group(answers, "sex", sex).gaps[0].beyond_chance
    assert flukes <= 1


def test_chance_is_larger_where_a_patients_images_are_alike():
    """Forty patients with ten images each are not four hundred: groups differ by who is in them."""
    random = np.random.default_rng(1)
    own = np.repeat(random.normal(size=40), 10)
    present = np.arange(400) % 2 == 0
    x = 1.5 * present * (1 + own) + 0.1 * random.normal(size=400)
    sex = np.repeat(np.arange(40) % 2, 10)
    by_patient = Answers("A", present, x, None, None, tuple(str(case // 10) for case in range(400)))
    by_case = Answers("A", present, x, None, None, tuple(str(case) for case in range(400)))
    values = ["FM"[one] for one in sex]
    gaps = [by_group(answers, "sex", values).gaps[0] for answers in (by_patient, by_case)]
    assert gaps[0].by_chance > 1.5 * gaps[1].by_chance


def test_a_group_that_is_too_small_is_said():
    answers, sex = made(count=60)
    sex[:3] = ["X"] * 3
    found = by_group(answers, "sex", sex)
    small = next(row for row in found.rows if row.title == "sex: X")
    assert small.note.startswith("Too few: ")
    assert not small.estimates
    assert all("X" not in gap.best + gap.worst for gap in found.gaps)
    alone = by_group(answers, "sex", ["M"] * 60)
    assert alone.gaps == ()
    assert {row.group for row in alone.estimates()} == {"sex: M"}
