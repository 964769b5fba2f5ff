"""Codes of the written objects."""

import pytest
from pydicom.sr.codedict import codes as standard

from camlucida.dicom.writing import codes
from camlucida.records import CodedConcept
from camlucida.records.method_name import SPELLING


@pytest.mark.parametrize(
    ("code", "keyword"),
    [
        (codes.VISUAL_EXPLANATION, "VisualExplanation"),
        (codes.CLASS_ACTIVATION, "ClassActivation"),
        (codes.GRADIENT_WEIGHTED_CLASS_ACTIVATION, "GradientWeightedClassActivation"),
        (codes.SALIENCY, "Saliency"),
        (codes.FINDING, "Finding"),
        (codes.OPERATING_POINT, "CADOperatingPoint"),
        (codes.PROBABILITY, "Probability"),
        (codes.SOURCE_IMAGE_FOR_PROCESSING, "SourceImageForImageProcessingOperation"),
    ],
)
def test_codes_are_those_of_the_standard(code, keyword):
    assert code == getattr(standard.DCM, keyword)
    assert code.meaning == getattr(standard.DCM, keyword).meaning


def test_every_method_has_a_kind_of_map():
    assert codes.of_method("grad-cam++") == codes.GRADIENT_WEIGHTED_CLASS_ACTIVATION
    assert codes.of_method("score-cam") == codes.CLASS_ACTIVATION
    assert codes.of_method("integrated gradients") == codes.SALIENCY
    named = codes.CLASS_ACTIVATION_METHODS | codes.GRADIENT_WEIGHTED_METHODS
    assert named <= set(SPELLING)


def test_a_finding_has_its_cards_code_or_one_of_our_own():
    concept = CodedConcept("60046008", "SCT", "Pleural effusion")
    assert codes.of_finding("Effusion", concept) == standard.SCT.PleuralEffusion
    own = codes.of_finding("Mass, left (upper) lobe", None)
    assert (own.value, own.scheme_designator) == (own.value[:9] + own.value[9:], "99CAMLUCIDA")
    assert own.meaning == "Mass, left (upper) lobe"


def test_findings_with_the_same_beginning_have_different_codes():
    one = codes.of_finding("Fracture of the femur, left", None)
    other = codes.of_finding("Fracture of the femur, right", None)
    assert one.value != other.value
    assert len(one.value) <= 16
