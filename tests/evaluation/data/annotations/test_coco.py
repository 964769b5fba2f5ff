import json
from itertools import groupby

import numpy as np
import pytest

from camlucida.evaluation.data.annotations import coco, read_annotations
from camlucida.evaluation.data.annotations.coco import unpacked
from camlucida.evaluation.data.case import Case
from camlucida.evaluation.data.labels import Vocabulary
from camlucida.records import AnnotationKind, Image

IMAGE = Image(np.zeros((6, 9), np.uint8))


def packed(counts):
    """COCO's rleToString (maskApi.c), written again."""
    text = ""
    for place, count in enumerate(counts):
        value = count - counts[place - 2] if place > 2 else count
        more = True
        while more:
            part, value = value & 0x1F, value >> 5
            more = value != -1 if part & 0x10 else value != 0
            text += chr((part | 0x20 if more else part) + 48)
    return text


def runs(mask):
    """Lengths of runs down the columns, 0 first, counted one by one."""
    values = [bool(one) for column in mask.T for one in column]
    lengths = [len(list(group)) for _, group in groupby(values)]
    return [0, *lengths] if values[0] else lengths


def read(tmp_path, *annotations, **changes):
    content = {
        "images": [{"id": 7, "file_name": "films/a.png", "width": 9, "height": 6}],
        "categories": [{"id": 1, "name": "mass"}, {"id": 2, "name": "cat"}],
        "annotations": [
            {"id": n, "image_id": 7, "category_id": 1, **one} for n, one in enumerate(annotations)
        ],
    } | changes
    path = tmp_path / "coco.json"
    path.write_text(json.dumps(content))
    (case,), notes = read_annotations([path], [Case("a.png", (path,), {}, "a")], Vocabulary(("Mass",)))
    return [mark.on(IMAGE) for mark in case.marks], notes


def test_boxes_polygons_and_run_lengths(tmp_path):
    mask = np.random.default_rng(0).random((6, 9)) > 0.4
    (box, polygon, plain, short), notes = read(
        tmp_path,
        {"bbox": [1, 2, 3, 2]},
        {"bbox": [0, 0, 1, 1], "segmentation": [[0, 0, 3, 0, 3, 2, 0, 2], [6, 4, 8, 4, 8, 5, 6, 5]]},
        {"segmentation": {"size": [6, 9], "counts": runs(mask)}},
        {"segmentation": {"size": [6, 9], "counts": packed(runs(mask))}},
    )
    assert np.argwhere(box.inside).min(axis=0).tolist() == [2, 1]
    assert (box.kind, box.inside.sum()) == (AnnotationKind.BOX, 6)
    assert (polygon.kind, polygon.inside.sum()) == (AnnotationKind.MASK, 6 + 2)
    assert np.array_equal(plain.inside, mask)
    assert np.array_equal(short.inside, mask)
    assert notes == []


@pytest.mark.parametrize("seed", range(5))
def test_packed_run_lengths_of_any_size_come_back(seed):
    random = np.random.default_rng(seed)
    counts = [int(count) for count in random.integers(0, 10 ** random.integers(1, 7), 40)]
    assert coco._counts(packed(counts).encode()) == counts


def test_run_lengths_go_down_the_columns():
    assert np.argwhere(unpacked([2, 3, 1], (2, 3))).tolist() == [[0, 1], [0, 2], [1, 1]]


def test_an_annotation_of_a_larger_copy_of_the_image_is_scaled(tmp_path):
    big = [{"id": 7, "file_name": "a.png", "width": 90, "height": 60}]
    (box,), _ = read(tmp_path, {"bbox": [10, 20, 30, 20]}, images=big)
    assert np.argwhere(box.inside).min(axis=0).tolist() == [2, 1]
    assert box.inside.sum() == 6


@pytest.mark.parametrize(
    ("annotation", "says"),
    [
        ({"bbox": [1, 2, 3]}, "neither a box"),
        ({"bbox": [1, 2, 3, None]}, "neither a box"),
        ({}, "neither a box"),
        ({"segmentation": [[1, 2, 3, 4]]}, "neither a box"),
        ({"segmentation": {"size": [6, 9], "counts": [53]}}, "neither a box"),
        ({"segmentation": {"size": [6, 9], "counts": [60, -6]}}, "neither a box"),
        ({"segmentation": {"size": [10**9, 10**9], "counts": [10**18]}}, "neither a box"),
        ({"segmentation": {"size": [6, 9], "counts": "o" * 50}}, "neither a box"),
        ({"bbox": [0, 0, 1, 1], "image_id": [1]}, "not in the data"),
        ({"bbox": [0, 0, 1, 1], "image_id": 8}, "not in the data"),
        ({"bbox": [0, 0, 1, 1], "category_id": 2}, "no finding of the model (“cat”)"),
    ],
)
def test_what_makes_no_sense_is_told_and_the_rest_read(tmp_path, annotation, says):
    drawn, notes = read(tmp_path, annotation, {"bbox": [0, 0, 1, 1]})
    assert len(drawn) == 1
    assert len(notes) == 1
    assert says in notes[0]
    assert "annotation 0" in notes[0]


@pytest.mark.parametrize("content", ["[]", "{", "[" * 100_000, '{"annotations": 3}', "\x00"])
def test_what_is_not_cocos_json_is_told(tmp_path, content):
    path = tmp_path / "x.json"
    path.write_text(content)
    _, notes = read_annotations([path], [Case("a.png", (path,), {}, "a")], Vocabulary(("Mass",)))
    assert any("is no JSON" in note or "not COCO's" in note for note in notes)
