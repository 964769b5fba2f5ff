import numpy as np
import pytest

from camlucida.errors import MissingGeometry
from camlucida.records import Geometry
from camlucida.records.geometry import resizing, scaling


def test_both_grids_cover_the_same_field():
    """Edges meet edges: cell -0.5 is pixel -0.5 and cell n - 0.5 is pixel m - 0.5, for odd sizes too."""
    matrix = resizing((61, 47), (7, 5))
    ends = np.array([[-0.5, -0.5, 1], [6.5, 4.5, 1]]) @ matrix.T
    assert ends[:, :2] == pytest.approx(np.array([[-0.5, -0.5], [60.5, 46.5]]))


def test_there_and_back():
    geometry = Geometry((7, 5), (61, 47), resizing((61, 47), (7, 5)))
    cells = np.array([[0.0, 0.0], [3.2, 4.0], [6.0, 1.5]])
    assert geometry.pixel_to_cell(geometry.cell_to_pixel(cells)) == pytest.approx(cells)


def test_patient_coordinates_of_an_oblique_volume():
    """A rotated grid with 5 × 0.7 × 0.9 mm voxels: index steps are mm along the directions of the axes."""
    angle = np.deg2rad(30)
    columns = np.array([np.cos(angle), np.sin(angle), 0])
    rows = np.array([-np.sin(angle), np.cos(angle), 0])
    to_patient = np.eye(4)
    to_patient[:3, :3] = np.stack([np.array([0, 0, 5.0]), rows * 0.7, columns * 0.9], axis=1)
    to_patient[:3, 3] = (-10, 20, 30)
    geometry = Geometry((4, 8, 8), (4, 16, 16), resizing((4, 16, 16), (4, 8, 8)), (5, 0.7, 0.9), to_patient)
    place = geometry.cell_to_patient([[2, 0, 0]])[0]
    assert place == pytest.approx(np.array([-10, 20, 30]) + [0, 0, 10] + rows * 0.35 + columns * 0.45)
    assert geometry.cell_size_mm() == pytest.approx((5, 1.4, 1.8))


def test_a_flat_image_with_a_position_has_patient_coordinates():
    to_patient = np.diag([1.0, 0.5, 0.5, 1.0])[[2, 1, 0, 3]]
    geometry = Geometry((2, 2), (4, 4), resizing((4, 4), (2, 2)), (0.5, 0.5), to_patient)
    assert geometry.cell_to_patient([[0, 0]])[0] == pytest.approx([0.25, 0.25, 0])


def test_a_flipped_axis_has_a_positive_size():
    geometry = Geometry((4, 4), (8, 8), scaling((-2, 2), (6.5, 0.5)))
    assert geometry.cell_size_pixels() == (2, 2)
    assert geometry.cell_size_mm() is None


def test_without_a_position_there_are_no_patient_coordinates():
    geometry = Geometry((2, 2), (4, 4), resizing((4, 4), (2, 2)))
    with pytest.raises(MissingGeometry, match="use cell_to_pixel"):
        geometry.cell_to_patient([[0, 0]])
