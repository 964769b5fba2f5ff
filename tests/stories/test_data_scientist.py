"""A data scientist has files and a model, and wants to know where the evidence lies."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
from pydicom.data import get_testdata_file

import camlucida


def explain(*words):
    return subprocess.run(  # noqa: S603 - our own command
        [sys.executable, "-m", "camlucida.cli", "explain", *map(str, words)],
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": "/usr/bin:/bin", "COLUMNS": "160", "OMP_NUM_THREADS": "1", "HOME": "/nonexistent"},
    )


def kept(folder: Path):
    """What was written for one image, after checking that it is complete and adds up."""
    content = json.loads((folder / "explanation.json").read_text())
    names = content["saliency_map"]["findings"]
    assert len(list(folder.glob("*.png"))) == len(names)
    for picture in folder.glob("*.png"):
        with PIL.Image.open(picture) as opened:
            assert np.asarray(opened.convert("L")).std() > 5  # something is drawn
    assert max(abs(residual) for residual in content["saliency_map"]["residual"]) < 1e-4
    return content


@pytest.fixture(scope="module")
def rg1():
    """A real chest radiograph of PyPI's pydicom-data: 15 bit, MONOCHROME1, PixelSpacing 0\\0."""
    return get_testdata_file("RG1_UNCR.dcm", download=False)


def test_a_real_radiograph_in_dicom_is_explained_by_the_real_model(rg1, tmp_path):
    done = explain(rg1, "--model", "paediatric-pneumonia", "--out", tmp_path)
    assert done.returncode == 0, done.stderr
    assert "Pneumonia" in done.stdout
    content = kept(tmp_path / "RG1_UNCR")
    assert content["saliency_map"]["geometry"]["pixel_shape"] == [1955, 1841]
    assert content["saliency_map"]["geometry"]["spacing"] is None


def test_all_findings_of_the_phantom_model_on_a_real_radiograph(rg1):
    """Nonsense as a diagnosis, and yet every number adds up: the map explains the model."""
    result = camlucida.explain(camlucida.load_model("phantom-radiograph"), camlucida.read_image(rg1))
    assert len(result.findings) == 5
    assert np.abs(result.residual).max() < 1e-4


@pytest.mark.real_data
def test_a_folder_of_real_pictures_with_a_broken_one_among_them(real_data, tmp_path):
    folder = tmp_path / "films"
    folder.mkdir()
    pictures = sorted((real_data / "nih" / "full_1024").glob("*.png"))
    for picture in pictures:
        (folder / picture.name).write_bytes(picture.read_bytes())
    (folder / "broken.png").write_bytes(pictures[0].read_bytes()[:5000])
    done = explain(folder, "--model", "paediatric-pneumonia", "--out", tmp_path / "out")
    assert done.returncode == 1
    assert "broken.png" in done.stderr
    folders = list((tmp_path / "out").iterdir())
    assert len(folders) == len(pictures)
    for one in folders:
        kept(one)


@pytest.mark.real_data
def test_a_real_ct_series_is_one_volume_for_the_3d_model(real_data, tmp_path):
    done = explain(
        real_data / "dicom" / "ct_lung_dx_a0002", "--model", "phantom-ct-nodule", "--out", tmp_path
    )
    assert done.returncode == 0, done.stderr
    (folder,) = tmp_path.iterdir()
    geometry = kept(folder)["saliency_map"]["geometry"]
    assert geometry["pixel_shape"] == [30, 512, 512]
    assert geometry["spacing"][0] == pytest.approx(8)
    assert geometry["pixel_to_patient"] is not None


@pytest.mark.real_data
def test_a_film_model_refuses_a_volume_in_one_sentence(real_data):
    done = explain(real_data / "dicom" / "ct_lung_dx_a0002", "--model", "phantom-radiograph")
    assert done.returncode == 1
    assert "this image is CT" in done.stderr
    assert "Traceback" not in done.stderr
