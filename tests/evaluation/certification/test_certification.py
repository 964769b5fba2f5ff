"""Certificates: gates in closed form on made-up cases, then twenty networks whose truth is known."""

import numpy as np
import pytest
import torch
from scipy.special import expit

from camlucida.errors import InputError
from camlucida.evaluation.certification import Certified, Outcome, certify
from camlucida.evaluation.certification.counterfactual import Twin, Versions
from camlucida.evaluation.certification.words import as_json, document, reasons
from camlucida.images.artefact import phantom_artefact
from camlucida.models.load import load_folder
from planted_shortcuts import FINDINGS, film, network, truth
from planted_shortcuts import model_folder as planted


def made_up(effect_before, effect_after, *, count=200, noise=0.3, skill=(3.0, 3.0), seed=0, **kept):
    """Cases whose logit is skill times ±1, noise that both models share, and the artefact's effect."""
    random = np.random.default_rng(seed)
    cases = []
    for number in range(count):
        present, carries = bool(number % 2), bool(number % 4 > 1)
        shared = random.normal(0, noise)
        versions = []
        for gain, effect in zip(skill, (effect_before, effect_after), strict=True):
            at = gain * (1 if present else -1) / 2 + shared
            effect = effect(present) if callable(effect) else effect  # noqa: PLW2901
            versions.append(Versions(at, at + effect + random.normal(0, 0.01), **kept))
        cases.append(Twin(f"case {number}", f"patient {number // 2}", present, carries, *versions))
    return cases


def test_a_repair_passes_every_gate():
    certificate = certify(made_up(3.0, 0.1))
    assert certificate.verdict is Certified.CERTIFIED
    effect = certificate.gate("effect")
    assert effect.before.value == pytest.approx(3.0, abs=0.01)
    assert effect.after.value == pytest.approx(0.1, abs=0.01)
    assert effect.compared.value == pytest.approx(1 / 30, abs=0.002)
    assert certificate.gate("worst-group").before.value < 0.5 < certificate.gate("worst-group").after.value
    assert certificate.gate("localisation").outcome is Outcome.NOT_ASKED
    assert (certificate.cases, certificate.patients, certificate.carrying) == (200, 100, 100)


def test_an_effect_that_is_left_is_rejected_whatever_the_map_shows():
    cases = made_up(3.0, 2.5, share=0.0, inside=0.9)
    certificate = certify(cases)
    assert certificate.verdict is Certified.REJECTED
    assert certificate.gate("effect").outcome is Outcome.FAILED
    assert certificate.shares[1].value == 0
    assert reasons(certificate).startswith(
        "Effect of the artefact: +3.00 logits before, +2.50 logits after, 83"
    )


def test_opposite_effects_on_the_two_halves_do_not_cancel():
    """+2 on films with the finding, -2 on the others: the mean is 0, and the artefact decides."""
    certificate = certify(made_up(3.0, lambda present: 2.0 if present else -2.0))
    assert certificate.gate("effect").after.value == pytest.approx(0, abs=0.01)
    assert certificate.gate("effect").outcome is Outcome.FAILED


def test_an_effect_turned_around_is_no_repair():
    assert certify(made_up(3.0, -2.0)).gate("effect").outcome is Outcome.FAILED


def test_dividing_all_logits_is_no_repair():
    """A tenth of the effect is left, and of everything else too: the network decides as it did."""
    cases = made_up(3.0, 3.0)
    shrunk = [
        Twin(*_fields(one), one.before, Versions(one.before.without / 10, one.before.having / 10))
        for one in cases
    ]
    effect = certify(shrunk).gate("effect")
    assert effect.after.value == pytest.approx(0.3, abs=0.01)
    assert effect.compared.value == pytest.approx(1, abs=0.01)
    assert effect.outcome is Outcome.FAILED
    # Logits that have grown are no reason to let more of the effect pass.
    assert certify(made_up(3.0, 1.5, skill=(3.0, 9.0))).gate("effect").compared.value > 0.49


def test_nine_patients_with_the_finding_certify_nothing():
    cases = made_up(3.0, 0.1)
    patients = [one for one in cases if one.present][:18]
    found = certify([one for one in cases if not one.present] + patients[:9])
    assert found.verdict is Certified.UNDECIDED
    assert {gate.outcome for gate in found.gates} == {Outcome.UNDECIDED, Outcome.NOT_ASKED}
    assert "Fewer than 10 patients" in reasons(found)
    enough = certify([one for one in cases if not one.present] + patients[:10])
    assert "Fewer than 10 patients" not in reasons(enough)


def test_what_costs_the_finding_is_rejected():
    certificate = certify(made_up(3.0, 0.0, skill=(3.0, 0.05)))
    assert certificate.gate("effect").outcome is Outcome.PASSED
    assert certificate.gate("auc").outcome is Outcome.FAILED
    assert certificate.verdict is Certified.REJECTED


def test_few_cases_leave_it_open():
    random = np.random.default_rng(1)
    certificate = certify(made_up(3.0, lambda _: random.normal(0.6, 1.0), count=16))
    assert certificate.gate("effect").outcome is Outcome.UNDECIDED
    assert certificate.verdict is Certified.UNDECIDED
    assert "the interval holds the limit" in reasons(certificate)


def test_where_there_is_nothing_to_repair_nothing_is_certified():
    certificate = certify(made_up(0.02, 0.0))
    assert certificate.gate("effect").outcome is Outcome.UNDECIDED
    assert "there is nothing to repair" in certificate.gate("effect").why
    assert certificate.verdict is not Certified.CERTIFIED


def test_evidence_that_leaves_the_marks_is_rejected():
    cases = made_up(3.0, 0.1, inside=0.6)
    worse = [
        Twin(*_fields(one), one.before, Versions(one.after.without, one.after.having, None, 0.3))
        for one in cases
    ]
    assert certify(cases).gate("localisation").outcome is Outcome.PASSED
    assert certify(worse).gate("localisation").outcome is Outcome.FAILED
    # A map without support holds nothing inside the marks; it is not left out.
    blank = [
        Twin(*_fields(one), one.before, Versions(one.after.without, one.after.having, None, None))
        for one in cases
    ]
    assert certify(blank).gate("localisation").after.value == 0


def _fields(one):
    return one.case, one.patient, one.present, one.carries


def test_worst_group_written_again_case_by_case():
    cases = made_up(1.2, 0.4, noise=1.0, seed=3)
    certificate = certify(cases)
    for model, point, shown in (
        ("before", certificate.points[0], certificate.gate("worst-group").before),
        ("after", certificate.points[1], certificate.gate("worst-group").after),
    ):
        groups = {}
        for one in cases:
            versions = getattr(one, model)
            for artefact, logit in ((False, versions.without), (True, versions.having)):
                told = expit(logit) >= point
                groups.setdefault((one.present, artefact), []).append(told == one.present)
        assert shown.value == pytest.approx(min(np.mean(group) for group in groups.values()))


def test_cases_of_one_kind_certify_nothing():
    with pytest.raises(InputError, match="Of 100 cases 100 have the finding"):
        certify(made_up(3.0, 0.1)[1::2])


def test_no_patient_is_in_what_is_kept():
    kept = str(as_json(certify(made_up(3.0, 0.1)))) + str(document(certify(made_up(3.0, 0.1)), (), "F", "A"))
    assert "patient 7" not in kept
    assert "'patients': 100" in kept


# --- twenty networks ----------------------------------------------------------------------------------------

FILMS = 120


@pytest.fixture(scope="module")
def logits(tmp_path_factory):
    """By network and artefact: logits of unseen films without and with it, through the whole preparation."""
    folder = tmp_path_factory.mktemp("planted")
    every = [film(number) for number in range(FILMS)]
    prepared = {}

    def images_of(model, name):
        if name not in prepared:
            artefact = phantom_artefact(name) if name else None
            images = [artefact.paste(one.image) if artefact else one.image for one in every]
            prepared[name] = torch.from_numpy(np.stack([model.prepare(image).values for image in images]))
        return prepared[name]

    def of(name, artefact):
        model = load_folder(planted(name, folder))
        with torch.no_grad():
            return [model.module(images_of(model, which)).double().numpy() for which in ("", artefact)]

    return of


def cases_of(repair, logits, first=0, count=FILMS):
    """Twins of a planted pair."""
    index = FINDINGS.index(repair["finding"])
    seen = [logits(name, repair["artefact"]) for name in (repair["before"], repair["name"])]
    return [
        Twin(
            f"film {number}",
            f"P{number}",
            film(number).labels[repair["finding"]],
            False,
            *(
                Versions(float(without[number, index]), float(having[number, index]))
                for without, having in seen
            ),
        )
        for number in range(first, first + count)
    ]


def test_no_wrong_verdict_over_twenty_networks(logits):
    right = {True: Certified.CERTIFIED, False: Certified.REJECTED}
    verdicts = {}
    for repair in truth()["repairs"]:
        verdict = certify(cases_of(repair, logits)).verdict
        verdicts[repair["name"]] = verdict
        assert verdict in {right[repair["repaired"]], Certified.UNDECIDED}, repair["name"]
    decided = [verdict for verdict in verdicts.values() if verdict is not Certified.UNDECIDED]
    assert len(verdicts) == 20
    assert len(decided) >= 18, verdicts


def test_the_truth_is_half_and_half():
    repairs, networks = truth()["repairs"], truth()["networks"]
    assert sum(one["repaired"] for one in repairs) == 10
    assert sum(one["reliant"] for one in networks) == 10
    for one in networks:
        effect = abs(one["effect"][one["finding"]])
        assert effect > 1 if one["reliant"] else effect < 0.35, one["name"]
    assert {network(one["before"])["reliant"] for one in repairs} == {True}
