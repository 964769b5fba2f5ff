"""Regions: the contour at half the maximum, in the pixels of the image."""

from dataclasses import replace

import numpy as np
import pytest

from camlucida.dicom.writing.material import Material
from camlucida.dicom.writing.regions import MOST, regions
from camlucida.records import Geometry
from camlucida.records.geometry import resizing, scaling


@pytest.fixture
def of_values(cases):
    """Regions of a map that lies on an image pixel by pixel, or as its geometry says."""

    def find(values, to_pixel=None, image_shape=None):
        values = np.asarray(values, np.float32)
        material = cases("radiograph").material
        shape = image_shape or values.shape
        image = replace(
            material.image, values=np.zeros(shape, np.uint16), spacing=None, pixel_to_patient=None
        )
        matrix = resizing(shape, values.shape) if to_pixel is None else to_pixel
        saliency_map = replace(
            material.explanation.saliency_map,
            findings=("Effusion",),
            values=values[np.newaxis],
            geometry=Geometry(values.shape, shape, matrix),
        )
        explanation = replace(material.explanation, saliency_map=saliency_map)
        return regions(Material(explanation, image, material.sources), 0)

    return find


def edges(polygon):
    return [*polygon.min(axis=0).tolist(), *polygon.max(axis=0).tolist()]


def test_a_block_of_pixels_is_outlined_at_its_edges(of_values):
    values = np.zeros((8, 9))
    values[2:4, 3:6] = 1
    (region,) = of_values(values)
    (polygon,) = region.polygons
    assert edges(polygon) == [1.5, 2.5, 3.5, 5.5]
    assert (polygon[0] == polygon[-1]).all()
    assert region.slice_index == 0
    assert region.share == 1


def test_the_level_is_half_of_the_largest_evidence(of_values):
    values = np.tile(np.linspace(0, 4, 41), (9, 1))
    (region,) = of_values(values)
    assert region.polygons[0][:, 1].min() == pytest.approx(20, abs=0.51)


def test_regions_come_with_most_evidence_first_and_hang_apart(of_values):
    values = np.zeros((20, 20))
    values[2:4, 2:4] = 1.0
    values[10:14, 10:14] = 0.9
    first, second = of_values(values)
    assert edges(first.polygons[0])[0] > 9
    assert edges(second.polygons[0])[0] < 3
    assert first.share == pytest.approx(16 * 0.9 / (16 * 0.9 + 4))
    assert first.share + second.share == pytest.approx(1)


def test_evidence_against_is_no_region(of_values):
    assert of_values(-np.ones((6, 6))) == ()
    values = np.full((6, 6), -5.0)
    values[2:4, 2:4] = 0.1
    assert len(of_values(values)) == 1


def test_a_hole_is_no_region_of_its_own(of_values):
    values = np.ones((12, 12))
    values[4:8, 4:8] = 0
    (region,) = of_values(np.pad(values, 4))
    assert len(region.polygons) == 1
    assert edges(region.polygons[0]) == [3.5, 3.5, 15.5, 15.5]


def test_speckles_are_bounded(of_values):
    values = np.zeros((40, 40))
    values[1::4, 1::4] = 1
    assert len(of_values(values)) == MOST


def test_at_the_edge_of_the_image_the_line_stays_on_it(of_values):
    values = np.zeros((10, 10))
    values[:3, 7:] = 1
    top, left, bottom, right = edges(of_values(values)[0].polygons[0])
    assert (top, right) == (-0.5, 9.5)
    assert (left, bottom) == (6.5, 2.5)


def test_a_coarse_grid_on_a_large_image_lies_where_its_cells_do(of_values):
    values = np.zeros((4, 5))
    values[2, 3] = 1
    (region,) = of_values(values, image_shape=(2000, 3000))
    top, left, bottom, right = edges(region.polygons[0])
    assert ((top + bottom) / 2, (left + right) / 2) == pytest.approx((1249.5, 2099.5), abs=8)
    assert (bottom - top, right - left) == pytest.approx((500, 600), abs=20)
    assert len(region.polygons[0]) < 100


def test_evidence_on_padding_beyond_the_image_is_no_place_on_it(of_values):
    values = np.zeros((4, 4))
    values[0, 0] = 1
    assert of_values(values, scaling([10, 10], [-40, 0]), (40, 40)) == ()


def test_of_a_volume_the_slice_with_most_of_the_region_is_drawn(of_values):
    values = np.zeros((6, 12, 12))
    values[2, 2:8, 2:8] = 1
    values[3, 2:5, 2:5] = 1
    values[5, 10:, 10:] = 1
    first, second = of_values(values)
    assert (first.slice_index, second.slice_index) == (2, 5)
    assert edges(first.polygons[0]) == [1.5, 1.5, 7.5, 7.5]
    assert edges(second.polygons[0])[:2] == [9.5, 9.5]
