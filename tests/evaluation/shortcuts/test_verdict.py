"""Verdicts, clusters and probes on cohorts whose answer is known."""

from dataclasses import replace

import numpy as np
import pytest

from camlucida.errors import InputError
from camlucida.evaluation.data.case import Case
from camlucida.evaluation.data.cohort import Cohort, Observed
from camlucida.evaluation.report.document import Tone
from camlucida.evaluation.shortcuts.clusters import clusters, spectral
from camlucida.evaluation.shortcuts.looking import discordant, look
from camlucida.evaluation.shortcuts.measuring import BODYLESS, EFFECT, REGIONLESS, key
from camlucida.evaluation.shortcuts.probes import knows, probes
from camlucida.evaluation.shortcuts.verdict import THRESHOLD, Judgement, reading, score
from camlucida.evaluation.shortcuts.words import document, lines
from camlucida.evaluation.shortcuts.zones import ZONES
from camlucida.records import Finding, Geometry, Measurement, Prediction, SaliencyMap
from camlucida.records.geometry import resizing

FINDING = "Effusion"


def observed(number, effects, *, present=True, columns=None, logit=0.0, place=(1, 1), more=()):
    """A case with the effects of zones, and a map that is hot in one place."""
    values = np.zeros((1, 4, 4), np.float32)
    values[(0, *place)] = 1
    geometry = Geometry((4, 4), (32, 32), resizing((32, 32), (4, 4)))
    name = f"film {number}"
    rows = [Measurement(name, FINDING, "", key(EFFECT, zone), value) for zone, value in effects.items()]
    rows += [Measurement(name, FINDING, "", measure, value) for measure, value in more]
    random = np.random.default_rng(number)
    return Observed(
        Case(name, (), {FINDING: present}, f"patient {number}", columns or {}),
        Prediction((Finding(FINDING, None, 0.5),), (logit,), (1 / (1 + np.exp(-logit)),)),
        {"hirescam": SaliencyMap((FINDING,), values, (1.0,), (0.0,), (0.0,), "hirescam", "x", geometry)},
        tuple(rows),
        np.full((32, 32), 90, np.uint8),
        random.normal(size=3).astype(np.float32),
    )


def cohort(cases):
    return Cohort("made-up@1", "d" * 64, tuple(cases), ())


def test_the_score_is_what_a_thing_on_half_of_the_films_adds():
    found = score(cohort(observed(n, {"corners": 3.0 * (n % 2), "outside": 0.1}) for n in range(40)), FINDING)
    assert found.score == pytest.approx(3.0)
    assert found.zone == "corners"
    assert found.judgement is Judgement.RELIANT
    assert found.low < 3.0 < found.high + 1e-9
    assert found.zones[1].score == pytest.approx(0, abs=1e-6)  # 0.1 on every film alike tells nothing


def test_the_interval_is_that_of_resampled_deviations():
    random = np.random.default_rng(3)
    effects = random.normal(size=30)
    found = score(cohort(observed(n, {"corners": e}) for n, e in enumerate(effects)), FINDING)
    drawn = [2 * effects[random.integers(0, 30, 30)].std() for _ in range(4000)]
    low, high = np.quantile(drawn, [0.025, 0.975])
    assert (found.low, found.high) == (pytest.approx(low, abs=0.08), pytest.approx(high, abs=0.08))


def test_no_sign_and_not_decidable():
    quiet = cohort(observed(n, {"corners": 0.05 * (n % 2)}) for n in range(40))
    assert score(quiet, FINDING).judgement is Judgement.NO_SIGN
    few = cohort(observed(n, {"corners": 9.0 * (n % 2)}) for n in range(10))
    assert score(few, FINDING).judgement is Judgement.UNDECIDED
    rare = cohort(observed(n, {"corners": 4 * THRESHOLD * (n == 0)}) for n in range(40))
    assert score(rare, FINDING).judgement is Judgement.UNDECIDED
    assert score(quiet, FINDING, threshold=0.01).judgement is Judgement.RELIANT


def test_the_zone_that_is_sure_decides_and_not_the_one_that_is_highest():
    rare = {"outside": lambda n: 12.0 * (n == 0), "corners": lambda n: 2.0 * (n % 2)}
    found = score(cohort(observed(n, {zone: of(n) for zone, of in rare.items()}) for n in range(40)), FINDING)
    assert found.zones[0].zone == "outside"
    assert found.zones[0].low < THRESHOLD
    assert (found.zone, found.judgement) == ("corners", Judgement.RELIANT)
    open_ = {"outside": lambda n: 6.0 * (n == 0), "corners": lambda n: 0.97 * (n % 2)}
    found = score(
        cohort(observed(n, {zone: of(n) for zone, of in open_.items()}) for n in range(40)), FINDING
    )
    assert (found.zone, found.judgement) == ("outside", Judgement.UNDECIDED)


@pytest.mark.parametrize(("people", "says"), [(1, "Films of 1 patient "), (9, "Films of 9 patients ")])
def test_many_films_of_few_patients_decide_nothing(people, says):
    cases = [observed(n, {"corners": 9.0 * (n % 2)}) for n in range(40)]
    cases = [
        replace(one, case=replace(one.case, patient=f"patient {n % people}")) for n, one in enumerate(cases)
    ]
    found = score(cohort(cases), FINDING)
    assert found.judgement is Judgement.UNDECIDED
    assert reading(found, "corners").startswith(says)


def test_the_border_is_told_and_not_judged():
    found = score(cohort(observed(n, {"border": 5.0 * (n % 2), "corners": 0.0}) for n in range(40)), FINDING)
    assert found.judgement is Judgement.NO_SIGN
    assert [zone.zone for zone in found.zones] == ["corners", "border"]


def test_what_was_not_measured_is_not_judged():
    with pytest.raises(InputError, match="ZoneMeasuring"):
        score(cohort([observed(0, {})]), FINDING)


def test_discordant_cases_come_first_without_the_disease_and_strongest():
    effects, present = [3.0, 0.0, 2.0, 0.2, 3.0], [True, True, False, False, False]
    cases = [
        observed(n, {"corners": e}, present=p) for n, (e, p) in enumerate(zip(effects, present, strict=True))
    ]
    told = [(one.seen.case.name, one.present) for one in discordant(cohort(cases), FINDING, "corners")]
    assert told == [("film 4", False), ("film 2", False), ("film 1", True)]


def test_maps_that_are_hot_in_two_places_are_two_clusters_and_go_with_their_site():
    cases = [
        observed(n, {"corners": 0.0}, place=(0, n % 2 * 3), columns={"site": "AB"[n % 2]}) for n in range(40)
    ]
    first, second = clusters(cohort(cases), FINDING, "hirescam")
    assert {len(first.members), len(second.members)} == {20}
    for cluster in (first, second):
        site = cluster.members[0].case.columns["site"]
        assert {one.case.columns["site"] for one in cluster.members} == {site}
        assert cluster.associations[0].name == f"site: {site}"
        assert cluster.associations[0].p < 1e-6
        assert cluster.mean.sum() == pytest.approx(1)


def test_the_gap_between_eigenvalues_says_how_many_clusters_there_are():
    random = np.random.default_rng(0)
    for count in (1, 3, 4):
        middles = 20 * random.normal(size=(count, 5))
        rows = np.concatenate([middle + random.normal(size=(15, 5)) for middle in middles])
        labels, _ = spectral(rows)
        assert len(set(labels)) == count
        assert all(len(set(labels[n * 15 : n * 15 + 15])) == 1 for n in range(count))


def test_a_probe_reads_what_is_in_the_features_and_nothing_else():
    cases = []
    for number in range(80):
        one = observed(
            number, {"corners": 0.0}, columns={"view": ["AP", "PA"][number % 2], "sex": "FM"[number % 3 > 0]}
        )
        one.embedding[0] += 2.5 * (number % 2)
        cases.append(one)
    found = probes(cohort(cases))
    assert [probe.column for probe in found] == ["view", "sex"]
    assert found[0].auc.value > 0.95
    assert found[0].auc.low > 0.85
    assert not found[1].readable
    assert set(knows(found)) == {"view"}


def test_a_patient_is_never_in_the_fit_that_it_is_tried_on():
    """Each patient's two films are alike: read from the other film, AUC would be 1."""
    random = np.random.default_rng(0)
    cases = []
    for patient in range(40):
        own = 50 * random.normal(size=60).astype(np.float32)
        for view in range(2):
            one = observed(2 * patient + view, {"corners": 0.0}, columns={"site": "AB"[patient % 2]})
            case = Case(one.case.name, (), one.case.labels, f"patient {patient}", one.case.columns)
            cases.append(
                Observed(case, one.prediction, one.maps, one.measurements, one.thumbnail, own + view)
            )
    (found,) = probes(cohort(cases))
    assert found.auc.patients == 40
    assert 0.2 < found.auc.value < 0.8


def test_the_report_says_all_of_it():
    cases = [
        observed(
            n,
            {"corners": 3.0 * (n % 2), "border": 0.0},
            present=n % 4 < 2,
            columns={"site": "AB"[n % 2]},
            logit=2.0 * (n % 4 < 2) + n % 2,
            more=[(BODYLESS, float(n % 2)), *([(REGIONLESS, -5.0)] if n % 4 < 2 else [])],
        )
        for n in range(40)
    ]
    found = look(cohort(cases), ZONES, "hirescam")
    (one,) = found.findings
    assert one.auc.value == 1.0
    assert one.without_body.value == 0.5
    assert one.without_region.value == 0.0
    report = document(found, "films.csv")
    (verdict,) = report.verdicts
    assert verdict.title == "Effusion relies on a shortcut: the corners of the image"
    assert verdict.tone is Tone.BAD
    assert "3.00 between films" in verdict.why
    assert [section.title for section in report.sections] == [
        "Effusion",
        "What else the features know",
        "The zones",
    ]
    assert next(lines(found)).startswith("Effusion relies on")
    rows = {(row.measure, row.group) for row in found.estimates()}
    assert {("shortcut.score.corners", ""), ("shortcut.auc-without-body", "")} <= rows
    assert any(measure == "shortcut.probe" for measure, _ in rows)
