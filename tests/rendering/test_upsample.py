"""Resampling against the vectors, Pillow and torch, and planted points that must be found again."""

import json
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from camlucida.records import Geometry
from camlucida.records.geometry import resizing, scaling
from camlucida.rendering.upsample import inside, on_grid, resample, to_pixel_grid

VECTORS = Path(__file__).resolve().parents[1] / "vectors"
RESAMPLING = json.loads((VECTORS / "resampling.json").read_text())["cases"]
GEOMETRY = json.loads((VECTORS / "geometry.json").read_text())["cases"]


@pytest.mark.parametrize("case", RESAMPLING, ids=lambda case: case["name"])
def test_resampling_vectors(case):
    values = np.array(case["values"]).reshape(case["old_shape"])
    result = resample(values, np.array(case["new_to_old"]), case["new_shape"], case["antialias"])
    assert result.dtype == np.float32
    assert result.shape == tuple(case["new_shape"])
    np.testing.assert_allclose(result.ravel(), case["result"], atol=1e-5)


def geometry_of(case):
    return Geometry(
        tuple(case["native_shape"]),
        tuple(case["pixel_shape"]),
        np.array(case["native_to_pixel"], np.float64),
        tuple(case["spacing"]) if case["spacing"] else None,
        np.array(case["pixel_to_patient"]) if case["pixel_to_patient"] else None,
    )


@pytest.mark.parametrize("case", GEOMETRY, ids=lambda case: case["name"])
def test_geometry_vectors(case):
    geometry = geometry_of(case)
    np.testing.assert_allclose(geometry.cell_to_pixel(case["cells"]), case["pixels"], atol=1e-9)
    np.testing.assert_allclose(geometry.pixel_to_cell(case["pixels"]), case["cells"], atol=1e-9)
    if case["patient"]:
        np.testing.assert_allclose(geometry.cell_to_patient(case["cells"]), case["patient"], atol=1e-9)
    values = np.array(case["values"]).reshape(case["native_shape"])
    shown = to_pixel_grid(values, geometry)
    assert shown.shape == geometry.pixel_shape
    np.testing.assert_allclose(shown.ravel(), case["on_pixel_grid"], atol=1e-5)


@pytest.mark.parametrize(("old", "new"), [((7, 7), (224, 224)), ((5, 9), (13, 31)), ((40, 31), (7, 9))])
def test_equals_torch_bilinear(old, new):
    values = np.random.default_rng(0).normal(size=(3, *old)).astype(np.float32)
    tensor = torch.from_numpy(values)[None]
    expected = torch.nn.functional.interpolate(tensor, new, mode="bilinear", align_corners=False)[0].numpy()
    np.testing.assert_allclose(resample(values, resizing(old, new), new), expected, atol=2e-5)


def test_equals_torch_trilinear():
    values = np.random.default_rng(1).normal(size=(2, 4, 5, 3)).astype(np.float32)
    new = (9, 7, 11)
    expected = torch.nn.functional.interpolate(
        torch.from_numpy(values)[None], new, mode="trilinear", align_corners=False
    )[0].numpy()
    np.testing.assert_allclose(resample(values, resizing((4, 5, 3), new), new), expected, atol=1e-5)


@pytest.mark.parametrize(("old", "new"), [((101, 77), (32, 32)), ((64, 64), (24, 100)), ((50, 60), (7, 11))])
def test_antialiasing_equals_torch_and_pillow(old, new):
    values = np.random.default_rng(2).normal(size=old).astype(np.float32)
    result = resample(values, resizing(old, new), new, antialias=True)
    tensor = torch.from_numpy(values)[None, None]
    expected = torch.nn.functional.interpolate(tensor, new, mode="bilinear", antialias=True)[0, 0].numpy()
    np.testing.assert_allclose(result, expected, atol=1e-5)
    bilinear = PIL.Image.Resampling.BILINEAR
    pillow = np.asarray(PIL.Image.fromarray(values).resize((new[1], new[0]), bilinear))
    np.testing.assert_allclose(result, pillow, atol=1e-5)


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.uint16, np.int32, np.float32, np.float64])
def test_any_stored_type_gives_float32(dtype):
    values = np.arange(120).reshape(10, 12).astype(dtype)
    result = resample(values, resizing((10, 12), (5, 6)), (5, 6), antialias=True)
    assert result.dtype == np.float32
    assert result[2, 3] == pytest.approx(values.astype(float)[3:7, 5:9].mean(), abs=1e-3)


@given(st.integers(1, 9), st.integers(1, 9), st.integers(1, 40), st.integers(1, 40), st.booleans())
def test_a_constant_stays_constant(r, c, rows, columns, antialias):
    result = resample(np.full((r, c), 3.5), resizing((r, c), (rows, columns)), (rows, columns), antialias)
    np.testing.assert_allclose(result, 3.5, rtol=1e-6)


@given(st.data())
def test_a_ramp_is_found_where_it_lies(data):
    """A linear ramp resampled anywhere inside the field has the value of the place."""
    axes = data.draw(st.sampled_from([2, 3]))
    old = data.draw(st.lists(st.integers(3, 12), min_size=axes, max_size=axes))
    new = data.draw(st.lists(st.integers(1, 15), min_size=axes, max_size=axes))
    axis = data.draw(st.integers(0, axes - 1))
    ramp = np.moveaxis(np.broadcast_to(np.arange(old[axis]), [*np.delete(old, axis), old[axis]]), -1, axis)
    matrix = resizing(old, new)
    result = resample(ramp, matrix, new)
    at = np.clip(matrix[axis, axis] * np.arange(new[axis]) + matrix[axis, -1], 0, old[axis] - 1)
    expected = np.broadcast_to(at, [*np.delete(new, axis), new[axis]])
    np.testing.assert_allclose(np.moveaxis(result, axis, -1), expected, atol=1e-4)


def test_a_rotation_is_refused():
    with pytest.raises(ValueError, match="steps of 90°"):
        resample(np.zeros((3, 3)), np.array([[0.7, 0.7, 0], [-0.7, 0.7, 0], [0, 0, 1.0]]), (3, 3))


def test_the_same_input_gives_the_same_bits():
    values = np.random.default_rng(3).normal(size=(300, 200))
    matrix = resizing((300, 200), (64, 64))
    once = resample(values, matrix, (64, 64), antialias=True)
    assert once.tobytes() == resample(values.copy(order="F"), matrix, (64, 64), antialias=True).tobytes()


def test_one_slice_of_a_volume_is_the_slice_of_the_volume():
    values = np.random.default_rng(4).normal(size=(2, 3, 4, 5)).astype(np.float32)
    geometry = Geometry((3, 4, 5), (10, 21, 17), resizing((10, 21, 17), (3, 4, 5)))
    whole = to_pixel_grid(values, geometry)
    one = on_grid(values, geometry, scaling([1.0, 1.0, 1.0], [6.0, 0.0, 0.0]), (1, 21, 17))
    np.testing.assert_allclose(one[:, 0], whole[:, 6], atol=1e-6)


def test_outside_the_field_there_is_nothing():
    matrix = scaling([1.0, 1.0], [-2.0, 0.0])
    assert inside(matrix, (6, 2), (3, 2)).tolist() == [[False] * 2] * 2 + [[True] * 2] * 3 + [[False] * 2]
