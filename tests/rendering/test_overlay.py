"""Blending against the vectors."""

import json
from pathlib import Path

import numpy as np
import pytest

from camlucida.rendering.overlay import overlay

CASES = json.loads((Path(__file__).resolve().parents[1] / "vectors" / "blending.json").read_text())["cases"]


def shown(case, image):
    return overlay(image, np.array([[case["value"]]]), case["scale"], case["opacity"], case["colour_map"])


def test_vectors():
    for case in CASES:
        assert shown(case, np.array([[case["image"]]], np.uint8)).tolist() == [[case["rgb"]]], case


def test_grey_images_are_the_vectors_with_three_equal_channels():
    grey = [case for case in CASES if len(set(case["image"])) == 1]
    assert grey
    for case in grey:
        assert shown(case, np.array([[case["image"][0]]], np.uint8)).tolist() == [[case["rgb"]]], case


@pytest.mark.parametrize("colour_map", ["inferno", "magma", "viridis", "cividis", "jet"])
def test_without_evidence_the_image_is_untouched(colour_map):
    grey = np.random.default_rng(0).integers(0, 256, (20, 30), np.uint8)
    values = -np.abs(np.random.default_rng(1).normal(size=grey.shape)).astype(np.float32)
    values[0] = 0
    result = overlay(grey, values, 0.5, 1.0, colour_map)
    assert (result == grey[..., np.newaxis]).all()


def test_the_diverging_map_shows_evidence_against():
    grey = np.full((1, 3), 128, np.uint8)
    red, green, blue = overlay(grey, np.array([[-1.0, 0.0, 1.0]]), 1.0, 1.0, "coolwarm")[0].T.tolist()
    assert blue[0] > red[0]
    assert red[2] > blue[2]
    assert (red[1], green[1], blue[1]) == (128, 128, 128)
