"""Files and folders of every kind, in one go."""

import shutil
from pathlib import Path

import nibabel
import numpy as np
import PIL.Image
import pytest
from pydicom.data import get_testdata_file

import camlucida
from camlucida.errors import FileTooLarge, InputError, UnreadableFile
from camlucida.images.read import ImageFiles, find_images, read, read_image
from camlucida.records import FileFormat, Photometric
from camlucida.settings import settings

GREY = np.arange(48, dtype=np.uint8).reshape(6, 8)


def dicom(name):
    path = get_testdata_file(name, download=False)
    assert path, f"pydicom-data lacks {name}"
    return Path(path)


def png(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    PIL.Image.fromarray(GREY).save(path)
    return path


def nifti(path, shape=(4, 3, 2)):
    nibabel.save(nibabel.Nifti1Image(np.zeros(shape, np.int16), np.eye(4)), path)
    return path


def test_one_file_of_each_kind(tmp_path):
    assert read_image(png(tmp_path / "a.png")).source.format is FileFormat.PICTURE
    assert read_image(str(nifti(tmp_path / "b.nii.gz"))).source.format is FileFormat.NIFTI
    radiograph = read_image(dicom("RG1_UNCR.dcm"))
    assert radiograph.source.format is FileFormat.DICOM
    assert radiograph.photometric is Photometric.MONOCHROME1
    assert radiograph.space == (1955, 1841)


def test_the_package_offers_it():
    assert camlucida.read_image is read_image


def test_what_a_file_is_counts_more_than_its_name(tmp_path):
    shutil.copy(dicom("CT_small.dcm"), tmp_path / "scan")
    png(tmp_path / "photo.png").rename(tmp_path / "photo")
    assert read_image(tmp_path / "scan").modality == "CT"
    assert (read_image(tmp_path / "photo").values == GREY).all()
    shutil.copy(dicom("CT_small.dcm"), tmp_path / "misnamed.png")
    assert read_image(tmp_path / "misnamed.png").modality == "CT"


def test_folders_are_walked_and_other_files_passed_over(tmp_path):
    png(tmp_path / "b" / "deep" / "z.png")
    png(tmp_path / "a" / "Y.PNG")
    nifti(tmp_path / "b" / "v.nii")
    shutil.copy(dicom("CT_small.dcm"), tmp_path / "b" / "IM0001")
    (tmp_path / "notes.txt").write_text("hello")
    (tmp_path / "DICOMDIR").write_bytes(dicom("CT_small.dcm").read_bytes())
    png(tmp_path / ".hidden" / "x.png")
    png(tmp_path / ".thumb.png")
    found = find_images([tmp_path])
    names = [str(files.paths[0].relative_to(tmp_path)) for files in found]
    assert names == ["a/Y.PNG", "b/IM0001", "b/v.nii", "b/deep/z.png"]
    assert found[0].name == str(tmp_path / "a" / "Y.PNG")


def test_a_file_given_twice_is_found_once(tmp_path):
    path = png(tmp_path / "a.png")
    assert find_images([path, tmp_path, path]) == [ImageFiles(str(path), (path,))]


def test_damaged_and_missing_files_are_kept_so_that_reading_says_why(tmp_path):
    (tmp_path / "bad.png").write_bytes(b"nonsense")
    (tmp_path / "bad.dcm").write_bytes(b"nonsense")
    (tmp_path / "text.txt").write_text("hello")
    (tmp_path / "empty").mkdir()
    given = [
        tmp_path / "bad.png",
        tmp_path / "bad.dcm",
        tmp_path / "text.txt",
        tmp_path / "gone",
        tmp_path / "empty",
    ]
    found = find_images(given)
    assert [files.name for files in found] == [str(path) for path in given]
    sentences = [
        "neither PNG nor JPEG",
        "DICOM",
        "neither DICOM, NIfTI",
        "no such file",
        "folder holds no DICOM",
    ]
    for files, sentence in zip(found, sentences, strict=True):
        with pytest.raises(UnreadableFile, match=sentence):
            read(files)


def test_a_file_without_permission_is_a_sentence(tmp_path, monkeypatch):
    path = png(tmp_path / "a.png")
    monkeypatch.setattr("camlucida.images.read.access", lambda *_: False)
    with pytest.raises(UnreadableFile, match="no permission"):
        read_image(path)


def test_a_file_beyond_the_bound_is_refused_before_it_is_read(tmp_path, monkeypatch):
    path = png(tmp_path / "a.png")
    monkeypatch.setenv("CAMLUCIDA_MAX_FILE_BYTES", "20")
    settings.cache_clear()
    try:
        with pytest.raises(FileTooLarge, match="more than the 20 allowed"):
            read_image(path)
    finally:
        settings.cache_clear()


def test_a_folder_with_several_images_is_not_one_image(tmp_path):
    for name in ("a", "b", "c", "d"):
        png(tmp_path / f"{name}.png")
    with pytest.raises(InputError, match="holds 4 images"):
        read_image(tmp_path)


def test_frames(tmp_path):
    multi = dicom("SC_rgb_rle_2frame.dcm")
    with pytest.raises(InputError, match="holds 2 frames; say which one with frame=1…2"):
        read_image(multi)
    assert read_image(multi, frame=2).source.frame_number == 2
    with pytest.raises(InputError, match="no frame 3; the file holds 2"):
        read_image(multi, frame=3)
    path = nifti(tmp_path / "four.nii", (4, 3, 2, 5))
    assert read_image(path, frame=5).source.frame_number == 5
    with pytest.raises(InputError, match="no frame 2: this is one image"):
        read_image(png(tmp_path / "a.png"), frame=2)


@pytest.mark.real_data
def test_a_series_is_one_volume_whatever_lies_beside_it(real_data, tmp_path):
    series = real_data / "dicom" / "ct_lung_dx_a0002"
    (found,) = find_images([series])
    assert len(found.paths) == 30
    assert found.name == f"{series} (30 files from 1-01.dcm)"
    (volume,) = read(found)
    assert volume.space == (30, 512, 512)
    assert read_image(series).digest == volume.digest
    for path in sorted(series.iterdir())[::-1]:
        shutil.copy(path, tmp_path / f"{path.stem[::-1]}.dcm")
    png(tmp_path / "2-10.png")
    assert sorted(len(files.paths) for files in find_images([tmp_path])) == [1, 30]
    one = read_image(series / "1-07.dcm")
    assert one.space == (512, 512)


@pytest.mark.real_data
def test_real_radiographs(real_data):
    found = find_images([real_data / "nih" / "full_1024"])
    assert len(found) == 8
    for files in found:
        (image,) = read(files)
        assert image.space == (1024, 1024)
        assert not image.colour
