"""Phantom studies are real DICOM files that say what they are."""

import numpy as np
import pydicom
import pytest

from camlucida.examples.phantom import dicom
from camlucida.examples.phantom.dicom import (
    DEMO_FILMS,
    DEMO_VOLUMES,
    DemoFilm,
    DemoVolume,
    uid_of,
    write_ct,
    write_demo_studies,
    write_radiograph,
)
from camlucida.examples.phantom.lesions import FINDINGS
from camlucida.examples.phantom.radiograph import radiograph
from camlucida.examples.phantom.volume import ct_volume


@pytest.fixture(scope="module")
def film():
    return radiograph(5, ["Effusion"], rows=200, visit=1)


def test_a_film_comes_back_from_its_file(film, tmp_path):
    write_radiograph(film, tmp_path / "film.dcm")
    data = pydicom.dcmread(tmp_path / "film.dcm")
    np.testing.assert_array_equal(data.pixel_array, film.values)
    assert data.PhotometricInterpretation == "MONOCHROME2"
    assert (data.BitsAllocated, data.BitsStored, data.HighBit, data.PixelRepresentation) == (16, 12, 11, 0)
    assert [float(mm) for mm in data.PixelSpacing] == pytest.approx([film.spacing] * 2)
    assert data.SOPClassUID.name == "Digital X-Ray Image Storage - For Presentation"


def test_monochrome1_stores_the_same_film_the_other_way_round(film, tmp_path):
    write_radiograph(film, tmp_path / "film.dcm", inverted=True)
    data = pydicom.dcmread(tmp_path / "film.dcm")
    assert (data.PhotometricInterpretation, data.PresentationLUTShape) == ("MONOCHROME1", "INVERSE")
    np.testing.assert_array_equal(4095 - data.pixel_array, film.values)


def test_a_file_says_everywhere_that_it_is_a_phantom(film, tmp_path):
    write_radiograph(film, tmp_path / "film.dcm")
    data = pydicom.dcmread(tmp_path / "film.dcm")
    assert str(data.PatientName).startswith("PHANTOM^")
    assert data.PatientID.startswith("PHANTOM")
    assert "hantom" in data.StudyDescription
    assert "hantom" in data.SeriesDescription
    assert (data.PatientIdentityRemoved, data.QualityControlImage) == ("YES", "YES")


def test_the_window_shows_lungs_and_bones(film, tmp_path):
    write_radiograph(film, tmp_path / "film.dcm")
    data = pydicom.dcmread(tmp_path / "film.dcm")
    low, high = data.WindowCenter - data.WindowWidth / 2, data.WindowCenter + data.WindowWidth / 2
    inside = (data.pixel_array > low) & (data.pixel_array < high)
    assert inside.mean() > 0.95


def test_uids_are_valid_and_follow_from_the_number():
    assert uid_of("a", 1) == uid_of("a", 1) != uid_of("a", 2)
    for number in range(200):
        uid = pydicom.uid.UID(uid_of("x", number))
        assert uid.is_valid
        assert len(uid) <= 64


def test_a_ct_is_a_series_with_positions_a_step_apart(tmp_path):
    volume = ct_volume(4, ["Nodule"], slices=12, rows=48)
    slices = [pydicom.dcmread(path) for path in write_ct(volume, tmp_path)]
    assert len({data.SeriesInstanceUID for data in slices}) == 1
    assert len({data.SOPInstanceUID for data in slices}) == 12
    steps = np.diff([float(data.ImagePositionPatient[2]) for data in slices])
    np.testing.assert_allclose(steps, volume.spacing[0], rtol=1e-5)
    hounsfield = slices[3].pixel_array * float(slices[3].RescaleSlope) + float(slices[3].RescaleIntercept)
    np.testing.assert_array_equal(hounsfield, volume.values[3])


def test_the_demo_writes_studies_and_keeps_the_truth_apart(tmp_path, monkeypatch):
    monkeypatch.setattr(
        dicom, "DEMO_FILMS", (DemoFilm(1, ("Nodule",), marker=True), DemoFilm(1, visit=1, inverted=True))
    )
    monkeypatch.setattr(dicom, "DEMO_VOLUMES", (DemoVolume(2, ("Effusion",)),))
    monkeypatch.setattr(dicom, "FILM_ROWS", 100)
    monkeypatch.setattr(dicom, "CT_SIZE", (8, 32))
    calls = []
    files = write_demo_studies(tmp_path / "studies", lambda done, total: calls.append((done, total)))
    assert calls == [(1, 3), (2, 3), (3, 3)]
    assert len(files) == 2 + 8
    assert sorted(files) == sorted((tmp_path / "studies").rglob("*.dcm"))
    assert not list((tmp_path / "studies").rglob("*.npz"))
    with np.load(tmp_path / "studies-truth" / "radiograph-1-0.npz") as truth:
        assert list(truth) == ["Nodule"]
        assert truth["Nodule"].shape == pydicom.dcmread(files[0]).pixel_array.shape
    first, second = (pydicom.dcmread(path) for path in files[:2])
    assert first.PatientID == second.PatientID
    assert first.StudyInstanceUID != second.StudyInstanceUID
    assert first.StudyDate < second.StudyDate


def test_the_demo_shows_priors_a_normal_a_tag_monochrome1_and_both_kinds_of_study():
    seeds = [film.seed for film in DEMO_FILMS]
    assert len(set(seeds)) < len(seeds)  # priors
    assert any(not film.findings and not film.marker for film in DEMO_FILMS)
    assert any(film.marker for film in DEMO_FILMS)
    assert any(film.inverted for film in DEMO_FILMS)
    assert {name for film in DEMO_FILMS for name in film.findings} == set(FINDINGS)
    assert DEMO_VOLUMES
