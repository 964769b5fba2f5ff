"""One frame's attributes as a flat data set, whether the file is classic or enhanced multi-frame.

An enhanced object keeps what describes its frames in functional groups (PS3.3 C.7.6.16): shared by all
frames, or one item a frame. Everybody else in this folder reads a flat data set and need not know.
"""

from pydicom.datadict import tag_for_keyword
from pydicom.dataset import Dataset

from camlucida.dicom import elements

# Functional group macro: what is taken from it.
MACROS = {
    "PixelMeasuresSequence": ("PixelSpacing", "SliceThickness", "SpacingBetweenSlices"),
    "PlanePositionSequence": ("ImagePositionPatient",),
    "PlaneOrientationSequence": ("ImageOrientationPatient",),
    "PixelValueTransformationSequence": ("RescaleSlope", "RescaleIntercept", "RescaleType"),
    "FrameVOILUTSequence": (
        "WindowCenter",
        "WindowWidth",
        "WindowCenterWidthExplanation",
        "VOILUTFunction",
        "VOILUTSequence",
    ),
    "FrameAnatomySequence": ("FrameLaterality",),
}
FROM_ROOT = (
    *(keyword for keywords in MACROS.values() for keyword in keywords),
    "Modality",
    "ImagerPixelSpacing",
    "NominalScannedPixelSpacing",
    "PixelRepresentation",
    "BitsAllocated",
    "PixelPaddingValue",
    "PixelPaddingRangeLimit",
    "ModalityLUTSequence",
    "Units",
)


def frame_view(dataset: Dataset, frame: int) -> Dataset:
    """A small flat data set with what describes frame number `frame` (from 0).

    What stands in the frame's own functional group wins over the shared one, and that over the root.
    """
    flat = Dataset()
    _take(dataset, FROM_ROOT, flat)
    own = elements.item(dataset, "PerFrameFunctionalGroupsSequence", frame)
    shared = elements.item(dataset, "SharedFunctionalGroupsSequence")
    for macro, keywords in MACROS.items():
        found = elements.item(own, macro) or elements.item(shared, macro)
        if found is not None:
            _take(found, keywords, flat)
    return flat


def _take(source: Dataset, keywords: tuple[str, ...], flat: Dataset) -> None:
    for keyword in keywords:
        tag = tag_for_keyword(keyword) or 0
        if tag in source:
            elements.value(source, keyword)  # converts it in its own context, or says which one is damaged
            flat[tag] = source[tag]
