"""What the viewer gets without a station is what the station would send, but for whose image it is."""

import json
from dataclasses import replace

import numpy as np
import pytest

from camlucida.errors import InputError
from camlucida.notebook.contents import Contents
from camlucida.store.tables import ExplanationRow, ImageRow, ModelRow, State, StudyRow
from camlucida.web import studies


def contents(make_image, make_explanation, space=(61, 47), **fields):
    image = make_image(space, **fields)
    return Contents(image, [make_explanation(pixels=space, native=(4,) * len(space))], "a film")


def test_every_part_that_is_named_is_there(make_image, make_explanation):
    parts = contents(make_image, make_explanation, (5, 7, 9))
    assert [*parts.names()] == [
        "study",
        "image",
        "explanation/0",
        "values/0",
        *(f"pixels/{index}" for index in range(5)),
    ]
    assert all(parts.part(name) for name in parts.names())


@pytest.mark.parametrize(
    "name", ["pixels/5", "pixels/-1", "values/1", "patient", "", "pixels", "../etc/passwd"]
)
def test_nothing_else_is_there(make_image, make_explanation, name):
    with pytest.raises(KeyError):
        contents(make_image, make_explanation, (5, 7, 9)).part(name)


def test_numbers_arrive_as_they_are(make_image, make_explanation):
    parts = contents(make_image, make_explanation, (5, 7, 9))
    pixels = [np.frombuffer(parts.part(f"pixels/{index}"), "<u2").reshape(7, 9) for index in range(5)]
    assert np.array_equal(pixels, parts.image.values)
    values = np.frombuffer(parts.part("values/0"), "<f4")
    assert np.array_equal(values, parts.explanations[0].saliency_map.values.ravel())
    assert json.loads(parts.part("image"))["space"] == [5, 7, 9]


def test_values_of_a_type_that_browsers_lack_come_in_one_that_they_have(make_image, make_explanation):
    image = make_image()
    wide = type(image)(image.values.astype(">i4"), source=image.source)
    parts = Contents(wide, [make_explanation()])
    assert json.loads(parts.part("image"))["dtype"] == "float32"
    assert np.array_equal(np.frombuffer(parts.part("pixels/0"), "<f4"), image.values.ravel())


def test_nothing_says_whose_image_it_is(make_image, make_explanation):
    parts = contents(make_image, make_explanation)
    everything = b"".join(parts.part(name) for name in parts.names() if not name.startswith("pixels"))
    for secret in (b"Doe", b"4711", b"1950", b"2024", b"1.2.0", b"Chest"):
        assert secret not in everything


def test_explanations_of_two_images_are_not_shown_as_one(make_image, make_explanation):
    other = make_explanation(seed=1)
    strange = replace(other, provenance=replace(other.provenance, pixel_digest="e" * 64))
    with pytest.raises(InputError, match="of several"):
        Contents(make_image(), [make_explanation(), strange])
    with pytest.raises(InputError, match="there is none"):
        Contents(make_image(), [])


def test_the_study_has_the_words_of_the_station_s_study(make_image, make_explanation):
    parts = contents(make_image, make_explanation)
    ours = json.loads(parts.part("study"))
    model = ModelRow(name="made-up", version="1", current=True)
    explanation = ExplanationRow(key="0", model=model, method="grad-cam", state=State.DONE)
    image = ImageRow(
        key="image", header=json.loads(parts.part("image")), explanations=[explanation], superseded=False
    )
    study = StudyRow(key="study", images=[image])
    theirs = {**studies.summary(study, []), "images": [studies.image_summary(image)]}
    assert ours.keys() == theirs.keys()
    assert ours["images"][0].keys() == theirs["images"][0].keys()
    queued = {"failed", "since", "place", "begun", "progress"}  # of what is still to be computed
    told = theirs["images"][0]["explanations"][0].keys() - queued
    assert ours["images"][0]["explanations"][0].keys() == told
