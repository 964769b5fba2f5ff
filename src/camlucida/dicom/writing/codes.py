"""Codes that the written objects use (PS3.16 annex D, CIDs 7181 and 6147), by their meaning."""

import hashlib

from pydicom.sr.coding import Code

from camlucida.records import CodedConcept

LONGEST = 16  # characters of a Code Value (PS3.3 8.1)
LONGEST_MEANING = 64  # characters of a Code Meaning

VISUAL_EXPLANATION = Code("130401", "DCM", "Visual explanation")
CLASS_ACTIVATION = Code("130402", "DCM", "Class activation")
GRADIENT_WEIGHTED_CLASS_ACTIVATION = Code("130403", "DCM", "Gradient-weighted class activation")
SALIENCY = Code("130404", "DCM", "Saliency")
FINDING = Code("121071", "DCM", "Finding")
OPERATING_POINT = Code("111071", "DCM", "CAD Operating Point")
QUALITATIVE_EVALUATIONS = Code("C0034375", "UMLS", "Qualitative Evaluations")  # PS3.16 TID 1500, row 12

PROBABILITY = Code("122157", "DCM", "Probability")
COMMENT = Code("121106", "DCM", "Comment")
SOURCE_IMAGE_FOR_PROCESSING = Code("121322", "DCM", "Source image for image processing operation")

OWN_SCHEME = "99CAMLUCIDA"
"""Codes that no standard has (PS3.16 8.2); each object names the scheme."""

LOGIT = Code("LOGIT", OWN_SCHEME, "Logit")
EVIDENCE_FOR = Code("EVIDENCE-FOR", OWN_SCHEME, "Evidence for the finding")
EVIDENCE_AGAINST = Code("EVIDENCE-AGAINST", OWN_SCHEME, "Evidence against the finding")
BIAS = Code("BIAS", OWN_SCHEME, "Logit when the target layer is silent")
RESIDUAL = Code("RESIDUAL", OWN_SCHEME, "Logit that the map does not explain")
SHARE = Code("SHARE-OF-SUPPORT", OWN_SCHEME, "Share of supporting evidence")
REACHED = Code("POINT-REACHED", OWN_SCHEME, "CAD Operating Point reached")
SUPPORT = Code("SUPPORT", OWN_SCHEME, "Supporting evidence on the image")

FINDINGS_REPORT = Code("FINDINGS-REPORT", OWN_SCHEME, "Imaging Findings Report")
"""Title of a report without a measurement: OHIF shows nothing of an Imaging Measurement Report without one,
and the text of any other (CID 7021, Measurement Report Document Titles, is extensible)."""

YES = Code("373066001", "SCT", "Yes")
NO = Code("373067005", "SCT", "No")
PRESENT = Code("52101004", "SCT", "Present")
ABSENT = Code("272519000", "SCT", "Absent")

LOGITS = Code("{logit}", "UCUM", "logit")
PERCENT = Code("%", "UCUM", "Percent")
NO_UNITS = Code("1", "UCUM", "no units")

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


def share_for(finding: str) -> Code:
    """The share of the evidence for a finding: OHIF writes no other words beside a region."""
    return Code(SHARE.value, SHARE.scheme_designator, f"Share of evidence for {finding}"[:LONGEST_MEANING])


def of_method(method: str) -> Code:
    """What a method's maps are, in DICOM's words."""
    if method in CLASS_ACTIVATION_METHODS:
        return CLASS_ACTIVATION
    return GRADIENT_WEIGHTED_CLASS_ACTIVATION if method in GRADIENT_WEIGHTED_METHODS else SALIENCY


def of_finding(name: str, concept: CodedConcept | None) -> Code:
    """A finding's code from its model's card, or a private one made of its name (PS3.16 8.2)."""
    if concept is not None:
        return Code(concept.value, concept.scheme, concept.meaning)
    value = "".join(letter if letter.isalnum() else "-" for letter in name.upper())
    if len(value) > LONGEST:
        digest = hashlib.sha256(name.encode()).hexdigest().upper()
        value = f"{value[: LONGEST - 7]}-{digest[:6]}"
    return Code(value, OWN_SCHEME, name[:LONGEST_MEANING])
