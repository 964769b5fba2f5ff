"""Files with bytes turned over: whatever they say, only sentences come of it, and never another error."""

import json

import nibabel
import nrrd
import numpy as np
import PIL.Image
import pytest

from camlucida.errors import CamlucidaError
from camlucida.evaluation.data.annotations import read_annotations
from camlucida.evaluation.data.case import Case
from camlucida.evaluation.data.labels import Vocabulary
from camlucida.records import Image

TURNS = 60


def table(path):
    path.write_text(
        "image,finding,x,y,width,height,mask,slice\na.png,Mass,1,2,3,4,,\na.png,Mass,1,2,,,,0\n" * 5
    )


def coco(path):
    runs = {"size": [8, 8], "counts": "0@0@"}
    marks = [{"bbox": [1, 2, 3, 2]}, {"segmentation": [[0, 0, 3, 0, 3, 2]]}, {"segmentation": runs}]
    content = {
        "images": [{"id": 1, "file_name": "a.png", "width": 8, "height": 8}],
        "categories": [{"id": 1, "name": "Mass"}],
        "annotations": [{"image_id": 1, "category_id": 1, **mark} for mark in marks],
    }
    path.write_text(json.dumps(content))


def png(path):
    PIL.Image.fromarray(np.eye(8, dtype=np.uint8)).save(path)


def nifti(path):
    nibabel.save(nibabel.Nifti1Image(np.ones((4, 8, 8), np.uint8), np.eye(4)), path)


def nrrd_mask(path):
    nrrd.write(str(path), np.ones((4, 8, 8), np.uint8), {"encoding": "raw"})


FORMATS = {
    "a.csv": table,
    "coco.json": coco,
    "a_mask.png": png,
    "a_mask.nii": nifti,
    "a_mask.nrrd": nrrd_mask,
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", FORMATS)
def test_turned_bytes_make_no_other_error_than_ours(tmp_path, name):
    path = tmp_path / name
    FORMATS[name](path)
    whole, random = path.read_bytes(), np.random.default_rng(7)
    case = Case("a.png", (tmp_path / "a.png",), {}, "")
    images = [Image(np.zeros(space, np.uint8)) for space in ((8, 8), (8, 8, 4))]
    drawn = 0
    for _ in range(TURNS):
        content = np.frombuffer(whole, np.uint8).copy()
        places = random.integers(0, min(len(content), 600), random.integers(1, 6))
        content[places] = random.integers(0, 256, len(places))
        path.write_bytes(
            content[: random.integers(1, len(content) + 1)] if random.random() < 0.3 else content
        )
        (read,), _ = read_annotations([path], [case], Vocabulary(("Mass",)))
        for mark in read.marks:
            for image in images:
                try:
                    drawn += mark.on(image).inside.shape == image.space
                except (CamlucidaError, OSError):
                    continue
    assert drawn  # some turns do no harm
