"""Structured report: prediction, evidence and regions as numbers, codes and places that machines can read.

A Comprehensive 3D SR (PS3.3 A.35.13) with the template Measurement Report (PS3.16 TID 1500), the root of IHE
AI Results. Each finding of the model is a measurement group (TID 1501), those below their operating point
too; each region with evidence for a shown finding is a planar region of interest (TID 1410).
"""

from collections.abc import Iterator, Sequence
from typing import Any, TypeAlias

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

RADIOGRAPHY, CT = standard.SCT.PlainRadiography, standard.SCT.ComputedTomography
PROCEDURES = {
    "CR": RADIOGRAPHY,
    "DX": RADIOGRAPHY,
    "RG": RADIOGRAPHY,
    "CT": CT,
    "MG": standard.SCT.Mammography,
    "US": standard.SCT.Ultrasonography,
}

Group: TypeAlias = (
    hd.MeasurementsAndQualitativeEvaluations | hd.PlanarROIMeasurementsAndQualitativeEvaluations
)


def write(material: Material, findings: Sequence[int] | None = None) -> list[Dataset]:
    """The report, one data set. `findings` are those of the map that are told with their regions."""
    chosen = indices(material.explanation, findings)
    words = selection(material.explanation, chosen)
    report = hd.MeasurementReport(
        observation_context=hd.ObservationContext(observer_device_context=observer(material)),
        procedure_reported=PROCEDURES.get(material.image.modality, standard.SCT.ImagingProcedure),
        imaging_measurements=list(_groups(material, chosen)),
        title=standard.DCM.ImagingMeasurementReport,
    )
    content = report[0].ContentSequence
    content.insert(len(content) - 1, _image_library(material))
    content.extend(_comment(text) for text in _remarks(material, chosen))
    dataset = hd.Comprehensive3DSR(
        evidence=[bare(source) for source in material.sources],
        content=report[0],
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


def _groups(material: Material, chosen: Sequence[int]) -> Iterator[Group]:
    """The findings, the most probable first, each with its regions behind it."""
    prediction = material.explanation.prediction
    explained = material.explanation.saliency_map.findings
    maps = [prediction.index(name) for name in explained]
    frames = source_frames(material)
    for place in sorted(range(len(prediction.findings)), key=lambda place: -prediction.probabilities[place]):
        of_finding: list[int | None] = [index for index, found in enumerate(maps) if found == place]
        for index in of_finding or [None]:
            yield _Group(material, frames, place, index).whole(shown=index in chosen)
            if index is not None and index in chosen:
                yield from _Group(material, frames, place, index).regions()


class _Group:
    """What is said of one finding: `place` is where it is in the prediction, `index` in the map (or None)."""

    def __init__(
        self, material: Material, frames: Sequence[SourceFrame], place: int, index: int | None
    ) -> None:
        self.material, self.frames, self.place, self.index = material, frames, place, index
        self.finding = material.explanation.prediction.findings[place]
        self.saliency_map = material.explanation.saliency_map
        self.label = self.finding.name if index is None else self.saliency_map.label(index)

    def whole(self, *, shown: bool) -> hd.MeasurementsAndQualitativeEvaluations:
        group = hd.MeasurementsAndQualitativeEvaluations(
            source_images=self.source_images(),
            measurements=[*self.prediction(), *self.evidence()],
            qualitative_evaluations=self.evaluations(),
            **self.identity(self.label),
        )
        group[0].ContentSequence.extend(_comment(text) for text in self.sentences(shown=shown))
        return group

    def regions(self) -> Iterator[hd.PlanarROIMeasurementsAndQualitativeEvaluations]:
        """One for each polygon of each region."""
        found = regions(self.material, self.index or 0)
        places = [(region, polygon) for region in found for polygon in region.polygons]
        for number, (region, polygon) in enumerate(places, start=1):
            yield hd.PlanarROIMeasurementsAndQualitativeEvaluations(
                referenced_region=self.region(region, polygon),
                measurements=[
                    self.prediction()[0],
                    hd.Measurement(codes.SHARE, 100 * region.share, codes.PERCENT),
                ],
                **self.identity(f"{self.label}, region {number} of {len(places)}"),
            )

    def identity(self, tracked: str) -> dict[str, Any]:
        """What all groups of a finding have in common."""
        return {
            "tracking_identifier": hd.TrackingIdentifier(
                uid=self.material.uid("tracking", tracked), identifier=tracked
            ),
            "finding_type": codes.of_finding(self.finding.name, self.finding.concept),
            "method": None if self.index is None else codes.of_method(self.saliency_map.method),
            "algorithm_id": _algorithm(self.material),
        }

    def region(self, region: Region, polygon: NDArray[np.float64]) -> hd.ImageRegion | hd.ImageRegion3D:
        """In patient coordinates where a volume has them, else in the columns and rows of the source."""
        image = self.material.image
        frame_of_reference = image.source.frame_of_reference_uid
        if len(image.space) == 3 and image.pixel_to_patient is not None and frame_of_reference:
            return hd.ImageRegion3D(
                hd.GraphicTypeValues3D.POLYGON, self.in_patient(region, polygon), frame_of_reference
            )
        source = self.frames[region.slice_index]
        # The upper left corner of the first pixel is 0\0, its centre 0.5\0.5 (PS3.3 C.18.6.1.1).
        columns_and_rows = polygon[:, ::-1] + 0.5
        return hd.ImageRegion(
            hd.GraphicTypeValues.POLYLINE, columns_and_rows, hd.SourceImageForRegion(*_referenced(source))
        )

    def in_patient(self, region: Region, polygon: NDArray[np.float64]) -> NDArray[np.float64]:
        """Points in mm, LPS (PS3.3 C.18.9)."""
        to_patient = self.material.image.pixel_to_patient
        assert to_patient is not None  # noqa: S101 - `region` asked
        indices_ = np.insert(polygon, 0, region.slice_index, axis=1)
        return indices_ @ to_patient[:3, :3].T + to_patient[:3, 3]

    def source_images(self) -> list[hd.SourceImageForMeasurementGroup] | None:
        """The image, or the slice with most evidence; of a volume without evidence it is all of it."""
        if len(self.frames) == 1:
            return [hd.SourceImageForMeasurementGroup(*_referenced(self.frames[0]))]
        if self.index is None or not self.saliency_map.supported(self.index):
            return None
        frame = self.frames[most_evidence(self.material.explanation, self.index)]
        return [hd.SourceImageForMeasurementGroup(*_referenced(frame))]

    def prediction(self) -> list[hd.Measurement]:
        prediction = self.material.explanation.prediction
        said = [
            hd.Measurement(codes.PROBABILITY, float(prediction.probabilities[self.place]), codes.NO_UNITS),
            hd.Measurement(codes.LOGIT, float(prediction.logits[self.place]), codes.LOGITS),
        ]
        if self.finding.operating_point is not None:
            point = float(self.finding.operating_point)
            said.append(hd.Measurement(codes.OPERATING_POINT, point, codes.NO_UNITS))
        return said

    def evidence(self) -> list[hd.Measurement]:
        """What the map says in logits; a map without a unit says nothing in numbers."""
        if self.index is None or self.saliency_map.unit is not Unit.LOGIT:
            return []
        said = {
            codes.EVIDENCE_FOR: self.saliency_map.evidence_for(self.index),
            codes.EVIDENCE_AGAINST: self.saliency_map.evidence_against(self.index),
            codes.BIAS: self.saliency_map.bias[self.index],
            codes.RESIDUAL: self.saliency_map.residual[self.index],
        }
        return [hd.Measurement(name, float(value), codes.LOGITS) for name, value in said.items()]

    def evaluations(self) -> list[hd.QualitativeEvaluation]:
        said = []
        reported = self.material.explanation.prediction.reported(self.place)
        if reported is not None:
            said.append(hd.QualitativeEvaluation(codes.REACHED, codes.YES if reported else codes.NO))
        if self.index is not None and self.saliency_map.method not in CLASS_AGNOSTIC:
            supported = self.saliency_map.supported(self.index)
            said.append(hd.QualitativeEvaluation(codes.SUPPORT, codes.PRESENT if supported else codes.ABSENT))
        return said

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
    library = hd.ContainerContentItem(
        name=standard.DCM.ImageLibrary, relationship_type=hd.RelationshipTypeValues.CONTAINS
    )
    group = hd.ContainerContentItem(
        name=standard.DCM.ImageLibraryGroup, relationship_type=hd.RelationshipTypeValues.CONTAINS
    )
    group.ContentSequence = hd.ContentSequence([*_modality(material), *_size(material)])
    group.ContentSequence.extend(
        hd.ImageContentItem(
            name=standard.SCT.Source,
            referenced_sop_class_uid=str(source.SOPClassUID),
            referenced_sop_instance_uid=str(source.SOPInstanceUID),
            relationship_type=hd.RelationshipTypeValues.CONTAINS,
        )
        for source in material.sources
    )
    library.ContentSequence = hd.ContentSequence([group])
    return library


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
            relationship_type=hd.RelationshipTypeValues.HAS_ACQ_CONTEXT,
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
            relationship_type=hd.RelationshipTypeValues.HAS_ACQ_CONTEXT,
        )
        for name, size in sizes
    ]


def _comment(text: str) -> hd.TextContentItem:
    return hd.TextContentItem(
        name=codes.COMMENT, value=text, relationship_type=hd.RelationshipTypeValues.CONTAINS
    )


def _referenced(source: SourceFrame) -> tuple[str, str, list[int] | None]:
    """SOP class, instance, and the frame, as highdicom takes them."""
    frames = None if source.frame_number is None else [source.frame_number]
    return str(source.dataset.SOPClassUID), str(source.dataset.SOPInstanceUID), frames
