"""A planted finding lies where it should, as highdicom, SimpleITK and dcmtk read it back.

The evidence is in one native cell. Where its centre is in the patient is said by the geometry that the map
was computed with; where the written object says that it is, by readers that know nothing of us. dcmtk gives
the raw elements, and the equation of the standard is written here again, slowly.
"""

import json
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import highdicom as hd
import numpy as np
import pytest
import SimpleITK
from pydicom import dcmread
from pydicom.dataset import Dataset

from camlucida.dicom.read import read_dicom
from camlucida.dicom.writing import fractional_segmentation, parametric_map, segmentation
from camlucida.dicom.writing.material import Material, to_bytes
from camlucida.errors import MissingGeometry
from camlucida.records import Geometry
from camlucida.records.geometry import resizing, scaling

EXACT_MM = 1e-3
FINDING = [0]
KINDS = ("radiograph", "RG1", "enhanced", "oblique CT", "photograph", "frame")


@dataclass(frozen=True)
class Planted:
    """Material, and the native cell that holds the evidence."""

    material: Material
    cell: tuple[int, ...]

    @property
    def geometry(self) -> Geometry:
        return self.material.explanation.saliency_map.geometry

    def to_patient(self) -> np.ndarray:
        """Matrix from (slice, row, column, 1) of the image to mm, in the image's own space if need be."""
        if self.geometry.pixel_to_patient is not None:
            return self.geometry.pixel_to_patient
        rows, columns = (self.geometry.spacing or (1.0, 1.0))[-2:]
        return np.array([[0, 0, columns, 0], [0, rows, 0, 0], [1, 0, 0, 0], [0, 0, 0, 1.0]])

    def place(self) -> np.ndarray:
        """Where the planted cell's centre is, in mm."""
        pixel = self.geometry.cell_to_pixel([self.cell])[0]
        return (self.to_patient() @ [*(0.0,) * (3 - len(pixel)), *pixel, 1.0])[:3]

    def pixels_off(self, place: np.ndarray) -> np.ndarray:
        """How far a place in mm is from the planted cell's centre, in the source's pixels along each axis."""
        return np.linalg.solve(self.to_patient()[:3, :3], place - self.place())


def of_case(case) -> Planted:
    return Planted(case.material, case.hot)


def changed_ct(case, folder: Path, change: Callable[[Dataset, int], None]) -> Planted:
    """A CT whose slices, from the feet on, were changed one by one, read anew."""
    paths = []
    for index, path in enumerate(sorted(case.paths)):
        data = dcmread(path)
        change(data, index)
        paths.append(folder / path.name)
        data.save_as(paths[-1], enforce_file_format=True)
    return read_anew(case, paths)


def read_anew(case, paths) -> Planted:
    (image,) = read_dicom(paths)
    headers = {str(found.SOPInstanceUID): found for found in map(header, paths)}
    sources = tuple(headers[uid] for uid in image.source.sop_instance_uids)
    native = case.geometry.native_shape
    geometry = Geometry(
        native, image.space, resizing(image.space, native), image.spacing, image.pixel_to_patient
    )
    return regridded(Planted(replace(case.material, image=image, sources=sources), case.hot), geometry)


def header(path: Path) -> Dataset:
    return dcmread(path, stop_before_pixels=True)


def regridded(planted: Planted, geometry: Geometry) -> Planted:
    explanation = planted.material.explanation
    saliency_map = replace(explanation.saliency_map, geometry=geometry)
    explanation = replace(explanation, saliency_map=saliency_map)
    return replace(planted, material=replace(planted.material, explanation=explanation))


def axial(data: Dataset, index: int) -> None:
    data.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    data.PixelSpacing = [0.7, 1.3]
    data.ImagePositionPatient = [-40.25, 12.5, 100 + 2.4 * index]


def from_above(data: Dataset, index: int) -> None:
    """The normal of the slices points to the feet, so that the first slice of the image is the highest."""
    axial(data, index)
    data.ImageOrientationPatient = [1, 0, 0, 0, -1, 0]


def tilted(data: Dataset, index: int) -> None:
    """A tilted gantry: each slice is shifted against the one before, not only along the normal."""
    axial(data, index)
    data.ImagePositionPatient = [-40.25, 12.5 + 0.9 * index, 100 + 2.4 * index]


def uneven(data: Dataset, index: int) -> None:
    """Distances of slices differ too much for one matrix; each slice still knows where it is."""
    axial(data, index)
    data.ImagePositionPatient = [-40.25, 12.5, 100 + 0.4 * index**2]


CHANGES = {"axial": axial, "from above": from_above, "tilted": tilted}


def flipped(geometry: Geometry) -> np.ndarray:
    """The network saw the volume upside down, mirrored and from the other end."""
    native = geometry.native_shape
    return geometry.native_to_pixel @ scaling([-1] * len(native), [size - 1 for size in native])


def turned(geometry: Geometry) -> np.ndarray:
    """The network saw each slice turned by 90°: its rows are columns of the image, from the last on."""
    space = geometry.pixel_shape
    turn = np.eye(len(space) + 1)
    turn[-3:, -3:] = [[0, 1, 0], [-1, 0, space[-2] - 1], [0, 0, 1]]
    axes = [*range(len(space) - 2), -1, -2]
    return np.linalg.inv(turn) @ resizing([space[axis] for axis in axes], geometry.native_shape)


def cropped(geometry: Geometry) -> np.ndarray:
    """The network saw the middle half of every axis."""
    space = geometry.pixel_shape
    return scaling([1] * len(space), [size / 4 for size in space]) @ resizing(
        [size / 2 for size in space], geometry.native_shape
    )


GRIDS = {"flipped": flipped, "turned": turned, "cropped": cropped}


STRAIGHT = [
    *KINDS,
    "axial",
    "from above",
    *(f"{kind}, {grid}" for kind in ("radiograph", "oblique CT") for grid in GRIDS),
]


@pytest.fixture(params=[*STRAIGHT, "tilted"])
def planted(request, cases, tmp_path) -> Planted:
    """Every kind of source, of CT geometry, and of way from the native grid to the pixels."""
    return plant(request.param, cases, tmp_path)


@pytest.fixture(params=STRAIGHT)
def straight(request, cases, tmp_path) -> Planted:
    """The same but for the tilted gantry, of which volumes with right angles know nothing."""
    return plant(request.param, cases, tmp_path)


def plant(name: str, cases, folder: Path) -> Planted:
    if name in CHANGES:
        return changed_ct(cases("oblique CT"), folder, CHANGES[name])
    kind, _, grid = name.partition(", ")
    found = of_case(cases(kind))
    if not grid:
        return found
    return regridded(found, replace(found.geometry, native_to_pixel=GRIDS[grid](found.geometry)))


def save(folder: Path, dataset: Dataset) -> Path:
    path = folder / "object.dcm"
    path.write_bytes(to_bytes(dataset))
    return path


def by_dcmtk(path: Path) -> tuple[dict, np.ndarray]:
    """The elements as dcmtk reads them, and for each frame the matrix from (row, column, 1) to mm."""
    done = subprocess.run(["dcm2json", path], check=True, capture_output=True, timeout=60)  # noqa: S603, S607
    elements = json.loads(done.stdout)
    shared = elements["52009229"]["Value"][0]
    row_spacing, column_spacing = shared["00289110"]["Value"][0]["00280030"]["Value"]
    cosines = np.array(shared["00209116"]["Value"][0]["00200037"]["Value"], float)
    matrices = []
    for frame in elements["52009230"]["Value"]:
        position = np.array(frame["00209113"]["Value"][0]["00200032"]["Value"], float)
        matrices.append(np.stack([cosines[3:] * row_spacing, cosines[:3] * column_spacing, position], axis=1))
    return elements, np.array(matrices)


def frames(path: Path) -> np.ndarray:
    """Float values (frame, row, column), cut out of the bytes by hand."""
    dataset = dcmread(path)
    shape = int(dataset.NumberOfFrames), dataset.Rows, dataset.Columns
    return np.frombuffer(dataset.FloatPixelData, "<f4").reshape(shape)


def test_the_hottest_value_of_a_map_lies_in_its_cell_as_dcmtk_reads_it(planted, tmp_path):
    path = save(tmp_path, parametric_map.write(planted.material)[0])
    _, matrices = by_dcmtk(path)
    frame, row, column = np.unravel_index(frames(path).argmax(), frames(path).shape)
    assert np.abs(matrices[frame] @ [row, column, 1] - planted.place()).max() < EXACT_MM


def test_the_hottest_value_of_a_map_lies_in_its_cell_as_highdicom_reads_it(planted, tmp_path):
    path = save(tmp_path, parametric_map.write(planted.material)[0])
    image = hd.imread(path)
    values = image.get_frames(apply_real_world_transform=True, dtype=np.float64)
    frame, row, column = np.unravel_index(values.argmax(), values.shape)
    to_patient = hd.spatial.PixelToReferenceTransformer.for_image(image, frame_number=int(frame) + 1)
    place = to_patient(np.array([[column, row]]))[0]
    assert np.abs(place - planted.place()).max() < EXACT_MM


@pytest.mark.parametrize("kind", ["RG1", "oblique CT"])
def test_a_map_of_one_finding_is_a_volume_for_highdicom(cases, tmp_path, kind):
    planted = of_case(cases(kind))
    path = save(tmp_path, parametric_map.write(planted.material, FINDING)[0])
    volume = hd.imread(path).get_volume(dtype=np.float64)
    hottest = np.array(np.unravel_index(volume.array.argmax(), volume.array.shape), float)
    assert np.abs(volume.map_indices_to_reference(hottest[np.newaxis])[0] - planted.place()).max() < EXACT_MM


def test_the_size_of_a_cell_is_that_of_the_geometry(planted, tmp_path):
    _, matrices = by_dcmtk(save(tmp_path, parametric_map.write(planted.material)[0]))
    rows, columns = np.linalg.norm(matrices[0, :, :2], axis=0)
    cells = np.array([planted.cell, planted.cell], float)
    for axis, size in ((-2, rows), (-1, columns)):
        neighbour = replace(planted, cell=tuple(cells[0] + np.eye(len(planted.cell))[axis]))
        assert np.linalg.norm(neighbour.place() - planted.place()) == pytest.approx(size, abs=EXACT_MM)


def whole_bytes(values: np.ndarray) -> np.ndarray:
    """Without the last pixels of a count that 8 does not divide: ITK's reader of bits leaves them to chance.

    It unpacks whole bytes only, and what its memory held before stays in the rest.
    """
    known = values.ravel().copy()
    known[known.size // 8 * 8 :] = 0
    return known.reshape(values.shape)


def half(values: np.ndarray) -> np.ndarray:
    """Where a segment holds at least half; shades are rounded to a level of 255."""
    return values > 0.49 * values.max()


@pytest.mark.parametrize("writer", [segmentation, fractional_segmentation])
def test_a_segment_lies_around_the_cell_as_highdicom_reads_it(planted, tmp_path, writer):
    found = hd.seg.segread(save(tmp_path, writer.write(planted.material, FINDING)[0]))
    values = found.get_frames(apply_real_world_transform=False, dtype=np.uint8)
    points = []
    for number, inside in enumerate(half(values), start=1):
        to_patient = hd.spatial.PixelToReferenceTransformer.for_image(found, frame_number=number)
        points.append(to_patient(np.argwhere(inside)[:, ::-1]))
    off = planted.pixels_off(np.concatenate(points).mean(axis=0))
    assert np.abs(off).max() <= 0.5


@pytest.mark.parametrize("writer", [segmentation, fractional_segmentation])
def test_a_segment_lies_around_the_cell_as_simpleitk_reads_it(straight, tmp_path, writer):
    image = SimpleITK.ReadImage(str(save(tmp_path, writer.write(straight.material, FINDING)[0])))
    values = whole_bytes(SimpleITK.GetArrayFromImage(image))
    centre = np.argwhere(half(values)).mean(axis=0)
    place = np.array(image.TransformContinuousIndexToPhysicalPoint(centre[::-1].tolist()))
    assert np.abs(straight.pixels_off(place)).max() <= 0.5


def test_a_segment_of_a_series_is_a_volume_for_highdicom(cases, tmp_path):
    planted = of_case(cases("oblique CT"))
    found = hd.seg.segread(save(tmp_path, segmentation.write(planted.material, FINDING)[0]))
    volume = found.get_volume()
    centre = np.argwhere(volume.array[..., 0] > 0).mean(axis=0)
    off = planted.pixels_off(volume.map_indices_to_reference(centre[np.newaxis])[0])
    assert np.abs(off).max() <= 0.5


def test_a_segment_lies_around_the_cell_as_dcmtk_reads_it(planted, tmp_path):
    path = save(tmp_path, segmentation.write(planted.material, FINDING)[0])
    elements, matrices = by_dcmtk(path)
    rows, columns = (elements[tag]["Value"][0] for tag in ("00280010", "00280011"))
    bits = np.unpackbits(np.frombuffer(dcmread(path).PixelData, np.uint8), bitorder="little")
    masks = bits[: len(matrices) * rows * columns].reshape(len(matrices), rows, columns)
    points = [matrices[frame] @ [row, column, 1] for frame, row, column in np.argwhere(masks)]
    assert np.abs(planted.pixels_off(np.mean(points, axis=0))).max() <= 0.5


def test_a_map_on_the_source_grid_has_the_places_of_the_slices_themselves(cases, tmp_path):
    planted = changed_ct(cases("oblique CT"), tmp_path, from_above)
    path = save(tmp_path, parametric_map.write_on_source_grid(planted.material, FINDING)[0])
    elements, matrices = by_dcmtk(path)
    assert len(matrices) == planted.material.image.space[0]
    frame, row, column = np.unravel_index(frames(path).argmax(), frames(path).shape)
    assert np.abs(planted.pixels_off(matrices[frame] @ [row, column, 1])).max() <= 2  # slices are much alike
    for own, source in zip(elements["52009230"]["Value"], planted.material.sources, strict=True):
        referred = own["00089124"]["Value"][0]["00082112"]["Value"][0]["00081155"]["Value"][0]
        assert referred == source.SOPInstanceUID
        assert own["00209113"]["Value"][0]["00200032"]["Value"] == pytest.approx(source.ImagePositionPatient)


def test_slices_at_uneven_distances_keep_their_own_places(cases, tmp_path):
    planted = changed_ct(cases("oblique CT"), tmp_path, uneven)
    assert planted.geometry.pixel_to_patient is None
    areas = segmentation.write(planted.material, FINDING)[0]
    positions = {tuple(source.ImagePositionPatient) for source in planted.material.sources}
    for frame in areas.PerFrameFunctionalGroupsSequence:
        assert tuple(frame.PlanePositionSequence[0].ImagePositionPatient) in positions
    assert areas.FrameOfReferenceUID == planted.material.first.FrameOfReferenceUID
    (native,) = parametric_map.write(planted.material)
    assert native.FrameOfReferenceUID != planted.material.first.FrameOfReferenceUID


def test_cells_that_are_no_rectangles_are_refused(cases):
    planted = of_case(cases("radiograph"))
    sheared = planted.geometry.native_to_pixel.copy()
    sheared[0, 1] = sheared[0, 0] / 2
    with pytest.raises(MissingGeometry, match="no rectangles"):
        parametric_map.write(regridded(planted, replace(planted.geometry, native_to_pixel=sheared)).material)


def test_frames_that_are_stored_against_their_positions_are_told_by_their_numbers(cases, tmp_path):
    data = dcmread(cases("enhanced").paths[0])
    first, last = data.PerFrameFunctionalGroupsSequence
    first.PlanePositionSequence, last.PlanePositionSequence = (
        last.PlanePositionSequence,
        first.PlanePositionSequence,
    )
    path = tmp_path / "swapped.dcm"
    data.save_as(path)
    planted = read_anew(cases("enhanced"), [path])
    before, after = (
        parametric_map.write_on_source_grid(material, FINDING)[0]
        for material in (cases("enhanced").material, planted.material)
    )
    assert sorted([numbers(before), numbers(after)]) == [[1, 2], [2, 1]]
    assert positions(before) == positions(after)


def numbers(dataset: Dataset) -> list[int]:
    """The source's frame of each frame."""
    own = dataset.PerFrameFunctionalGroupsSequence
    return [one.DerivationImageSequence[0].SourceImageSequence[0].ReferencedFrameNumber for one in own]


def positions(dataset: Dataset) -> list[list[float]]:
    own = dataset.PerFrameFunctionalGroupsSequence
    return [list(one.PlanePositionSequence[0].ImagePositionPatient) for one in own]
