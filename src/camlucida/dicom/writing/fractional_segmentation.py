"""How much evidence a model finds where, as shades: Segmentation Storage, FRACTIONAL (PS3.3 C.8.20.2.3).

A carrier of attribution for viewers that draw segmentations and no parametric maps. The type is OCCUPANCY:
PROBABILITY would say how likely the finding is at a pixel, which no saliency map knows.
"""

from collections.abc import Sequence

import numpy as np
from pydicom.dataset import Dataset

from camlucida.dicom.writing.derived import Kind, even
from camlucida.dicom.writing.material import Material, indices
from camlucida.dicom.writing.multi_frame import provenance_sentence, short_text
from camlucida.dicom.writing.planes import native_planes, source_planes
from camlucida.dicom.writing.segmentation import Segment, finish_segmentation
from camlucida.dicom.writing.source_grid import evidence_slices, unit_word
from camlucida.records.method_name import CLASS_AGNOSTIC
from camlucida.rendering.scale import scale_of

KIND = Kind("attribution", 7107)
FULL = 255
MOST_BYTES = 64 * 2**20
"""Of an object on the source's own pixels, a byte each; beyond it the native grid is written."""
ATTRIBUTION = (
    "Attribution, not a segmentation: {full} is {scale:.3g} {unit} or more for “{finding}”, 0 is no evidence."
)


def write(material: Material, findings: Sequence[int] | None = None) -> list[Dataset]:
    """One Segmentation of shades with a segment for each finding that has evidence.

    A stored value is the evidence for the finding as a share of the fixed scale on which it is shown, from 0
    to `FULL`; evidence against is 0. The frames are the source's own slices; where that would be more than
    `MOST_BYTES` they are the slices of the native grid. Empty ones are left out. No object where no finding
    has evidence.

    Raises
    ------
    MissingGeometry
        Nobody knows which frame of the source a slice is, or the native grid lies askew in the patient.
    """
    chosen = indices(material.explanation, findings)
    native = int(np.prod(material.image.space)) * len(chosen) > MOST_BYTES
    found = [_segment(material, finding, native=native) for finding in chosen]
    segments = [segment for segment in found if segment.pixels]
    if not segments or material.explanation.saliency_map.method in CLASS_AGNOSTIC:
        return []
    dataset = Dataset()
    dataset.SegmentationType = "FRACTIONAL"
    dataset.SegmentationFractionalType, dataset.MaximumFractionalValue = "OCCUPANCY", FULL
    dataset.BitsAllocated = dataset.BitsStored = 8
    dataset.HighBit = 7
    pixels = [shades.tobytes() for segment in segments for shades in segment.pixels.values()]
    dataset.PixelData = even(b"".join(pixels))
    planes = native_planes(material) if native else source_planes(material)
    return [finish_segmentation(dataset, material, KIND, planes, segments)]


def _segment(material: Material, finding: int, *, native: bool) -> Segment:
    saliency_map = material.explanation.saliency_map
    scale = scale_of(saliency_map, finding)
    cells = saliency_map.values[finding]
    slices = cells.reshape(-1, *cells.shape[-2:]) if native else evidence_slices(saliency_map, finding)
    shades = (np.floor(FULL * np.clip(values / scale, 0, 1) + 0.5).astype(np.uint8) for values in slices)
    attribution = ATTRIBUTION.format(
        full=FULL, scale=scale, unit=unit_word(saliency_map), finding=saliency_map.label(finding)
    )
    return Segment(
        finding,
        short_text((attribution, provenance_sentence(material))),
        {plane: shade for plane, shade in enumerate(shades) if shade.any()},
    )
