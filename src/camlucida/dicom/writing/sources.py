"""Which source instance, and which frame of it, a place on the image is from."""

from typing import NamedTuple

from pydicom.dataset import Dataset

from camlucida.dicom import geometry
from camlucida.dicom.frame_view import frame_view
from camlucida.dicom.writing.material import Material
from camlucida.errors import MissingGeometry


class SourceFrame(NamedTuple):
    """A source, and the number of its frame counted from 1; None where the source has one frame only."""

    dataset: Dataset
    frame_number: int | None

    def reference(self) -> Dataset:
        """The source as others refer to it (PS3.3 10.3, Image SOP Instance Reference Macro)."""
        item = Dataset()
        item.ReferencedSOPClassUID = self.dataset.SOPClassUID
        item.ReferencedSOPInstanceUID = self.dataset.SOPInstanceUID
        if self.frame_number is not None:
            item.ReferencedFrameNumber = self.frame_number
        return item


def source_frames(material: Material) -> tuple[SourceFrame, ...]:
    """The frame of each slice of the image, from slice 0; that of a 2D image alone."""
    if len(material.image.space) == 2:
        return (SourceFrame(material.first, material.image.source.frame_number),)
    if len(material.sources) > 1:
        return tuple(SourceFrame(source, None) for source in material.sources)
    return tuple(SourceFrame(material.first, index + 1) for index in _order(material.first))


def _order(dataset: Dataset) -> tuple[int, ...]:
    """Indices of the frames of a multi-frame volume in the order of its slices, as it was read."""
    views = [frame_view(dataset, index) for index in range(int(dataset.NumberOfFrames))]
    planes = [plane for view in views if (plane := geometry.read_plane(view, [])) is not None]
    if len(planes) < len(views):
        raise MissingGeometry("Not all frames have a position, so nobody knows which frame a slice is.")
    return geometry.stack(planes, geometry.read_spacing(views[0], []), []).order
