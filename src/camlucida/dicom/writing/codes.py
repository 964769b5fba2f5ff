"""Codes that the written objects use (PS3.16 annex D, CIDs 7181 and 6147), by their meaning."""

from pydicom.sr.coding import Code

from camlucida.records import CodedConcept

VISUAL_EXPLANATION = Code("130401", "DCM", "Visual explanation")
CLASS_ACTIVATION = Code("130402", "DCM", "Class activation")
GRADIENT_WEIGHTED_CLASS_ACTIVATION = Code("130403", "DCM", "Gradient-weighted class activation")
SALIENCY = Code("130404", "DCM", "Saliency")
FINDING = Code("121071", "DCM", "Finding")
OPERATING_POINT = Code("111071", "DCM", "CAD Operating Point")

OWN_SCHEME = "99CAMLUCIDA"

CLASS_ACTIVATION_METHODS = frozenset({"cam", "ablation-cam", "recipro-cam", "score-cam"})
GRADIENT_WEIGHTED_METHODS = frozenset(
    {
        "grad-cam",
        "grad-cam++",
        "xgrad-cam",
        "hirescam",
        "layercam",
        "shapleycam",
        "finer-cam",
        "counterfactual grad-cam",
    }
)


def of_method(method: str) -> Code:
    """What a method's maps are, in DICOM's words."""
    if method in CLASS_ACTIVATION_METHODS:
        return CLASS_ACTIVATION
    return GRADIENT_WEIGHTED_CLASS_ACTIVATION if method in GRADIENT_WEIGHTED_METHODS else SALIENCY


def of_finding(name: str, concept: CodedConcept | None) -> Code:
    """A finding's code from its model's card, or a private one made of its name (PS3.16 8.2)."""
    if concept is not None:
        return Code(concept.value, concept.scheme, concept.meaning)
    value = "".join(letter if letter.isalnum() else "-" for letter in name.upper())[:16]
    return Code(value, OWN_SCHEME, name[:64])
