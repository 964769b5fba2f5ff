import gzip

import nibabel
import nrrd
import numpy as np
import PIL.Image
import pytest

from camlucida.errors import InputError, UnreadableFile
from camlucida.evaluation.data.annotations import read_annotations
from camlucida.evaluation.data.annotations.mask_files import MaskFileMark
from camlucida.evaluation.data.case import Case
from camlucida.evaluation.data.labels import Vocabulary
from camlucida.examples.phantom.dicom import write_ct
from camlucida.examples.phantom.volume import ct_volume
from camlucida.images.nifti import read_nifti
from camlucida.images.read import read_image
from camlucida.records import Image

SHAPE = (7, 6, 5)  # i, j, k
AFFINE = np.array([[-2.0, 0, 0, 30], [0, 2.5, 0, -40], [0, 0, 3, 12], [0, 0, 0, 1]])  # RAS
LPS = np.diag([-1.0, -1.0, 1.0, 1.0])


def save_nifti(path, values, affine=AFFINE):
    nibabel.save(nibabel.Nifti1Image(values, affine), path)
    return path


@pytest.fixture(scope="module")
def scan(tmp_path_factory):
    path = tmp_path_factory.mktemp("scan") / "scan.nii.gz"
    return read_nifti(save_nifti(path, np.random.default_rng(0).integers(0, 99, SHAPE).astype(np.int16)))


@pytest.fixture(scope="module")
def labels():
    values = np.zeros(SHAPE, np.uint8)
    values[1:4, 2:5, 1:3], values[5, 5, 4] = 1, 2
    return values


def patient_points(labels, value=None):
    """The places in the patient (LPS, mm, rounded) of all cells of a mask on (i, j, k), one by one."""
    cells = np.argwhere(labels != 0 if value is None else labels == value)
    return {tuple((LPS @ AFFINE @ [*cell, 1])[:3].round(3)) for cell in cells}


def drawn_points(inside, image):
    return {tuple((image.pixel_to_patient @ [*cell, 1])[:3].round(3)) for cell in np.argwhere(inside)}


@pytest.mark.parametrize("value", [None, 1, 2])
@pytest.mark.parametrize("turn", ["as it is", "flipped", "other axes"])
def test_a_nifti_mask_lies_where_the_patient_has_it(scan, labels, tmp_path, value, turn):
    values, affine = labels, AFFINE
    if turn == "flipped":
        flip = np.diag([1.0, -1, 1, 1])
        flip[1, 3] = SHAPE[1] - 1
        values, affine = labels[:, ::-1], AFFINE @ flip
    if turn == "other axes":
        values, affine = labels.transpose(2, 0, 1), AFFINE[:, [2, 0, 1, 3]]
    mark = MaskFileMark("Mass", save_nifti(tmp_path / "m.nii", values, affine), value)
    assert drawn_points(mark.on(scan).inside, scan) == patient_points(labels, value)
    assert mark.files == (tmp_path / "m.nii",)


def test_a_finer_mask_is_taken_at_the_nearest_cell(scan, labels, tmp_path):
    half = np.diag([0.5, 0.5, 0.5, 1.0])
    half[:3, 3] = -0.25  # each cell becomes eight
    fine = labels.repeat(2, 0).repeat(2, 1).repeat(2, 2)
    mark = MaskFileMark("Mass", save_nifti(tmp_path / "m.nii.gz", fine, AFFINE @ half))
    assert drawn_points(mark.on(scan).inside, scan) == patient_points(labels)


@pytest.mark.parametrize("encoding", ["raw", "gzip"])
@pytest.mark.parametrize("space", ["left-posterior-superior", "RAS"])
def test_a_nrrd_mask_lies_there_too(scan, labels, tmp_path, encoding, space):
    matrix = LPS @ AFFINE if space != "RAS" else AFFINE
    header = {
        "space": space if space != "RAS" else "right-anterior-superior",
        "space directions": matrix[:3, :3].T,
        "space origin": matrix[:3, 3],
        "encoding": encoding,
    }
    nrrd.write(str(tmp_path / "m.nrrd"), labels.astype(np.int16), header)
    inside = MaskFileMark("Mass", tmp_path / "m.nrrd", 1).on(scan).inside
    assert drawn_points(inside, scan) == patient_points(labels, 1)


def test_without_a_place_in_the_patient_shapes_must_be_the_same(labels, tmp_path):
    nrrd.write(str(tmp_path / "m.nrrd"), labels)
    mark = MaskFileMark("Mass", tmp_path / "m.nrrd")
    assert np.array_equal(mark.on(Image(np.zeros(SHAPE[::-1], np.uint8))).inside, labels.T != 0)
    with pytest.raises(InputError, match="the mask has 5 × 6 × 7 cells and the image 7 × 6 × 5"):
        mark.on(Image(np.zeros(SHAPE, np.uint8)))


def test_a_nifti_mask_of_a_dicom_series_lies_on_its_slices(tmp_path):
    """As converters write it: (column, row, slice), RAS, and an axis turned round."""
    write_ct(ct_volume(1, slices=5, rows=32), tmp_path / "ct")
    image = read_image(tmp_path / "ct")
    mask = np.zeros(image.space, np.uint8)
    mask[3, 4:9, 20:30] = 1
    affine = LPS @ image.pixel_to_patient[:, [2, 1, 0, 3]]
    flip = np.diag([1.0, -1, 1, 1])
    flip[1, 3] = image.space[1] - 1
    path = save_nifti(tmp_path / "m.nii.gz", mask.transpose(2, 1, 0)[:, ::-1], affine @ flip)
    assert np.array_equal(MaskFileMark("Mass", path).on(image).inside, mask == 1)


def test_a_mask_of_another_place_is_refused(scan, labels, tmp_path):
    far = AFFINE.copy()
    far[0, 3] += 500
    with pytest.raises(InputError, match="beside the image"):
        MaskFileMark("Mass", save_nifti(tmp_path / "m.nii", labels, far)).on(scan)


def test_png_masks_are_found_by_name_and_folder(tmp_path):
    mask = np.zeros((8, 6), np.uint8)
    mask[2:5, 1:3] = 255
    for name in (
        "a_mask.png",
        "a_Mass.png",
        "b.c-pneumonia.png",
        "Mass/a.png",
        "Mass/b.c_seg.png",
        "zzz.png",
        "a_cat.png",
        "a.png",
        "notes.txt",
    ):
        path = tmp_path / "masks" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        PIL.Image.fromarray(mask).save(path, "PNG")
    cases = [
        Case("films/a.jpeg", (tmp_path / "a.jpeg",), {}, ""),
        Case("b.c.dcm", (tmp_path / "b.c.dcm",), {}, ""),
    ]
    read, notes = read_annotations([tmp_path / "masks"], cases, Vocabulary(("Mass", "Pneumonia")))
    found = [sorted((mark.finding, mark.path.name) for mark in case.marks) for case in read]
    assert found == [
        [("Mass", "a.png"), ("Mass", "a_Mass.png")],
        [("Mass", "b.c_seg.png"), ("Pneumonia", "b.c-pneumonia.png")],
    ]
    assert any("no image's of the data: a_cat.png, zzz.png" in note for note in notes)
    assert any("no finding of the model" in note and "a_mask.png" in note for note in notes)
    drawn = read[0].marks[0].on(Image(np.zeros((16, 12), np.uint16)))
    assert np.array_equal(drawn.inside, (mask > 0).repeat(2, 0).repeat(2, 1))


def test_where_the_model_has_one_finding_a_mask_is_of_it(tmp_path):
    PIL.Image.new("L", (2, 2), 1).save(tmp_path / "a_mask.png")
    read, _ = read_annotations(
        [tmp_path], [Case("a.dcm", (tmp_path / "a.dcm",), {}, "")], Vocabulary(("Mass",))
    )
    assert [mark.finding for mark in read[0].marks] == ["Mass"]


HEAD = b"NRRD0004\ntype: uint8\ndimension: 3\nsizes: 2 2 2\nendian: little\nencoding: "


@pytest.mark.parametrize(
    ("content", "error", "says"),
    [
        (b"hello", UnreadableFile, "damaged, or no NRRD"),
        (HEAD + b"raw\n\n1234", UnreadableFile, "damaged"),
        (HEAD + b"gzip\n\n1234", UnreadableFile, "damaged"),
        (HEAD + b"gzip\n\n" + gzip.compress(b"1234", mtime=0)[:-9], UnreadableFile, "damaged"),
        (HEAD + b"raw\ndata file: /etc/passwd\n\n", InputError, "in another file"),
        (HEAD + b"raw\nbyte skip: 8\n\n" + bytes(16), InputError, "do not follow its header"),
        (HEAD + b"bzip2\n\n1234", InputError, "packed by bzip2"),
        (HEAD.replace(b"2 2 2", b"99999 99999 99999") + b"raw\n\n", InputError, "a bounded number"),
        (HEAD.replace(b"2 2 2", b"-2 2 2") + b"raw\n\n", InputError, "sizes"),
        (HEAD.replace(b"uint8", b"block") + b"raw\n\n", UnreadableFile, "damaged"),
    ],
)
def test_hostile_nrrd_files_are_refused(tmp_path, content, error, says):
    path = tmp_path / "m.nrrd"
    path.write_bytes(content)
    with pytest.raises(error, match=says):
        MaskFileMark("Mass", path).on(Image(np.zeros((2, 2, 2), np.uint8)))


@pytest.mark.parametrize("name", ["m.nrrd", "m.nii"])
def test_a_background_of_nan_is_refused_and_not_taken_for_a_mark(tmp_path, name):
    path, values = tmp_path / name, np.full((4, 5, 6), np.nan, np.float32)
    values[1] = 1
    if name.endswith("nrrd"):
        nrrd.write(str(path), values)
    else:
        nibabel.save(nibabel.Nifti1Image(values, np.eye(4)), path)
    with pytest.raises(InputError, match="save 0 for what is not marked"):
        MaskFileMark("Mass", path).on(Image(np.zeros((6, 5, 4), np.uint8)))


def test_a_bomb_is_unpacked_no_further_than_its_sizes(tmp_path):
    path = tmp_path / "m.nrrd"
    path.write_bytes(HEAD + b"gzip\n\n" + gzip.compress(bytes([1] * 8) + bytes(10**7)))
    assert MaskFileMark("Mass", path).on(Image(np.zeros((2, 2, 2), np.uint8))).inside.all()


@pytest.mark.real_data
def test_a_real_tumours_mask_covers_what_pynrrd_says(real_data, tmp_path):
    """The image is NRRD too, which is not read here: it is written as NIfTI."""
    values, header = nrrd.read(str(real_data / "volumes" / "brain1_image.nrrd"))
    matrix = np.eye(4)
    matrix[:3, :3], matrix[:3, 3] = header["space directions"].T, header["space origin"]
    image = read_nifti(save_nifti(tmp_path / "brain.nii.gz", values.astype(np.float32), LPS @ matrix))
    label, _ = nrrd.read(str(real_data / "volumes" / "brain1_label.nrrd"))
    inside = MaskFileMark("Tumour", real_data / "volumes" / "brain1_label.nrrd", 1).on(image).inside
    assert inside.sum() == (label == 1).sum() > 100
    assert np.sort(image.values[inside]).tolist() == np.sort(values[label == 1]).tolist()
