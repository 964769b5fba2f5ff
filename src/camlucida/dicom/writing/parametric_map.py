"""A saliency map as numbers: Parametric Map Storage, float32 (PS3.3 A.75).

On the native grid the values are those that were computed, bit for bit; a real-world value mapping says what
they mean. Integers are never written: viewers draw integer maps wrongly, without a word.
"""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.sr.coding import Code
from pydicom.uid import ParametricMapStorage

from camlucida.dicom.writing import codes
from camlucida.dicom.writing.derived import IMAGED, LONGEST_LO, LONGEST_SH, Kind, coded
from camlucida.dicom.writing.material import Material, indices
from camlucida.dicom.writing.multi_frame import (
    Channel,
    Derivation,
    Frame,
    finish_frames,
    provenance_sentence,
    short_text,
)
from camlucida.dicom.writing.planes import Planes, native_planes, source_planes
from camlucida.records import SaliencyMap, Unit
from camlucida.records.method_name import spelling
from camlucida.rendering.scale import scale_of
from camlucida.rendering.upsample import to_pixel_grid

NATIVE = Kind("map", 7104, IMAGED)
ON_SOURCE_GRID = Kind("map on the source's grid", 7105, IMAGED)
ARBITRARY = Code("[arb'U]", "UCUM", "arbitrary unit")
QUANTITY = Code("246205007", "SCT", "Quantity")
CHANNEL = Channel("LUTLabel", "RealWorldValueMappingSequence")
VOLUMES = frozenset({"CT", "MR"})
RESAMPLED = "Interpolated linearly to the source's pixels; the native map is in another object."


def write(material: Material, findings: Sequence[int] | None = None) -> list[Dataset]:
    """One Parametric Map of all findings of the map, or of those named, on the native grid.

    It has a frame for each finding and each native slice: FloatPixelData (frame, row, column), float32 as
    computed. Findings below their operating point are in it too.

    Raises
    ------
    MissingGeometry
        The native grid lies askew in the patient.
    """
    saliency_map = material.explanation.saliency_map
    channels = tuple(range(len(saliency_map.findings))) if findings is None else tuple(findings)
    if not channels:
        return []
    planes = native_planes(material)
    values = saliency_map.values[list(channels)].reshape(len(channels), -1, *planes.shape)
    return [_parametric_map(material, NATIVE, planes, channels, values)]


def write_on_source_grid(material: Material, findings: Sequence[int] | None = None) -> list[Dataset]:
    """One Parametric Map a finding on the source's own Rows and Columns, a frame for each of its slices.

    Made for OHIF, which draws a float map over a CT or MR volume only when its frames are the volume's
    slices, sorted along their normal. Nothing for other images. An object has twice the bytes of the volume:
    ask for one finding at a time where memory is short.

    Raises
    ------
    MissingGeometry
        Nobody knows which frame of the source a slice is.
    """
    if len(material.image.space) != 3 or material.image.modality not in VOLUMES:
        return []
    planes = source_planes(material)
    saliency_map = material.explanation.saliency_map
    written = []
    for finding in indices(material.explanation, findings):
        values = to_pixel_grid(saliency_map.values[finding], saliency_map.geometry)[np.newaxis]
        # Numbered by the finding's place in the map: the same object, whatever else is asked for.
        written.append(_parametric_map(material, ON_SOURCE_GRID, planes, (finding,), values, finding + 1))
    return written


def _parametric_map(
    material: Material,
    kind: Kind,
    planes: Planes,
    findings: Sequence[int],
    values: NDArray[np.float32],
    number: int = 1,
) -> Dataset:
    """The object of values (finding, plane, row, column)."""
    saliency_map = material.explanation.saliency_map
    dataset = Dataset()
    dataset.SOPClassUID = ParametricMapStorage
    dataset.Modality = "OT"
    dataset.ImageType = ["DERIVED", "PRIMARY", "VOLUME", "QUANTITY"]
    dataset.ContentLabel = "EVIDENCE"
    dataset.ContentDescription = "Evidence for a model's findings, not anatomy"
    dataset.ContentQualification = "RESEARCH"
    dataset.PixelPresentation, dataset.PresentationLUTShape = "MONOCHROME", "IDENTITY"
    dataset.RecognizableVisualFeatures = "NO"
    dataset.AcquisitionContextSequence = []
    dataset.BitsAllocated = 32
    dataset.FloatPixelData = np.ascontiguousarray(values, "<f4").tobytes()
    frames = list(_frames(material, findings, values))
    words = [saliency_map.label(finding) for finding in findings]
    derivation = _derivation(material, planes)
    finish_frames(dataset, material, kind, planes, frames, CHANNEL, derivation, *words, number=number)
    frame_type, identity = Dataset(), Dataset()
    frame_type.FrameType = dataset.ImageType
    identity.RescaleIntercept, identity.RescaleSlope, identity.RescaleType = 0, 1, "US"
    shared = dataset.SharedFunctionalGroupsSequence[0]
    shared.ParametricMapFrameTypeSequence = [frame_type]
    shared.PixelValueTransformationSequence = [identity]
    return dataset


def _frames(material: Material, findings: Sequence[int], values: NDArray[np.float32]) -> Iterator[Frame]:
    labels = short_labels([material.explanation.saliency_map.label(finding) for finding in findings])
    for channel, finding in enumerate(findings):
        groups = Dataset()
        groups.RealWorldValueMappingSequence = [_mapping(material, finding, labels[channel], values[channel])]
        groups.FrameVOILUTSequence = [_window(material.explanation.saliency_map, finding)]
        for plane in range(values.shape[1]):
            yield Frame(channel, plane, groups)


def short_labels(names: Sequence[str]) -> list[str]:
    """Names as Short Strings, numbered where two would be the same."""
    cut = [name[:LONGEST_SH] for name in names]
    if len(set(cut)) == len(cut):
        return cut
    return [f"{number} {name}"[:LONGEST_SH] for number, name in enumerate(names, start=1)]


def _mapping(material: Material, finding: int, label: str, values: NDArray[np.float32]) -> Dataset:
    """What a stored value is (PS3.3 C.7.6.16.2.11, Real World Value Mapping): itself, in its unit."""
    saliency_map = material.explanation.saliency_map
    prediction = material.explanation.prediction
    name = saliency_map.findings[finding]
    concept = prediction.findings[prediction.index(name)].concept
    in_logits = saliency_map.unit is Unit.LOGIT
    item = Dataset()
    item.LUTLabel = label
    item.LUTExplanation = f"{spelling(saliency_map.method)}: {saliency_map.label(finding)}"[:LONGEST_LO]
    item.RealWorldValueSlope, item.RealWorldValueIntercept = 1.0, 0.0
    item.DoubleFloatRealWorldValueFirstValueMapped = float(values.min())
    item.DoubleFloatRealWorldValueLastValueMapped = float(values.max())
    item.MeasurementUnitsCodeSequence = [coded(codes.LOGITS if in_logits else ARBITRARY)]
    item.QuantityDefinitionSequence = [
        _concept(QUANTITY, codes.of_method(saliency_map.method)),
        _concept(codes.FINDING, codes.of_finding(name, concept)),
    ]
    return item


def _concept(name: Code, value: Code) -> Dataset:
    item = Dataset()
    item.ValueType = "CODE"
    item.ConceptNameCodeSequence = [coded(name)]
    item.ConceptCodeSequence = [coded(value)]
    return item


def _window(saliency_map: SaliencyMap, finding: int) -> Dataset:
    """Zero in the middle, full white and full black at the scale that all viewers of ours use."""
    item = Dataset()
    item.WindowCenter, item.WindowWidth = 0.0, 2 * scale_of(saliency_map, finding)
    item.VOILUTFunction = "LINEAR_EXACT"  # the width may be below 1 (PS3.3 C.11.2.1.3.2)
    return item


def _derivation(material: Material, planes: Planes) -> Derivation:
    meaning = (
        "Each value is what its cell adds to, or takes from, the finding's logit."
        if material.explanation.saliency_map.unit is Unit.LOGIT
        else "Values have no unit: only the pattern within one finding has a meaning."
    )
    resampled = RESAMPLED if planes.source_frames else ""
    text = short_text((meaning, resampled, provenance_sentence(material), *planes.notes))
    return Derivation(codes.VISUAL_EXPLANATION, text)
