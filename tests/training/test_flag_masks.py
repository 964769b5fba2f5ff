"""Outlines to masks, against a winding test pixel by pixel; and what a flag says of its region."""

import json

import numpy as np
import pytest

from camlucida.errors import InputError, UnreadableFile
from camlucida.images.prepare import Preparation, prepare
from camlucida.records import Flag, FlagReason, Image, Region
from camlucida.training import flag_mask, on_input, read_flags
from camlucida.training.flag_masks import outlined

STAR = Region(0, 0, ((2.3, 10.1), (17.7, 5.2), (6.4, 18.9), (7.1, 1.3), (16.8, 15.6)))


def inside_slowly(places, row, column):
    """How often a ray from a pixel's centre to the right meets the outline: odd is inside."""
    met = 0
    for (r1, c1), (r2, c2) in zip(places, [*places[1:], places[0]], strict=True):
        if min(r1, r2) <= row < max(r1, r2) and column <= c1 + (row - r1) * (c2 - c1) / (r2 - r1):
            met += 1
    return met % 2 == 1


def test_an_outline_is_filled_by_the_even_odd_rule():
    expected = [[inside_slowly(STAR.places, row, column) for column in range(24)] for row in range(20)]
    assert np.array_equal(outlined(STAR, (20, 24)), expected)
    assert 40 < np.sum(expected) < 120  # a star has points and a hole


def test_outlines_of_volumes_lie_on_one_plane_of_any_axis():
    for axis, shape in ((0, (6, 20, 24)), (1, (20, 6, 24)), (2, (20, 24, 6))):
        found = outlined(Region(axis, 4, STAR.places), shape)
        planes = np.moveaxis(found, axis, 0)
        assert np.array_equal(planes[4], outlined(STAR, (20, 24)))
        assert found.sum() == planes[4].sum()


def test_an_outline_beyond_the_edge_is_cut_and_one_between_the_pixels_has_its_corners():
    beyond = Region(0, 0, ((-5.0, -5.0), (-5.0, 2.5), (2.5, 2.5), (2.5, -5.0)))
    assert np.array_equal(np.argwhere(outlined(beyond, (8, 8))).max(axis=0), (2, 2))
    tiny = Region(0, 0, ((3.2, 4.2), (3.2, 4.4), (3.4, 4.3)))
    assert np.argwhere(outlined(tiny, (8, 8))).tolist() == [[3, 4]]


def test_flags_of_a_finding_are_joined_and_others_say_nothing_of_the_place():
    square = Region(0, 0, ((0.5, 0.5), (0.5, 3.5), (3.5, 3.5), (3.5, 0.5)))
    far = Region(0, 0, ((9.5, 9.5), (9.5, 11.5), (11.5, 11.5), (11.5, 9.5)))
    flags = [
        Flag("Nodule", FlagReason.SHORTCUT, region=square),
        Flag("Nodule", FlagReason.WRONG_PLACE, region=far),
        Flag("Nodule", FlagReason.INCOHERENT, region=STAR),
        Flag("Nodule", FlagReason.SHORTCUT),
        Flag("Effusion", FlagReason.SHORTCUT, region=STAR),
    ]
    mask = flag_mask(flags, "Nodule", (20, 24))
    assert mask.sum() == 9 + 4
    assert flag_mask(flags[2:], "Nodule", (20, 24)) is None
    assert flag_mask(flags[2:], "Nodule", (20, 24), reasons=[FlagReason.INCOHERENT]).sum() > 40


def test_a_mask_goes_the_way_of_its_image_into_the_network():
    values = np.zeros((40, 20), np.uint8)
    values[10:20, 5:10] = 255
    preparation = Preparation(space=2, channels=1, size=(16, 16), fit="pad")
    prepared = prepare(Image(values), preparation)
    mask = on_input(values > 0, prepared)
    assert np.allclose(mask, prepared.values[0], atol=1e-6)


def test_an_outline_of_another_image_is_refused():
    with pytest.raises(InputError, match="at 7 along axis 0, and the image has 20 × 24"):
        outlined(Region(0, 7, STAR.places), (20, 24))


def test_flags_are_read_as_the_station_tells_them(tmp_path):
    region = {"axis": 0, "at": 0, "places": [[1, 2], [3, 4], [5, 1]]}
    said = {"finding": "Nodule", "reason": "shortcut or device", "text": "", "region": region}
    path = tmp_path / "flags.json"
    path.write_text(json.dumps({"flags": [said, {**said, "region": None}]}))
    first, second = read_flags(path)
    assert first.reason is FlagReason.SHORTCUT
    assert first.region == Region(0, 0, ((1, 2), (3, 4), (5, 1)))
    assert second.region is None
    for text in ("[]", "{", '{"flags": [{"finding": "x"}]}', '{"flags": [{"finding": "x", "reason": "y"}]}'):
        path.write_text(text)
        with pytest.raises(UnreadableFile, match="holds no flags"):
            read_flags(path)
