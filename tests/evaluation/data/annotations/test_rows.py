import numpy as np
import PIL.Image
import pytest

from camlucida.evaluation.data.annotations import read_annotations
from camlucida.evaluation.data.case import Case
from camlucida.evaluation.data.labels import Vocabulary
from camlucida.records import AnnotationKind, Image

VOCABULARY = Vocabulary(("Mass", "Pneumonia"), {"tumour": "Mass"})


@pytest.fixture
def cases(tmp_path):
    return [
        Case(name, (tmp_path / name,), {}, name) for name in ("a.png", "deep/b.png", "other/c.png", "c.png")
    ]


def marks(tmp_path, cases, text, vocabulary=VOCABULARY):
    path = tmp_path / "marks.csv"
    path.write_text(text)
    read, notes = read_annotations([path], cases, vocabulary)
    return [case.marks for case in read], notes


def box(mark):
    inside = np.argwhere(mark.on(Image(np.zeros((10, 10), np.uint8))).inside)
    return [*inside.min(axis=0).tolist(), *(inside.max(axis=0) + 1).tolist()]


@pytest.mark.parametrize(
    "text",
    [
        "image,finding,x,y,width,height\na.png,Mass,1,2,3,4\n",
        "Image Index,Finding Label,Bbox [x,y,w,h],,\na.png,mass,1,2,3,4,,\n",  # NIH's own heading
        "image_id;class_name;x_min;y_min;x_max;y_max\na;tumour;1;2;4;6\n",  # VinDr-CXR's
        "path,label,x,y,width,height,image width,image height\n/x/a.png,Mass,10,20,30,40,100,100\n",
    ],
)
def test_boxes_by_whatever_their_columns_are_called(tmp_path, cases, text):
    (of_a, *rest), notes = marks(tmp_path, cases, text)
    assert [box(mark) for mark in of_a] == [[2, 1, 6, 4]]
    assert (of_a[0].finding, of_a[0].on(Image(np.zeros((10, 10), np.uint8))).kind) == (
        "Mass",
        AnnotationKind.BOX,
    )
    assert rest == [(), (), ()]
    assert notes == []


def test_points_several_marks_of_an_image_and_the_only_finding(tmp_path, cases):
    (of_a, of_b, *_), _ = marks(
        tmp_path, cases, "image,x,y\na.png,1,2\nb,3,4\na.png,5,6\n", Vocabulary(("Mass",))
    )
    assert [box(mark)[:2] for mark in of_a] == [[2, 1], [6, 5]]
    assert [box(mark)[:2] for mark in of_b] == [[4, 3]]


def test_a_mask_of_the_tables_folder_and_of_no_other(tmp_path, cases):
    values = np.zeros((10, 10), np.uint8)
    values[2:4, 5:9] = 3
    (tmp_path / "in").mkdir()
    for place in ("in/m.png", "m.png"):
        PIL.Image.fromarray(values).save(tmp_path / place)
    path = tmp_path / "in" / "marks.csv"
    path.write_text(
        "image,finding,mask,value\na.png,Mass,m.png,3\na.png,Mass,m.png,2\na.png,Mass,../m2.png,\n"
    )
    read, notes = read_annotations([path], cases, VOCABULARY)
    image = Image(np.zeros((10, 10), np.uint8))
    one, other = (mark.on(image) for mark in read[0].marks)
    assert np.array_equal(one.inside, values == 3)
    assert one.kind is AnnotationKind.MASK
    assert not other.inside.any()
    assert any("leads out of the folder in" in note and "line 4" in note for note in notes)


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ("zzz.png,Mass,1,1,1,1", "images that are not in the data: line 2"),
        ("c,Mass,1,1,1,1", "images that are not in the data: line 2"),  # there are two
        ("a.png,Hernia,1,1,1,1", "no finding of the model: line 2"),
        ("a.png,Mass,one,1,1,1", "What stands for x is no number: line 2"),
        ("a.png,Mass,inf,1,1,1", "no number"),
        ("a.png,Mass,,,,", "needs x and y"),
        ("a.png,Mass,1,1,1,", "both its width and its height"),
    ],
)
def test_lines_that_cannot_be_used_are_told_and_the_others_read(tmp_path, cases, row, says):
    text = f"image,finding,x,y,width,height\n{row}\na.png,Mass,1,2,3,4\n"
    (of_a, *_), notes = marks(tmp_path, cases, text)
    assert len(of_a) == 1
    assert len(notes) == 1
    assert says in notes[0]


def test_files_that_are_no_annotations_are_told(tmp_path, cases):
    (tmp_path / "a.txt").write_text("hello")
    (tmp_path / "who.csv").write_text("who\nI\n")
    paths = [tmp_path / "none.csv", tmp_path / "a.txt", tmp_path / "who.csv"]
    read, notes = read_annotations(paths, cases, VOCABULARY)
    assert read == cases
    for name, says in (
        ("none.csv", "no such file"),
        ("a.txt", "none of CSV"),
        ("who.csv", "no column “image”"),
    ):
        assert any(name in note and says in note for note in notes)
    assert sum("Not one mark" in note for note in notes) == 3
