"""Secondary Capture: the overlay with its legend as a picture that everything shows (PS3.3 A.8.1).

One for each shown finding; where none is shown there is none, and the structured report says so. The text
that is burned in is about the finding and never about the patient.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.uid import SecondaryCaptureImageStorage

from camlucida.dicom.writing import codes
from camlucida.dicom.writing.derived import (
    LONGEST_ST,
    SECONDARY_CAPTURE,
    coded,
    even,
    finish,
    object_uid,
    put_compression,
)
from camlucida.dicom.writing.material import Material, indices
from camlucida.dicom.writing.sources import SourceFrame, source_frames
from camlucida.records.method_name import spelling
from camlucida.rendering.legend import NOTICE, most_evidence, picture

SMALL = 0.1
"""A direction that is this near to a right angle with one of the patient's axes does not name it."""


def write(material: Material, findings: Sequence[int] | None = None) -> list[Dataset]:
    """One Secondary Capture (RGB, 8 bits) a finding, strongest first; none where no finding is shown.

    Of a volume it is the slice with most evidence for the finding.
    """
    chosen = indices(material.explanation, findings)
    return [_capture(material, index) for index in chosen]


def _capture(material: Material, index: int) -> Dataset:
    dataset = Dataset()
    dataset.SOPClassUID = SecondaryCaptureImageStorage
    dataset.Modality = "OT"
    dataset.ConversionType = "WSD"
    dataset.ImageType = ["DERIVED", "SECONDARY"]
    dataset.BurnedInAnnotation = "YES"
    dataset.RecognizableVisualFeatures = "NO"
    _put_derivation(dataset, material, index)
    _put_pixels(dataset, material, index)
    finish(dataset, material, SECONDARY_CAPTURE, _word(material, index), number=index + 1)
    _put_orientation(dataset, material)
    return dataset


def _put_orientation(dataset: Dataset, material: Material) -> None:
    """The picture lies as its source does: as that says, or as its plane lies in the patient."""
    if "PatientOrientation" not in dataset:
        matrix = material.image.pixel_to_patient
        directions = [] if matrix is None else [matrix[:3, 2], matrix[:3, 1]]
        dataset.PatientOrientation = [letters(direction) for direction in directions]


def letters(direction: NDArray[np.float64]) -> str:
    """Where a direction in the patient (LPS) points, its largest part first (PS3.3 C.7.6.1.1.1)."""
    share = direction / np.linalg.norm(direction)
    names = [("L", "R"), ("P", "A"), ("H", "F")]
    order = [axis for axis in np.argsort(-np.abs(share), kind="stable") if abs(share[axis]) > SMALL]
    return "".join(names[axis][int(share[axis] < 0)] for axis in order)


def instance_uid(material: Material, index: int) -> str:
    """The SOP Instance UID of the picture of a finding, whether it has been drawn or not."""
    return object_uid(material, SECONDARY_CAPTURE, _word(material, index))


def _word(material: Material, index: int) -> str:
    return material.explanation.saliency_map.label(index)


def _put_derivation(dataset: Dataset, material: Material, index: int) -> None:
    """What it was made from and how (PS3.3 C.7.6.1.1.3, C.7.6.1.1.4)."""
    explanation = material.explanation
    saliency_map, provenance = explanation.saliency_map, explanation.provenance
    frame, where = shown_frame(material, index)
    label = saliency_map.label(index)
    dataset.DerivationDescription = (
        f"{spelling(saliency_map.method)} at the layer {saliency_map.target_layer} of the model "
        f"{provenance.model_name} {provenance.model_version}: evidence for {label}, drawn over {where}."
    )[:LONGEST_ST]
    dataset.DerivationCodeSequence = [
        coded(codes.VISUAL_EXPLANATION),
        coded(codes.of_method(saliency_map.method)),
    ]
    source = frame.reference()
    source.PurposeOfReferenceCodeSequence = [coded(codes.SOURCE_IMAGE_FOR_PROCESSING)]
    source.SpatialLocationsPreserved = "NO"  # the picture has another size, and a legend beside it
    dataset.SourceImageSequence = [source]
    dataset.ImageComments = f"{label}. {NOTICE}"


def shown_frame(material: Material, index: int) -> tuple[SourceFrame, str]:
    """The frame of the source that the picture shows for a finding, and how to say it."""
    frames = source_frames(material)
    if len(material.image.space) == 2:
        return frames[0], "the image"
    shown = most_evidence(material.explanation, index)
    return frames[shown], f"slice {shown + 1} of {len(frames)}, counted as the volume is sorted"


def _put_pixels(dataset: Dataset, material: Material, index: int) -> None:
    drawn = np.asarray(picture(material.image, material.explanation, index))
    dataset.Rows, dataset.Columns, dataset.SamplesPerPixel = drawn.shape
    dataset.PhotometricInterpretation, dataset.PlanarConfiguration = "RGB", 0
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 8, 8, 7, 0
    put_compression(dataset, material.first)
    dataset.PixelData = even(drawn.tobytes())
    dataset["PixelData"].VR = "OB"
