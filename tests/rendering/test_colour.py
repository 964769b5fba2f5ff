"""The tables: certified lightness, the label on jet, and the vectors."""

import json
from pathlib import Path

import numpy as np
import pytest

from camlucida.errors import InputError
from camlucida.rendering import colour

CASE = json.loads((Path(__file__).resolve().parents[1] / "vectors" / "colour_maps.json").read_text())[
    "cases"
][0]


def lightness(rgb):
    """CIE 1976 L* of 8-bit sRGB (IEC 61966-2-1, white point D65)."""
    v = rgb / 255
    linear = np.where(v <= 0.04045, v / 12.92, ((v + 0.055) / 1.055) ** 2.4)
    y = linear @ [0.2126, 0.7152, 0.0722]
    return np.where(y > (6 / 29) ** 3, 116 * np.cbrt(y) - 16, y * (29 / 3) ** 3)


def reversals(values, tolerance=0.5):
    """How often lightness turns by more than what rounding to 8 bits does."""
    turns, direction, extreme = 0, 0, values[0]
    for value in values:
        if direction and direction * (value - extreme) >= 0:
            extreme = value
        elif abs(value - extreme) > tolerance:
            turns += direction != 0
            direction, extreme = np.sign(value - extreme), value
    return turns


@pytest.mark.parametrize("name", ["inferno", "magma", "viridis", "cividis"])
def test_sequential_maps_only_get_lighter(name):
    steps = np.diff(lightness(colour.table(name)))
    assert colour.kind(name) is colour.Kind.SEQUENTIAL
    assert steps.min() > -0.25
    assert reversals(lightness(colour.table(name))) == 0
    assert lightness(colour.table(name))[-1] - lightness(colour.table(name))[0] > 50


def test_the_diverging_map_is_lightest_in_the_middle_and_darkens_to_both_ends():
    values = lightness(colour.table("coolwarm"))
    assert colour.kind("coolwarm") is colour.Kind.DIVERGING
    assert abs(int(values.argmax()) - 127.5) < 8
    top = int(values.argmax())
    assert np.diff(values[: top + 1]).min() > -0.25
    assert np.diff(values[top:]).max() < 0.25
    assert abs(values[0] - values[-1]) < 12


def test_only_jet_is_not_certified_and_it_says_so():
    wrong = [name for name in colour.names() if reversals(lightness(colour.table(name))) > 1]
    assert wrong == ["jet"]
    assert reversals(lightness(colour.table("jet"))) == 3
    assert reversals(lightness(colour.table("coolwarm"))) == 1
    assert colour.label("jet") == "jet (misleading)"


def test_every_table_has_256_colours_that_nobody_can_change():
    for name in colour.names():
        assert colour.table(name).shape == (256, 3)
        with pytest.raises(ValueError, match="read-only"):
            colour.table(name)[0] = 0


def test_vectors_of_entries():
    for entry in CASE["entries"]:
        assert colour.table(entry["colour_map"])[entry["index"]].tolist() == entry["rgb"]


def test_vectors_of_picked_colours():
    for picked in CASE["picked"]:
        index = colour.entries(picked["colour_map"], np.array([picked["value"]]), picked["scale"])
        assert index.tolist() == [picked["index"]], picked


def test_an_unknown_map_is_a_sentence():
    with pytest.raises(InputError, match="There is no colour map “rainbow”; there are: inferno, "):
        colour.table("rainbow")
