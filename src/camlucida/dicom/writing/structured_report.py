"""Structured report: prediction, evidence and regions as numbers, codes and places that machines can read.

A Comprehensive 3D SR (PS3.3 A.35.13) with the template Measurement Report (PS3.16 TID 1500), the root of IHE
AI Results. Each finding of the model, those below their operating point too, is a qualitative evaluation with
its numbers as properties; each region with evidence for a shown finding is a measurement group with an
outline (TID 1410).

OHIF 3.13.2 reads the outline of every measurement group, and shows nothing of a report where one has none.
"""

from collections.abc import Iterator, Sequence
from typing import TypeAlias

import highdicom.sr as hd
import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes as standard
from pydicom.sr.coding import Code

from camlucida.dicom import elements
from camlucida.dicom.writing import codes
from camlucida.dicom.writing.derived import (
    ARTIFICIAL_INTELLIGENCE,
    MANUFACTURER,
    STRUCTURED_REPORT,
    bare,
    finish,
    object_uid,
    parameters,
)
from camlucida.dicom.writing.material import Material, indices, selection
from camlucida.dicom.writing.regions import Region, regions
from camlucida.dicom.writing.sources import SourceFrame, source_frames
from camlucida.records import Unit
from camlucida.records.method_name import CLASS_AGNOSTIC, EXPLAINS_NO_FINDING, spelling
from camlucida.rendering.legend import NO_EVIDENCE, NOTICE, most_evidence

NOTHING_SHOWN = "No finding reaches its operating point, so no overlay and no region is shown."
BELOW = "Below the operating point: not reported, and no region is shown."
NO_MAP = "No map was asked for of this finding."
HALF = "Regions are the contours at half the largest evidence for the finding."
ON_SLICE = "Of a volume each region is drawn on the slice where it has most evidence."

RECTANGLE = 5  # points of a closed line around four corners
ENGLISH = hd.CodedConcept("en-US", "RFC5646", "English (United States)")
MEASUREMENT_METHOD = Code("370129005", "SCT", "Measurement Method")
RADIOGRAPHY, CT = standard.SCT.PlainRadiography, standard.SCT.ComputedTomography
PROCEDURES = {
    "CR": RADIOGRAPHY,
    "DX": RADIOGRAPHY,
    "RG": RADIOGRAPHY,
    "CT": CT,
    "MG": standard.SCT.Mammography,
    "US": standard.SCT.Ultrasonography,
}

Relation: TypeAlias = hd.RelationshipTypeValues
Outlined: TypeAlias = hd.PlanarROIMeasurementsAndQualitativeEvaluations


def write(material: Material, findings: Sequence[int] | None = None) -> list[Dataset]:
    """The report, one data set. `findings` are those of the map that are told with their regions."""
    chosen = indices(material.explanation, findings)
    words = selection(material.explanation, chosen)
    dataset = hd.Comprehensive3DSR(
        evidence=[bare(source) for source in material.sources],
        content=_report(material, chosen),
        series_instance_uid=material.uid("series", STRUCTURED_REPORT.word),
        series_number=STRUCTURED_REPORT.series_number,
        sop_instance_uid=object_uid(material, STRUCTURED_REPORT, *words),
        instance_number=1,
        manufacturer=MANUFACTURER,
        is_complete=True,
        is_verified=False,  # by no human
        is_final=False,
    )
    return [finish(dataset, material, STRUCTURED_REPORT, *words)]


def observer(material: Material) -> hd.ObserverContext:
    """Who observed: the model, as a device (TID 1004)."""
    provenance = material.explanation.provenance
    return hd.ObserverContext(
        observer_type=standard.DCM.Device,
        observer_identifying_attributes=hd.DeviceObserverIdentifyingAttributes(
            uid=material.model_uid,
            name=provenance.model_name,
            manufacturer_name=MANUFACTURER,
            model_name=f"{provenance.model_name} {provenance.model_version}",
            serial_number=provenance.model_digest,
        ),
    )


def _report(material: Material, chosen: Sequence[int]) -> hd.ContainerContentItem:
    """The tree of the document (TID 1500)."""
    findings = list(_findings(material))
    outlined = hd.ContentSequence()
    for found in findings:
        for group in found.regions() if found.index in chosen else ():
            outlined.extend(group)
    evaluations = [
        *(found.evaluation(shown=found.index in chosen) for found in findings),
        *(_comment(found.in_words(), Relation.CONTAINS) for found in findings),
    ]
    procedure = PROCEDURES.get(material.image.modality, standard.SCT.ImagingProcedure)
    title = standard.DCM.ImagingMeasurementReport if outlined else codes.FINDINGS_REPORT
    report = hd.ContainerContentItem(title, is_content_continuous=False, template_id="1500")
    report.ContentSequence = hd.ContentSequence(
        [
            *hd.LanguageOfContentItemAndDescendants(ENGLISH),
            *hd.ObservationContext(observer_device_context=observer(material)),
            hd.CodeContentItem(standard.DCM.ProcedureReported, procedure, Relation.HAS_CONCEPT_MOD),
            _image_library(material),
            *([_container(standard.DCM.ImagingMeasurements, outlined)] if outlined else []),
            _container(codes.QUALITATIVE_EVALUATIONS, evaluations),
            *(_comment(text, Relation.CONTAINS) for text in _remarks(material, chosen)),
        ]
    )
    return report


def _findings(material: Material) -> Iterator["_Finding"]:
    """The most probable first."""
    prediction = material.explanation.prediction
    explained = material.explanation.saliency_map.findings
    maps = [prediction.index(name) for name in explained]
    frames = source_frames(material)
    for place in sorted(range(len(prediction.findings)), key=lambda place: -prediction.probabilities[place]):
        of_finding: list[int | None] = [index for index, found in enumerate(maps) if found == place]
        for index in of_finding or [None]:
            yield _Finding(material, frames, place, index)


class _Finding:
    """What is said of one finding: `place` is where it is in the prediction, `index` in the map (or None)."""

    def __init__(
        self, material: Material, frames: Sequence[SourceFrame], place: int, index: int | None
    ) -> None:
        self.material, self.frames, self.place, self.index = material, frames, place, index
        self.finding = material.explanation.prediction.findings[place]
        self.saliency_map = material.explanation.saliency_map
        self.label = self.finding.name if index is None else self.saliency_map.label(index)
        self.code = codes.of_finding(self.finding.name, self.finding.concept)
        self.method = None if index is None else codes.of_method(self.saliency_map.method)

    def evaluation(self, *, shown: bool) -> hd.CodeContentItem:
        """The finding, with numbers, answers and sentences as its properties."""
        evaluation = hd.CodeContentItem(standard.DCM.Finding, self.code, Relation.CONTAINS)
        evaluation.ContentSequence = hd.ContentSequence(
            [
                *self.tracked(self.label),
                *self.prediction(),
                *self.evidence(),
                *self.answers(),
                *(_comment(text, Relation.HAS_PROPERTIES) for text in self.sentences(shown=shown)),
                *self.source_image(),
                *self.made_by(),
            ]
        )
        return evaluation

    def regions(self) -> Iterator[Outlined]:
        """One for each polygon of each region."""
        found = regions(self.material, self.index or 0)
        places = [(region, polygon) for region in found for polygon in region.polygons]
        for number, (region, polygon) in enumerate(places, start=1):
            yield Outlined(
                referenced_region=self.region(region, polygon),
                measurements=[
                    hd.Measurement(codes.PROBABILITY, _readable(self.probability), codes.NO_UNITS),
                    hd.Measurement(codes.share_for(self.label), _readable(100 * region.share), codes.PERCENT),
                ],
                tracking_identifier=self.tracked(f"{self.label}, region {number} of {len(places)}"),
                finding_type=self.code,
                method=self.method,
                algorithm_id=_algorithm(self.material),
            )

    def in_words(self) -> str:
        """The finding in a line, for viewers that show no properties (OHIF)."""
        point = self.finding.operating_point
        limit = "" if point is None else f", operating point {point:.3f}"
        return f"{self.label}: probability {self.probability:.3f}{limit}."

    def tracked(self, name: str) -> hd.TrackingIdentifier:
        """What is the same in every report of the same map."""
        return hd.TrackingIdentifier(uid=self.material.uid("tracking", name), identifier=name)

    def made_by(self) -> Iterator[hd.ContentItem]:
        """The method, if there is a map, and the model."""
        if self.method is not None:
            yield hd.CodeContentItem(MEASUREMENT_METHOD, self.method, Relation.HAS_CONCEPT_MOD)
        yield from _algorithm(self.material)

    def region(self, region: Region, polygon: NDArray[np.float64]) -> hd.ImageRegion:
        """In columns and rows of the source, or of one slice: OHIF draws no SCOORD3D on a stack of slices."""
        # The upper left corner of the first pixel is 0\0, its centre 0.5\0.5 (PS3.3 C.18.6.1.1).
        columns_and_rows = _no_rectangle(polygon)[:, ::-1] + 0.5
        return hd.ImageRegion(
            hd.GraphicTypeValues.POLYLINE,
            columns_and_rows,
            hd.SourceImageForRegion(*_referenced(self.frames[region.slice_index])),
        )

    def source_image(self) -> list[hd.ImageContentItem]:
        """The image, or the slice with most evidence; of a volume without evidence it is all of it."""
        if len(self.frames) == 1:
            return [_seen_on(self.frames[0])]
        if self.index is None or not self.saliency_map.supported(self.index):
            return []
        return [_seen_on(self.frames[most_evidence(self.material.explanation, self.index)])]

    @property
    def probability(self) -> float:
        return float(self.material.explanation.prediction.probabilities[self.place])

    def prediction(self) -> list[hd.NumContentItem]:
        logit = float(self.material.explanation.prediction.logits[self.place])
        said = [
            _number(codes.PROBABILITY, self.probability, codes.NO_UNITS),
            _number(codes.LOGIT, logit, codes.LOGITS),
        ]
        if self.finding.operating_point is not None:
            point = float(self.finding.operating_point)
            said.append(_number(codes.OPERATING_POINT, point, codes.NO_UNITS))
        return said

    def evidence(self) -> list[hd.NumContentItem]:
        """What the map says in logits; a map without a unit says nothing in numbers."""
        if self.index is None or self.saliency_map.unit is not Unit.LOGIT:
            return []
        said = {
            codes.EVIDENCE_FOR: self.saliency_map.evidence_for(self.index),
            codes.EVIDENCE_AGAINST: self.saliency_map.evidence_against(self.index),
            codes.BIAS: self.saliency_map.bias[self.index],
            codes.RESIDUAL: self.saliency_map.residual[self.index],
        }
        return [_number(name, float(value), codes.LOGITS) for name, value in said.items()]

    def answers(self) -> Iterator[hd.CodeContentItem]:
        """Whether the operating point is reached, and whether there is supporting evidence."""
        reported = self.material.explanation.prediction.reported(self.place)
        if reported is not None:
            answer = codes.YES if reported else codes.NO
            yield hd.CodeContentItem(codes.REACHED, answer, Relation.HAS_PROPERTIES)
        if self.index is not None and self.saliency_map.method not in CLASS_AGNOSTIC:
            answer = codes.PRESENT if self.saliency_map.supported(self.index) else codes.ABSENT
            yield hd.CodeContentItem(codes.SUPPORT, answer, Relation.HAS_PROPERTIES)

    def sentences(self, *, shown: bool) -> list[str]:
        """What the numbers mean, in words."""
        if self.index is None:
            return [NO_MAP]
        explanation = self.material.explanation
        said = [explanation.trust.findings[self.index].statement]
        if self.saliency_map.contrasts:
            said.insert(0, f"The evidence is for {self.label}: of the difference of their logits.")
        if self.saliency_map.method in CLASS_AGNOSTIC:
            said.insert(0, EXPLAINS_NO_FINDING)
        elif not self.saliency_map.supported(self.index):
            said.insert(0, f"{NO_EVIDENCE}.")
        if not shown and explanation.prediction.reported(self.place) is False:
            said.append(BELOW)
        return [text for text in said if text]


def _no_rectangle(line: NDArray[np.float64]) -> NDArray[np.float64]:
    """The same closed line (point, 2) with more than five points: OHIF makes a rectangle of fewer."""
    if len(line) > RECTANGLE:
        return line
    middles = (line[:-1] + line[1:]) / 2
    return np.concatenate([np.stack([line[:-1], middles], axis=1).reshape(-1, 2), line[-1:]])


def _algorithm(material: Material) -> hd.AlgorithmIdentification:
    """The model, with digest, method and target layer as parameters (TID 4019)."""
    provenance = material.explanation.provenance
    return hd.AlgorithmIdentification(
        name=provenance.model_name,
        version=provenance.model_version,
        parameters=[f"{name}: {value}" for name, value in parameters(material).items()],
        family=ARTIFICIAL_INTELLIGENCE,
    )


def _remarks(material: Material, chosen: Sequence[int]) -> list[str]:
    """What concerns the whole report."""
    explanation = material.explanation
    volume = [ON_SLICE] if len(material.image.space) == 3 else []
    about = [HALF, *volume] if chosen else [NOTHING_SHOWN]
    method = f"Method: {spelling(explanation.saliency_map.method)}."
    proof = f"The proof of the head says: {explanation.trust.verdict}." if explanation.trust.verdict else ""
    cautions = [text for text in (proof, *explanation.trust.cautions) if text]
    return [NOTICE, method, *about, *cautions, *material.image.notes]


def _image_library(material: Material) -> hd.ContainerContentItem:
    """The sources (TID 1600), with what they have in common."""
    images = [
        hd.ImageContentItem(
            name=standard.SCT.Source,
            referenced_sop_class_uid=str(source.SOPClassUID),
            referenced_sop_instance_uid=str(source.SOPInstanceUID),
            relationship_type=Relation.CONTAINS,
        )
        for source in material.sources
    ]
    group = _container(standard.DCM.ImageLibraryGroup, [*_modality(material), *_size(material), *images])
    return _container(standard.DCM.ImageLibrary, [group])


def _modality(material: Material) -> list[hd.CodeContentItem]:
    modality = elements.text(material.first, "Modality")
    known = {
        getattr(standard.cid29, name).value: getattr(standard.cid29, name) for name in standard.cid29.dir()
    }
    if modality not in known:
        return []
    return [
        hd.CodeContentItem(
            name=standard.DCM.Modality,
            value=known[modality],
            relationship_type=Relation.HAS_ACQ_CONTEXT,
        )
    ]


def _size(material: Material) -> list[hd.NumContentItem]:
    sizes = zip(
        (standard.DCM.PixelDataRows, standard.DCM.PixelDataColumns), material.image.space[-2:], strict=True
    )
    return [
        hd.NumContentItem(
            name=name,
            value=size,
            unit=Code("{pixels}", "UCUM", "pixels"),
            relationship_type=Relation.HAS_ACQ_CONTEXT,
        )
        for name, size in sizes
    ]


def _container(name: Code, content: Sequence[hd.ContentItem] | hd.ContentSequence) -> hd.ContainerContentItem:
    container = hd.ContainerContentItem(
        name, is_content_continuous=False, relationship_type=Relation.CONTAINS
    )
    container.ContentSequence = hd.ContentSequence(content)
    return container


def _number(name: Code, value: float, unit: Code) -> hd.NumContentItem:
    return hd.NumContentItem(name, _readable(value), unit, relationship_type=Relation.HAS_PROPERTIES)


def _readable(value: float) -> float:
    """With the digits that float32 holds: more are noise, and people read reports."""
    return float(f"{value:.7g}")


def _comment(text: str, relation: Relation) -> hd.TextContentItem:
    return hd.TextContentItem(codes.COMMENT, text, relation)


def _seen_on(source: SourceFrame) -> hd.ImageContentItem:
    return hd.ImageContentItem(
        standard.SCT.Source, *_referenced(source), relationship_type=Relation.INFERRED_FROM
    )


def _referenced(source: SourceFrame) -> tuple[str, str, list[int] | None]:
    """SOP class, instance, and the frame, as highdicom takes them."""
    frames = None if source.frame_number is None else [source.frame_number]
    return str(source.dataset.SOPClassUID), str(source.dataset.SOPInstanceUID), frames
