"""Where pixels lie in the patient: spacing, planes, and planes stacked to a volume.

PS3.3 C.7.6.2 (Image Plane), 10.7 (Pixel Spacing). Coordinates are in mm, LPS; index order is
(slice, row, column).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from camlucida.dicom import elements
from camlucida.errors import MissingGeometry, UnreadableFile

PROJECTION = frozenset({"CR", "DX", "MG", "RF", "XA", "RG", "PX", "IO"})
SMALLEST_MM, LARGEST_MM = 1e-6, 1e4
SAME_DIRECTION = 1e-3  # largest difference of direction cosines within one stack
UNIT_LENGTH = 0.02  # how far direction cosines may be off; files round them to two digits and more
SAME_POSITION_MM = 0.01
GAP = 1.5  # times the usual distance of slices
UNEVEN = 0.1  # voxels


@dataclass(frozen=True, slots=True, eq=False)
class Plane:
    """Image Position (Patient) and the directions of columns and rows, (3,) each.

    `along_row` is where the column index grows (first three of Image Orientation), `along_column` where the
    row index grows.
    """

    position: NDArray[np.float64]
    along_row: NDArray[np.float64]
    along_column: NDArray[np.float64]

    @property
    def normal(self) -> NDArray[np.float64]:
        """Unit vector at right angles to the plane."""
        normal = np.cross(self.along_row, self.along_column)
        return normal / np.linalg.norm(normal)

    def parallel(self, other: "Plane") -> bool:
        """Whether both planes have the same orientation."""
        return bool(
            np.allclose(self.along_row, other.along_row, rtol=0, atol=SAME_DIRECTION)
            and np.allclose(self.along_column, other.along_column, rtol=0, atol=SAME_DIRECTION)
        )


@dataclass(frozen=True, slots=True, eq=False)
class Stack:
    """Parallel planes in order.

    `order` are the indices of the planes that are kept, sorted along the normal; `step` is the vector from
    one slice to the next (not along the normal when the gantry is tilted), None where the slices are not
    evenly spaced within half a voxel; `distance` is the usual distance of slices in mm.
    """

    order: tuple[int, ...]
    distance: float
    step: NDArray[np.float64] | None


def read_plane(view: Dataset, notes: list[str]) -> Plane | None:
    """The plane of one frame; None where it has none, with a note where what it has makes no sense."""
    try:
        position = np.asarray(elements.numbers(view, "ImagePositionPatient"))
        orientation = np.asarray(elements.numbers(view, "ImageOrientationPatient"))
    except UnreadableFile as error:
        notes.append(f"{error} Places on the image have no patient coordinates.")
        return None
    if not (position.size and orientation.size):
        return None
    if position.size != 3 or orientation.size != 6 or not _at_right_angles(orientation):
        notes.append(
            "Image Position or Image Orientation (Patient) makes no sense, so places on the image have no "
            "patient coordinates."
        )
        return None
    return Plane(position, orientation[:3], orientation[3:])


def _at_right_angles(orientation: NDArray[np.float64]) -> bool:
    row, column = orientation[:3], orientation[3:]
    products = np.array([row @ row, column @ column, row @ column])
    return bool(np.abs(products - [1, 1, 0]).max() <= UNIT_LENGTH)


def read_spacing(view: Dataset, notes: list[str]) -> tuple[float, float] | None:
    """Distance of pixel centres in mm, down the rows and along the columns; None where unknown.

    For projection radiographs without Pixel Spacing, Imager Pixel Spacing or Nominal Scanned Pixel Spacing
    is used, with a note: they are measured at the detector or on the film, not in the patient.
    """
    found = _pair(view, "PixelSpacing", notes)
    if found is not None:
        return found
    if elements.text(view, "Modality") in PROJECTION:
        for keyword, place in (
            ("ImagerPixelSpacing", "at the detector"),
            ("NominalScannedPixelSpacing", "on the scanned film"),
        ):
            found = _pair(view, keyword, notes)
            if found is not None:
                notes.append(
                    f"Pixel Spacing is unknown; {elements.naming(keyword)} is used, which is measured "
                    f"{place}: true sizes in the patient are smaller."
                )
                return found
    notes.append("Pixel Spacing is unknown, so sizes are given in pixels, not in mm.")
    return None


def _pair(view: Dataset, keyword: str, notes: list[str]) -> tuple[float, float] | None:
    try:
        found = elements.numbers(view, keyword)
    except UnreadableFile as error:
        notes.append(f"{error} It is ignored.")
        return None
    if not found:
        return None
    if len(found) == 2 and all(SMALLEST_MM <= one <= LARGEST_MM for one in found):
        return found[0], found[1]
    given = "\\".join(f"{one:g}" for one in found)
    notes.append(f"{elements.naming(keyword)} is {given}, which cannot be; it is ignored.")
    return None


def plane_matrix(plane: Plane, spacing: tuple[float, float], thickness: float) -> NDArray[np.float64]:
    """Homogeneous (4, 4) matrix from (slice, row, column, 1) to the patient (PS3.3 equation C.7.6.2.1-1).

    Slice 0 is the plane; `thickness` in mm is the length of a step off it, along the normal.
    """
    return _matrix(plane, plane.normal * thickness, spacing)


def _matrix(plane: Plane, step: NDArray[np.float64], spacing: tuple[float, float]) -> NDArray[np.float64]:
    matrix = np.eye(4)
    matrix[:3, 0] = step
    matrix[:3, 1] = plane.along_column * spacing[0]
    matrix[:3, 2] = plane.along_row * spacing[1]
    matrix[:3, 3] = plane.position
    return matrix


def read_thickness(view: Dataset) -> float:
    """Distance of slices in mm as far as one frame knows: Spacing Between Slices, Slice Thickness, or 1."""
    for keyword in ("SpacingBetweenSlices", "SliceThickness"):
        try:
            found = elements.number(view, keyword)
        except UnreadableFile:  # it is one of two sources, and only 3D neighbours would need it
            continue
        if found is not None and SMALLEST_MM <= abs(found) <= LARGEST_MM:
            return abs(found)
    return 1.0


def distinct_positions(planes: Sequence[Plane]) -> int:
    """How many different places along the first plane's normal the planes have."""
    places = np.sort([plane.position @ planes[0].normal for plane in planes])
    return 1 + int((np.diff(places) >= SAME_POSITION_MM).sum())


def stack(planes: Sequence[Plane], spacing: tuple[float, float] | None, notes: list[str]) -> Stack:
    """Sort parallel planes along their normal, drop those at the same place, and report gaps.

    `spacing` is that of the pixels, in mm.

    Raises
    ------
    MissingGeometry
        The planes are not parallel, or all at one place.
    """
    if not all(planes[0].parallel(plane) for plane in planes):
        raise MissingGeometry("The slices have different orientations, so they are no volume.")
    places = np.array([plane.position @ planes[0].normal for plane in planes])
    order = _without_duplicates(np.argsort(places, kind="stable"), places, notes)
    if len(order) < 2:
        raise MissingGeometry("All slices lie at the same position, so they are no volume.")
    distances = np.diff(places[order])
    distance = float(np.median(distances))
    _report_gaps(distances, distance, notes)
    positions = np.array([planes[index].position for index in order])
    step = _even_step(positions, planes[0].normal, (distance, *(spacing or ())), notes)
    return Stack(tuple(int(index) for index in order), distance, step)


def _without_duplicates(
    order: NDArray[np.intp], places: NDArray[np.float64], notes: list[str]
) -> NDArray[np.intp]:
    first = np.concatenate([[True], np.diff(places[order]) >= SAME_POSITION_MM])
    if first.all():
        return order
    dropped, kept = int((~first).sum()), int(first.sum())
    if len(order) % kept == 0 and (np.diff(np.flatnonzero(first)) == len(order) // kept).all():
        notes.append(
            f"There are {len(order) // kept} images at every position (phases or echoes); only the first at "
            f"each position is used, {dropped} are left out."
        )
    else:
        notes.append(f"{dropped} slice(s) at a position that another slice already has are left out.")
    return np.asarray(order[first])


def _report_gaps(distances: NDArray[np.float64], distance: float, notes: list[str]) -> None:
    for index in np.flatnonzero(distances > GAP * distance)[:3]:
        missing = max(round(float(distances[index] / distance)) - 1, 1)
        notes.append(
            f"Gap: about {missing} slice(s) are missing between slices {index + 1} and {index + 2} "
            f"({distances[index]:.3g} mm apart instead of {distance:.3g} mm)."
        )
    more = int((distances > GAP * distance).sum()) - 3
    if more > 0:
        notes.append(f"There are {more} more gaps between slices.")


def _even_step(
    positions: NDArray[np.float64], normal: NDArray[np.float64], voxel: Sequence[float], notes: list[str]
) -> NDArray[np.float64] | None:
    """The vector from slice to slice, if every slice lies within half a voxel of where it then should."""
    step = (positions[-1] - positions[0]) / (len(positions) - 1)
    errors = positions - positions[0] - np.arange(len(positions))[:, None] * step
    across = errors @ normal
    within = np.linalg.norm(errors - across[:, None] * normal, axis=1)
    off = max(float(np.abs(across).max()) / voxel[0], float(within.max()) / min(voxel[1:] or voxel))
    if off > 0.5:
        notes.append("The slices are not evenly spaced, so places in the volume have no patient coordinates.")
        return None
    if off > UNEVEN:
        notes.append(f"The slices are not quite evenly spaced: places are off by up to {off:.2f} voxel.")
    return np.asarray(step)


def stack_matrix(
    plane: Plane, step: NDArray[np.float64], spacing: tuple[float, float]
) -> NDArray[np.float64]:
    """Homogeneous (4, 4) matrix of a volume whose slice 0 is `plane`."""
    return _matrix(plane, step, spacing)
