"""Where the frames of a written object lie: a native grid's own cells, or the pixels of the source.

PS3.3 C.7.6.2.1.1 (Image Plane), C.7.6.16.2 (Pixel Measures, Plane Position, Plane Orientation). Coordinates
are in mm, LPS; index order is (slice, row, column), pixel centres at integers.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from camlucida.dicom.frame_view import frame_view
from camlucida.dicom.geometry import UNIT_LENGTH, Plane, read_plane, read_spacing
from camlucida.dicom.writing.material import Material
from camlucida.dicom.writing.sources import SourceFrame, source_frames
from camlucida.errors import MissingGeometry
from camlucida.records import Geometry

UNKNOWN_MM = 1.0  # the size of a pixel, or the thickness of a slice, that the source does not give
INVENTED = "The source has no position in the patient: its first pixel is the origin."
INVENTED_SPACING = "Pixel Spacing is unknown: 1 mm a pixel is an assumption."


@dataclass(frozen=True, slots=True, eq=False)
class Planes:
    """Parallel planes of the same size, each a place for one frame.

    `positions` (plane, 3) are the centres of each plane's first pixel; `orientation` (6,) the directions in
    which the column and the row index grow; `spacing` the distance of rows and of columns; `thickness` that
    of planes, along their normal. `source_frames` are those whose pixels lie at the same places, one a plane;
    none for a native grid. `notes` are sentences about what of it the source did not give.
    """

    shape: tuple[int, int]
    positions: NDArray[np.float64]
    orientation: NDArray[np.float64]
    spacing: tuple[float, float]
    thickness: float
    frame_of_reference_uid: str
    source_frames: tuple[SourceFrame, ...] = ()
    notes: tuple[str, ...] = ()


def native_planes(material: Material) -> Planes:
    """The planes of the native grid: one a slice of cells, with cells as large as they are.

    The matrices of the map's geometry give them, so that flips, crops and oblique slices are exact. Without a
    place in the patient they lie in a frame of reference of their own, whose origin is the image's first
    pixel.

    Raises
    ------
    MissingGeometry
        The cells are no rectangles in the patient, which DICOM cannot say.
    """
    geometry = material.explanation.saliency_map.geometry
    known = geometry.pixel_to_patient is not None
    to_patient = _native_to_patient(geometry)
    step, down, along = to_patient[:3, :3].T
    spacing = float(np.linalg.norm(down)), float(np.linalg.norm(along))
    orientation = np.concatenate([along / spacing[1], down / spacing[0]])
    if abs(orientation[:3] @ orientation[3:]) > UNIT_LENGTH:
        raise MissingGeometry(
            "The map's cells are no rectangles in the patient, so a DICOM object cannot place them; rotate "
            "the network's input in steps of 90° only."
        )
    normal = np.cross(orientation[:3], orientation[3:])
    slices = geometry.native_shape[0] if len(geometry.native_shape) == 3 else 1
    rows, columns = geometry.native_shape[-2:]
    return Planes(
        shape=(rows, columns),
        positions=to_patient[:3, 3] + np.arange(slices)[:, np.newaxis] * step,
        orientation=orientation,
        spacing=spacing,
        thickness=abs(float(step @ normal)),
        frame_of_reference_uid=_frame_of_reference(material, known=known),
        notes=_notes(known=known, spaced=geometry.spacing is not None),
    )


def source_planes(material: Material) -> Planes:
    """The planes of the source's own pixels: one a slice of the image, in its order.

    Positions and orientation are those of the source itself. Without them the planes lie as those of
    `native_planes` do.
    """
    frames = source_frames(material)
    views = [frame_view(frame.dataset, (frame.frame_number or 1) - 1) for frame in frames]
    found = [read_plane(view, []) for view in views]
    planes = [plane for plane in found if plane is not None]
    known = len(planes) == len(found) and read_spacing(views[0], []) is not None
    if not known:
        planes = _invented_planes(material)
    orientation = np.concatenate([planes[0].along_row, planes[0].along_column])
    spacing = _spacing(material.explanation.saliency_map.geometry)
    rows, columns = material.image.space[-2:]
    return Planes(
        shape=(rows, columns),
        positions=np.array([plane.position for plane in planes]),
        orientation=orientation,
        spacing=(spacing[1], spacing[2]),
        thickness=_thickness(material),
        frame_of_reference_uid=_frame_of_reference(material, known=known),
        source_frames=frames,
        notes=_notes(known=known, spaced=material.image.spacing is not None),
    )


def _native_to_patient(geometry: Geometry) -> NDArray[np.float64]:
    """Homogeneous (4, 4) matrix from (slice, row, column, 1) of the native grid; slice is 0 for an image."""
    axes = len(geometry.native_shape)
    to_pixel = np.eye(4)
    to_pixel[3 - axes :, 3 - axes :] = geometry.native_to_pixel
    to_patient = geometry.pixel_to_patient
    return np.asarray((_invented(geometry) if to_patient is None else to_patient) @ to_pixel)


def _invented(geometry: Geometry) -> NDArray[np.float64]:
    """Patient space where the source has none: x along the rows, y down the columns, z through the slices."""
    slices, rows, columns = _spacing(geometry)
    matrix = np.zeros((4, 4))
    matrix[2, 0], matrix[1, 1], matrix[0, 2], matrix[3, 3] = slices, rows, columns, 1
    return matrix


def _spacing(geometry: Geometry) -> tuple[float, float, float]:
    """Distance of slices, rows and columns of the pixel grid."""
    known = geometry.spacing or (UNKNOWN_MM,) * len(geometry.pixel_shape)
    slices, rows, columns = (UNKNOWN_MM,) * (3 - len(known)) + known
    return slices, rows, columns


def _thickness(material: Material) -> float:
    to_patient = material.image.pixel_to_patient
    if to_patient is None:
        return _spacing(material.explanation.saliency_map.geometry)[0]
    normal = np.cross(to_patient[:3, 2], to_patient[:3, 1])
    return abs(float(to_patient[:3, 0] @ normal / np.linalg.norm(normal)))


def _invented_planes(material: Material) -> list[Plane]:
    matrix = _invented(material.explanation.saliency_map.geometry)
    count = material.image.space[0] if len(material.image.space) == 3 else 1
    along, down = np.array([1.0, 0, 0]), np.array([0, 1.0, 0])
    return [Plane(matrix[:3, 3] + number * matrix[:3, 0], along, down) for number in range(count)]


def _frame_of_reference(material: Material, *, known: bool) -> str:
    """The source's frame of reference, or one of our own: of the patient, or of the image alone."""
    given = material.image.source.frame_of_reference_uid
    return given if known and given else material.uid("frame of reference", "patient" if known else "image")


def _notes(*, known: bool, spaced: bool) -> tuple[str, ...]:
    return (*(() if known else (INVENTED,)), *(() if spaced else (INVENTED_SPACING,)))
