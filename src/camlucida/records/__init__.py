"""The nouns: frozen dataclasses that both columns of the pipeline speak in. No torch."""

from camlucida.records.annotation import Annotation, AnnotationKind
from camlucida.records.concept import CodedConcept
from camlucida.records.event import Event, EventKind
from camlucida.records.explanation import Explanation
from camlucida.records.finding import Finding
from camlucida.records.flag import Flag, FlagReason, Outcome, Region, Resolution, ViewState
from camlucida.records.geometry import Geometry
from camlucida.records.image import FileFormat, Image, Patient, Photometric, Source
from camlucida.records.instance import InstanceHeader
from camlucida.records.measurement import Measurement
from camlucida.records.opinion import Opinion, Stance
from camlucida.records.prediction import Prediction
from camlucida.records.provenance import Provenance
from camlucida.records.role import Role
from camlucida.records.saliency_map import SaliencyMap, Unit
from camlucida.records.trust_report import (
    AgreementCheck,
    CausalCheck,
    Change,
    FindingTrust,
    HeadKind,
    MethodAgreement,
    PriorDistance,
    StabilityCheck,
    TrustReport,
)
from camlucida.records.window import VoiLut, VoiLutFunction, Window

__all__ = [
    "AgreementCheck",
    "Annotation",
    "AnnotationKind",
    "CausalCheck",
    "Change",
    "CodedConcept",
    "Event",
    "EventKind",
    "Explanation",
    "FileFormat",
    "Finding",
    "FindingTrust",
    "Flag",
    "FlagReason",
    "Geometry",
    "HeadKind",
    "Image",
    "InstanceHeader",
    "Measurement",
    "MethodAgreement",
    "Opinion",
    "Outcome",
    "Patient",
    "Photometric",
    "Prediction",
    "PriorDistance",
    "Provenance",
    "Region",
    "Resolution",
    "Role",
    "SaliencyMap",
    "Source",
    "StabilityCheck",
    "Stance",
    "TrustReport",
    "Unit",
    "ViewState",
    "VoiLut",
    "VoiLutFunction",
    "Window",
]
