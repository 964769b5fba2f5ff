"""Planes of native grids against the matrices that they follow from, cell by cell."""

from dataclasses import replace
from itertools import permutations

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.spatial.transform import Rotation

from camlucida.dicom.writing.planes import native_planes
from camlucida.records import Geometry

LENGTH = st.floats(0.05, 40)
PLACE = st.floats(-500, 500)
ANGLES = arrays(np.float64, 3, elements=st.floats(-3, 3))


@st.composite
def geometries(draw):
    """Native grids that are scaled, shifted, flipped and turned by 90° against pixels that lie anyhow."""
    native = tuple(draw(st.lists(st.integers(1, 5), min_size=3, max_size=3)))
    to_pixel = np.eye(4)
    axes = draw(st.sampled_from(list(permutations(range(3)))))
    for new, old in enumerate(axes):
        to_pixel[new, :3] = 0
        to_pixel[new, old] = draw(LENGTH) * draw(st.sampled_from((-1, 1)))
        to_pixel[new, 3] = draw(PLACE)
    to_patient = np.eye(4)
    to_patient[:3, :3] = Rotation.from_rotvec(draw(ANGLES)).as_matrix() * [draw(LENGTH) for _ in range(3)]
    to_patient[:3, 3] = [draw(PLACE) for _ in range(3)]
    return Geometry(native, (64, 64, 64), to_pixel, (1.0, 1.0, 1.0), to_patient)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(geometries())
def test_every_cell_lies_where_the_matrices_say(geometry):
    planes = native_planes(_material(geometry))
    row_axis, column_axis = (
        planes.orientation[3:] * planes.spacing[0],
        planes.orientation[:3] * planes.spacing[1],
    )
    for cell in np.ndindex(geometry.native_shape):
        place = planes.positions[cell[0]] + cell[1] * row_axis + cell[2] * column_axis
        np.testing.assert_allclose(place, geometry.cell_to_patient([cell])[0], rtol=1e-9, atol=1e-6)
    between = [geometry.cell_to_patient([(index, 0, 0)])[0] for index in (0, 1)]
    assert np.isclose(planes.thickness, np.linalg.norm(between[1] - between[0]), rtol=1e-6)


class _Source:
    frame_of_reference_uid = "1.2.3"


class _Holder:
    """As much of a material as the planes of a native grid look at."""

    def __init__(self, geometry):
        self.explanation = self.saliency_map = self.image = self
        self.geometry, self.source = geometry, _Source


def _material(geometry):
    return _Holder(geometry)


def test_a_place_that_is_made_up_is_in_no_frame_of_reference_of_the_patient(cases):
    case = cases("oblique CT")
    material = case.material
    known = native_planes(material)
    assert known.frame_of_reference_uid == material.first.FrameOfReferenceUID
    assert known.notes == ()
    saliency_map = material.explanation.saliency_map
    unplaced = replace(
        saliency_map, geometry=replace(saliency_map.geometry, pixel_to_patient=None, spacing=None)
    )
    explanation = replace(material.explanation, saliency_map=unplaced)
    made_up = native_planes(replace(material, explanation=explanation))
    assert made_up.frame_of_reference_uid == material.uid("frame of reference", "image")
    assert len(made_up.notes) == 2
    assert made_up.thickness == 16 / 5  # slices of 1 mm
