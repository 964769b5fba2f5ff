"""What parametric maps and segmentations have in common: frames with a place and a channel each.

PS3.3 C.7.6.16 (Multi-frame Functional Groups), C.7.6.17 (Multi-frame Dimension). The channel, a finding or a
segment, is the first dimension, the place the second.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pydicom.datadict import tag_for_keyword
from pydicom.dataset import Dataset
from pydicom.sr.coding import Code
from pydicom.valuerep import DSfloat

from camlucida.dicom.writing.codes import SOURCE_IMAGE_FOR_PROCESSING
from camlucida.dicom.writing.derived import LONGEST_ST, Kind, coded, finish, put_compression
from camlucida.dicom.writing.material import Material
from camlucida.dicom.writing.planes import Planes
from camlucida.dicom.writing.sources import SourceFrame
from camlucida.records.method_name import spelling


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """One frame: its channel and plane, both counted from 0, and the functional groups of its own kind."""

    channel: int
    plane: int
    groups: Dataset


@dataclass(frozen=True, slots=True)
class Channel:
    """What tells the channels apart: an attribute, and the functional group that holds it."""

    keyword: str
    group: str


@dataclass(frozen=True, slots=True)
class Derivation:
    """What was done with the source's pixels: a code of CID 7203, and a description."""

    code: Code
    description: str


def finish_frames(
    dataset: Dataset,
    material: Material,
    kind: Kind,
    planes: Planes,
    frames: Sequence[Frame],
    channel: Channel,
    derivation: Derivation,
    *words: str,
    number: int = 1,
) -> Dataset:
    """Give a data set its frames' places, dimensions and sources, and all that `finish` gives.

    Pixels, segments and mappings are the caller's.
    """
    dataset.Rows, dataset.Columns = planes.shape
    dataset.NumberOfFrames = len(frames)
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.BurnedInAnnotation, dataset.ContentCreatorName = "NO", ""
    dataset.ContentDate = dataset.ContentTime = ""  # `finish` knows them
    dataset.FrameOfReferenceUID = planes.frame_of_reference_uid
    dataset.PositionReferenceIndicator = ""
    put_compression(dataset, material.first)
    _put_dimensions(dataset, channel, material.uid("dimensions", kind.word))
    shared = _shared(planes)
    own = [_own(planes, frame) for frame in frames]
    if planes.source_frames:
        for frame, groups in zip(frames, own, strict=True):
            sources = [planes.source_frames[frame.plane]]
            groups.DerivationImageSequence = [_derived(sources, derivation, same_pixels=True)]
    else:  # each cell is made of the whole image
        sources = [SourceFrame(one, material.image.source.frame_number) for one in material.sources]
        shared.DerivationImageSequence = [_derived(sources, derivation, same_pixels=False)]
    dataset.SharedFunctionalGroupsSequence = [shared]
    dataset.PerFrameFunctionalGroupsSequence = own
    dataset.ReferencedSeriesSequence = [_series(material.sources)]
    return finish(dataset, material, kind, *words, number=number)


def provenance_sentence(material: Material) -> str:
    """Which method explains which model, and at which layer."""
    provenance = material.explanation.provenance
    return (
        f"{spelling(provenance.method)} at the layer {provenance.target_layer} of {provenance.model_name} "
        f"{provenance.model_version}: it explains the model, not the disease."
    )


def short_text(sentences: Iterable[str]) -> str:
    """Sentences as a Short Text."""
    return " ".join(sentence for sentence in sentences if sentence)[:LONGEST_ST]


def _decimal(number: float) -> DSfloat:
    """A Decimal String: 16 characters hold at least nine significant digits (PS3.5 6.2)."""
    return DSfloat(number, auto_format=True)


def _put_dimensions(dataset: Dataset, channel: Channel, uid: str) -> None:
    organization = Dataset()
    organization.DimensionOrganizationUID = uid
    dataset.DimensionOrganizationSequence = [organization]
    dataset.DimensionIndexSequence = [
        _dimension(uid, channel.keyword, channel.group),
        _dimension(uid, "ImagePositionPatient", "PlanePositionSequence"),
    ]


def _dimension(uid: str, keyword: str, group: str) -> Dataset:
    item = Dataset()
    item.DimensionOrganizationUID = uid
    item.DimensionIndexPointer = tag_for_keyword(keyword)
    item.FunctionalGroupPointer = tag_for_keyword(group)
    item.DimensionDescriptionLabel = keyword
    return item


def _shared(planes: Planes) -> Dataset:
    """Size and orientation, which all frames have in common."""
    measures, orientation, shared = Dataset(), Dataset(), Dataset()
    measures.PixelSpacing = [_decimal(mm) for mm in planes.spacing]
    measures.SliceThickness = measures.SpacingBetweenSlices = _decimal(planes.thickness)
    orientation.ImageOrientationPatient = [_decimal(cosine) for cosine in planes.orientation]
    shared.PixelMeasuresSequence = [measures]
    shared.PlaneOrientationSequence = [orientation]
    return shared


def _own(planes: Planes, frame: Frame) -> Dataset:
    """A frame's position and dimensions, beside the groups of its own kind."""
    position, content, own = Dataset(), Dataset(), Dataset()
    position.ImagePositionPatient = [_decimal(mm) for mm in planes.positions[frame.plane]]
    content.DimensionIndexValues = [frame.channel + 1, frame.plane + 1]
    own.PlanePositionSequence = [position]
    own.FrameContentSequence = [content]
    own.update(frame.groups)
    return own


def _derived(sources: Sequence[SourceFrame], derivation: Derivation, *, same_pixels: bool) -> Dataset:
    """The Derivation Image macro (PS3.3 C.7.6.16.2.6)."""
    item = Dataset()
    item.DerivationDescription = derivation.description
    item.DerivationCodeSequence = [coded(derivation.code)]
    item.SourceImageSequence = [_source(source, same_pixels=same_pixels) for source in sources]
    return item


def _source(source: SourceFrame, *, same_pixels: bool) -> Dataset:
    item = source.reference()
    item.PurposeOfReferenceCodeSequence = [coded(SOURCE_IMAGE_FOR_PROCESSING)]
    item.SpatialLocationsPreserved = "YES" if same_pixels else "NO"
    return item


def _series(sources: Sequence[Dataset]) -> Dataset:
    """The sources' series (Common Instance Reference, PS3.3 C.12.2)."""
    item = Dataset()
    item.SeriesInstanceUID = sources[0].SeriesInstanceUID
    item.ReferencedInstanceSequence = [SourceFrame(source, None).reference() for source in sources]
    return item
