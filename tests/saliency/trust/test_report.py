from dataclasses import replace

import numpy as np
import pytest

from camlucida.models.head import HeadProof
from camlucida.records import (
    AgreementCheck,
    CausalCheck,
    Change,
    FindingTrust,
    Geometry,
    HeadKind,
    Image,
    PriorDistance,
    SaliencyMap,
    StabilityCheck,
    Unit,
)
from camlucida.records.geometry import resizing
from camlucida.saliency import trust
from camlucida.saliency.methods import METHODS
from camlucida.saliency.trust.statement import statement as statement_with_support


def map_of(*values, logit=1.0, bias=0.0, unit=Unit.LOGIT):
    array = np.array(values, np.float32)[None]
    residual = logit - bias - float(array.sum(dtype=np.float64))
    geometry = Geometry(array.shape[1:], array.shape[1:], np.eye(array.ndim))
    return SaliencyMap(
        ("Nodule",), array, (logit,), (bias,), (residual,), "hirescam", "layer", geometry, unit
    )


def statement(saliency_map, index, method, figures):
    support = saliency_map.evidence_for(index)
    return statement_with_support(saliency_map, index, method, figures, support)


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
        (
            map_of([-2.0, -1.0], [0.0, 0.0], logit=2.0),
            "it does not show that nothing argues for this finding",
        ),
        (map_of([2.0, 1.0], [0.0, 0.0], unit=Unit.RELATIVE), "Shows where, not how much"),
    ],
)
def test_says_in_words_what_the_map_is_good_for(saliency_map, says):
    assert says in statement_of(saliency_map)


def test_a_map_whose_parts_nearly_cancel_is_not_called_complete():
    nearly = map_of([10.0, -10.0], [0.0, 0.0], logit=1.6)  # all that was to be said is missing
    assert "1.6 of the 1.6 logits that they have to account for are not on the map" in statement_of(nearly)


def test_a_sum_that_proves_nothing_is_not_praised():
    whole, xgrad = map_of([2.0, -1.0], [0.0, 0.0]), METHODS["xgrad-cam"]
    linear = HeadProof(HeadKind.LINEAR, 0.0, 0.0, (0.0,), "layer", (2, 2), 8)
    bent = HeadProof(HeadKind.NONLINEAR, 1.0, 1.0, (0.0,), "layer", (2, 2), 8)
    for proof in (bent, None):
        assert "no proof of their places" in trust.report(whole, xgrad, proof).findings[0].statement
    assert "accounts for the whole" in trust.report(whole, xgrad, linear).findings[0].statement


def test_bright_places_of_a_counterfactual_map_are_said_to_argue_against():
    method = METHODS["counterfactual grad-cam"]
    bright = map_of([2.0, -1.0], [0.0, 0.0], unit=Unit.RELATIVE)
    said = statement(bright, 0, method, trusted(causal=CAUSAL))
    assert said.startswith("Bright places argue against the finding.")
    assert "Removing" not in said


def test_a_blank_pattern_is_not_taken_for_a_lack_of_evidence():
    blank = map_of([-2.0, -1.0], [0.0, 0.0], unit=Unit.RELATIVE)
    said = statement(blank, 0, METHODS["score-cam"], trusted())
    assert "No supporting evidence" not in said
    assert "says nothing about the logit" in said


def test_the_report_says_what_is_not_proven():
    report = trust.report(map_of([1.0, 0.0], [0.0, 0.0]), METHODS["grad-cam"], None, ["look out"])
    assert report.head is HeadKind.UNPROVEN
    assert report.head_deviation is None
    assert report.cautions[0] == "look out"


def trusted(**fields):
    return FindingTrust(0.0, 0.2, 0.1, "", **fields)


CAUSAL = CausalCheck(2.0, 0.1, 0.5, 3.8, 24, 0, 0.04)
UNSTABLE = StabilityCheck(0.3, 0.9, 0.5, (Change("more contrast", 0.9, 0.1), Change("noise", 0.3, 0.5)))
PRIOR = PriorDistance(0.8, 1.0, 0.93, 12.3, "mm", in_patient=False)


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"outside_share": 0.23}, "23% of the evidence lies outside the body: look for a shortcut."),
        ({"corner_share": 0.31}, "31% of the evidence lies in the corners, where markers stand"),
        (
            {"causal": CAUSAL},
            "(4% of the image) takes 2.00 logits away, more than removing others does (z = 3.8).",
        ),
        (
            {"causal": replace(CAUSAL, z=0.4)},
            "the logit more than removing any region of its size (z = 0.4): do not rely on the place.",
        ),
        ({"stability": UNSTABLE}, "The map is unstable: another one after noise (rank correlation 0.30)."),
        ({"stability": replace(UNSTABLE, worst=0.9)}, "Stable under small changes of the image"),
        ({"agreement": AgreementCheck(0.8, None, ())}, "Other methods agree (median rank correlation 0.80)."),
        ({"agreement": AgreementCheck(0.1, None, ())}, "Other methods place the evidence elsewhere"),
        (
            {"prior": PRIOR},
            "by +0.80, the evidence has moved by 12 mm, much the same pattern (rank correlation 0.93).",
        ),
        (
            {"prior": replace(PRIOR, shift=0.08, shift_unit="share", correlation=0.2)},
            "moved by 8% of the field's longest edge, another pattern (rank correlation 0.20).",
        ),
    ],
)
def test_each_check_adds_its_sentence(fields, says):
    saliency_map, plain = map_of([2.0, -1.0], [0.0, 0.0]), METHODS["hirescam"]
    said = statement(saliency_map, 0, plain, trusted(**fields))
    assert said.startswith("The map accounts for the whole logit")
    assert says in said
    assert says not in statement(saliency_map, 0, plain, trusted())


def test_what_is_within_its_threshold_is_not_mentioned():
    quiet = trusted(outside_share=0.19, corner_share=0.24)
    said = statement(map_of([2.0, -1.0], [0.0, 0.0]), 0, METHODS["hirescam"], quiet)
    assert said == "The map accounts for the whole logit: its values can be read, added and compared."


def test_where_hardly_anything_argues_for_a_finding_its_place_is_not_discussed():
    faint = map_of([0.03, -3.0], [0.0, 0.0], logit=-2.97)
    said = statement(faint, 0, METHODS["hirescam"], trusted(outside_share=0.9, causal=CAUSAL, prior=PRIOR))
    assert "Hardly any evidence argues for it (0.03 logits in all): its place says little." in said
    assert "outside" not in said
    assert "Removing" not in said
    assert "moved" not in said
    assert "the logit has changed by +0.80" in said


def test_a_map_of_all_findings_explains_none():
    said = statement(map_of([2.0, 1.0], [0.0, 0.0]), 0, METHODS["eigen-cam"], trusted(causal=CAUSAL))
    assert said.startswith("Explains no finding: the map is the same for all of them.")


def test_a_contrast_is_said_to_be_one():
    contrast = replace(map_of([2.0, -1.0], [0.0, 0.0]), contrasts=("Mass",))
    said = statement(contrast, 0, METHODS["hirescam"], trusted())
    assert said.startswith("The map accounts for why Nodule rather than Mass")
    none = replace(map_of([-2.0, -1.0], [0.0, 0.0], logit=-3.0), contrasts=("Mass",))
    assert "argues for Nodule rather than Mass" in statement(none, 0, METHODS["hirescam"], trusted())


@pytest.mark.parametrize(
    ("kind", "deviation", "pooled", "method", "says"),
    [
        (HeadKind.LINEAR, 1e-7, 1e-6, "grad-cam", "faithful by theorem"),
        (HeadKind.LINEAR, 1e-7, 0.5, "hirescam", "faithful by theorem"),
        (HeadKind.LINEAR, 1e-7, 0.5, "grad-cam", "approximate: residual up to 0.5 logits"),
        (HeadKind.NONLINEAR, 0.25, 0.5, "hirescam", "approximate: residual up to 0.25 logits"),
        (HeadKind.LINEAR, 1e-7, 1e-6, "layercam", "the head is linear; no theorem covers this method"),
        (HeadKind.NONLINEAR, 0.25, 0.5, "layercam", "the head is not linear (up to 0.25 logits); no theorem"),
    ],
)
def test_the_verdict_is_that_of_the_proof_for_this_method(kind, deviation, pooled, method, says):
    proof = HeadProof(kind, deviation, pooled, (0.0,), "layer", (2, 2), inputs=20, images=12)
    assert trust.verdict(proof, method).startswith(says)
    report = trust.report(map_of([1.0, 0.0], [0.0, 0.0]), METHODS["grad-cam"], proof)
    assert (report.head_inputs, report.head_images) == (20, 12)


def test_the_body_is_counted_where_there_is_an_image():
    values = np.zeros((40, 40), np.uint16)
    values[:, 20:] = 1000
    saliency_map = map_of([3.0, 1.0], [0.0, 0.0])
    geometry = Geometry((2, 2), (40, 40), resizing((40, 40), (2, 2)))
    report = trust.report(
        replace(saliency_map, geometry=geometry), METHODS["hirescam"], None, image=Image(values)
    )
    assert 0.5 < report.findings[0].outside_share < 0.8  # of 4 logits, 3 are in the dark half
    assert report.body == f"The body covers {report.body_share:.0%} of the field."
    assert "outside the body" in report.findings[0].statement
