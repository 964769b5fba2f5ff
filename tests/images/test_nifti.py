"""NIfTI: places in the patient, kinds of values, four dimensions, and files that mean harm."""

import gzip
import itertools

import nibabel
import numpy as np
import pytest

from camlucida.errors import FileTooLarge, InputError, UnreadableFile
from camlucida.images.nifti import NAN_NOTE, NO_PLACE_NOTE, SINGULAR_NOTE, frames, read_nifti
from camlucida.records import FileFormat
from camlucida.settings import settings

RAS = np.array([[2.0, 0, 0, -30], [0, 3.0, 0, -40], [0, 0, 5.0, -50], [0, 0, 0, 1]])


def saved(tmp_path, values, affine=RAS, suffix=".nii.gz", kind=nibabel.Nifti1Image, dtype=None, codes=True):
    image = kind(values, affine, dtype=dtype)
    if not codes:
        image.header["sform_code"] = image.header["qform_code"] = 0
        image.set_sform(None, code=0)
        image.set_qform(None, code=0)
    path = tmp_path / f"volume{suffix}"
    nibabel.save(image, path)
    return path


def numbered(shape):
    return np.arange(np.prod(shape), dtype=np.int16).reshape(shape)


def places(image):
    """Where each stored value lies in RAS mm, as the file's reader says."""
    axes = image.values.ndim
    index = np.indices(image.values.shape).reshape(axes, -1)
    homogeneous = np.vstack([np.zeros((3 - axes, index.shape[1])), index, np.ones(index.shape[1])])
    lps = image.pixel_to_patient @ homogeneous
    ras = lps[:3] * [[-1], [-1], [1]]
    return {int(v): tuple(np.round(p, 4)) for v, p in zip(image.values.ravel(), ras.T, strict=True)}


def expected_places(values, affine):
    """The same from the definition: RAS = affine (i, j, k, 1)."""
    return {
        int(values[ijk]): tuple(np.round((affine @ [*ijk, 1])[:3], 4)) for ijk in np.ndindex(*values.shape)
    }


@pytest.mark.parametrize("kind", [nibabel.Nifti1Image, nibabel.Nifti2Image])
@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
def test_axes_are_those_of_an_axial_series(tmp_path, kind, suffix):
    values = numbered((4, 3, 2))
    path = saved(tmp_path, values, suffix=suffix, kind=kind)
    image = read_nifti(path)
    assert image.values.dtype == np.int16
    assert image.space == (2, 3, 4)
    assert image.spacing == (5.0, 3.0, 2.0)
    assert (
        image.values[0, 0, 0] == values[3, 2, 0]
    )  # right of the viewer's left: patient's right, front, feet
    assert places(image) == expected_places(values, RAS)
    assert (image.source.format, image.source.path) == (FileFormat.NIFTI, str(path))


ORIENTATIONS = [
    (order, signs)
    for order in itertools.permutations(range(3))
    for signs in itertools.product((1, -1), repeat=3)
]


@pytest.mark.parametrize(("order", "signs"), ORIENTATIONS)
def test_every_order_of_axes_keeps_every_place(tmp_path, order, signs):
    affine = np.eye(4)
    affine[:3, :3] = np.diag([1.0, 2.0, 4.0])[:, order] * signs
    affine[:3, 3] = (7, -8, 9)
    values = numbered((4, 3, 2))
    image = read_nifti(saved(tmp_path, values, affine))
    assert places(image) == expected_places(values, affine)
    assert image.spacing == (4.0, 2.0, 1.0)
    assert (np.diag(image.pixel_to_patient[:3, [2, 1, 0]]) > 0).all()  # left, back, head


def test_an_oblique_affine_is_kept_exactly(tmp_path):
    angle = 0.3
    turn = np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]])
    affine = RAS.copy()
    affine[:3, :3] = turn @ affine[:3, :3]
    values = numbered((3, 4, 5))
    image = read_nifti(saved(tmp_path, values, affine))
    found, wanted = places(image), expected_places(values, affine)
    for value, place in wanted.items():
        np.testing.assert_allclose(found[value], place, atol=1e-3)
    np.testing.assert_allclose(image.spacing, (5, 3, 2), atol=1e-5)


@pytest.mark.parametrize(
    ("shape", "space"), [((4, 3, 1), (3, 4)), ((4, 1, 3), (3, 4)), ((1, 4, 3), (3, 4)), ((4, 3), (3, 4))]
)
def test_a_single_slice_is_an_image(tmp_path, shape, space):
    values = numbered(shape)
    image = read_nifti(saved(tmp_path, values))
    assert image.space == space
    cube = values.reshape((*shape, 1)[:3])
    assert places(image) == expected_places(cube, RAS)


@pytest.mark.parametrize("shape", [(4, 1, 3), (1, 4, 3)])
def test_a_coronal_or_sagittal_slice_has_the_head_up(tmp_path, shape):
    image = read_nifti(saved(tmp_path, numbered(shape)))
    assert image.pixel_to_patient[2, 1] < 0  # the next row is nearer to the feet


@pytest.mark.parametrize(
    ("stored", "kept"),
    [
        (np.uint8, np.uint8),
        (np.int8, np.int16),
        (np.int16, np.int16),
        (np.uint16, np.uint16),
        (np.int32, np.float32),
        (np.uint32, np.float32),
        (np.float32, np.float32),
        (np.float64, np.float32),
    ],
)
def test_values_become_what_a_screen_takes(tmp_path, stored, kept):
    values = (np.arange(24).reshape(4, 3, 2) + 3).astype(stored)
    image = read_nifti(saved(tmp_path, values, dtype=stored))
    assert image.values.dtype == kept
    assert np.sort(image.values.ravel()).tolist() == list(range(3, 27))


def test_scaled_integers_stay_integers_with_slope_and_intercept(tmp_path):
    file = nibabel.Nifti1Image(numbered((4, 3, 2)), RAS)
    file.header.set_slope_inter(0.5, -1024)
    path = tmp_path / "scaled.nii"
    nibabel.save(file, path)
    image = read_nifti(path)
    assert image.values.dtype == np.int16
    np.testing.assert_allclose(
        np.sort(image.modality_values().ravel()), nibabel.load(path).get_fdata().ravel(), atol=1e-3
    )


def test_big_endian(tmp_path):
    values = numbered((4, 3, 2))
    header = nibabel.Nifti1Header(endianness=">")
    header.set_data_dtype(">i2")
    path = tmp_path / "big.nii"
    nibabel.save(nibabel.Nifti1Image(values.astype(">i2"), RAS, header), path)
    image = read_nifti(path)
    assert image.values.dtype == np.dtype("<i2")
    assert places(image) == expected_places(values, RAS)


def test_four_dimensions_need_a_frame(tmp_path):
    values = numbered((4, 3, 2, 5))
    path = saved(tmp_path, values)
    assert frames(path) == 5
    with pytest.raises(InputError, match="4D and holds 5 volumes; say which one with frame=1…5"):
        read_nifti(path)
    image = read_nifti(path, frame=3)
    assert places(image) == expected_places(values[..., 2], RAS)
    assert image.source.frame_number == 3
    with pytest.raises(InputError, match="no frame 6; the NIfTI file holds 5"):
        read_nifti(path, frame=6)


def test_a_frame_of_scaled_integers(tmp_path):
    values = numbered((4, 3, 2, 2))
    file = nibabel.Nifti1Image(values, RAS)
    file.header.set_slope_inter(2.0, 1.0)
    path = tmp_path / "scaled.nii.gz"
    nibabel.save(file, path)
    image = read_nifti(path, frame=2)
    wanted = nibabel.load(path).get_fdata()[..., 1]
    np.testing.assert_allclose(np.sort(image.modality_values().ravel()), np.sort(wanted.ravel()))


def test_a_fourth_axis_of_one_is_a_volume(tmp_path):
    assert read_nifti(saved(tmp_path, numbered((4, 3, 2, 1)))).space == (2, 3, 4)


def test_without_codes_there_is_no_place_but_a_size(tmp_path):
    image = read_nifti(saved(tmp_path, numbered((4, 3, 2)), codes=False))
    assert image.pixel_to_patient is None
    assert image.spacing == (5.0, 3.0, 2.0)
    assert image.notes == (NO_PLACE_NOTE,)


def test_a_singular_affine_is_told(tmp_path):
    path = saved(tmp_path, numbered((4, 3, 2)), suffix=".nii")
    content = bytearray(path.read_bytes())
    content[280:328] = bytes(48)  # srow_x, srow_y, srow_z
    path.write_bytes(content)
    image = read_nifti(path)
    assert image.pixel_to_patient is None
    assert image.notes == (SINGULAR_NOTE,)


def test_metres_become_millimetres(tmp_path):
    file = nibabel.Nifti1Image(numbered((4, 3, 2)), RAS / 1000)
    file.header.set_xyzt_units("meter")
    path = tmp_path / "metres.nii"
    nibabel.save(file, path)
    image = read_nifti(path)
    np.testing.assert_allclose(image.spacing, (5, 3, 2), rtol=1e-5)
    np.testing.assert_allclose(image.pixel_to_patient[2, 3], -50, rtol=1e-5)


def test_values_that_are_not_numbers(tmp_path):
    values = np.arange(24, dtype=np.float32).reshape(4, 3, 2) - 7
    values[0, 0, 0], values[1, 1, 1] = np.nan, np.inf
    image = read_nifti(saved(tmp_path, values))
    assert np.isfinite(image.values).all()
    assert image.values.min() == -6
    assert image.notes == (NAN_NOTE,)
    with pytest.raises(UnreadableFile, match="not a single finite value"):
        read_nifti(saved(tmp_path, np.full((2, 2, 2), np.nan, np.float32)))


def test_complex_and_colour_are_refused(tmp_path):
    with pytest.raises(UnreadableFile, match="values of type complex64"):
        read_nifti(saved(tmp_path, np.ones((2, 2, 2), np.complex64)))
    rgb = np.zeros((2, 2, 2), [("R", "u1"), ("G", "u1"), ("B", "u1")])
    with pytest.raises(UnreadableFile, match="only integers and floats are read"):
        read_nifti(saved(tmp_path, rgb))


@pytest.fixture
def bound(monkeypatch):
    def set_to(name, value):
        monkeypatch.setenv(f"CAMLUCIDA_{name}", str(value))
        settings.cache_clear()

    yield set_to
    settings.cache_clear()


def test_a_header_that_promises_too_much_is_refused_before_anything_is_unpacked(tmp_path):
    header = nibabel.Nifti1Header()
    header.set_data_shape((32_000, 32_000, 32_000))
    header.set_data_dtype(np.float64)
    header["vox_offset"], header["magic"] = 352, b"n+1"
    path = tmp_path / "bomb.nii.gz"
    path.write_bytes(gzip.compress(header.binaryblock + bytes(100)))
    with pytest.raises(FileTooLarge, match="32768000000000 values"):
        read_nifti(path)


def test_the_bounds_are_the_settings(tmp_path, bound):
    path = saved(tmp_path, numbered((10, 10, 10)))
    bound("MAX_PIXELS", 999)
    with pytest.raises(FileTooLarge, match="1000 values, more than the 999 allowed"):
        read_nifti(path)
    bound("MAX_PIXELS", 1000)
    bound("MAX_FILE_BYTES", 1999)
    with pytest.raises(FileTooLarge, match="unpacks to 2000 bytes, more than the 1999"):
        read_nifti(path)
    bound("MAX_FILE_BYTES", 2000)
    assert read_nifti(path).space == (10, 10, 10)


def test_what_follows_the_data_in_a_gz_bomb_is_not_unpacked(tmp_path):
    path = saved(tmp_path, numbered((4, 3, 2)), suffix=".nii")
    bomb = tmp_path / "bomb.nii.gz"
    bomb.write_bytes(gzip.compress(path.read_bytes()) + 20 * gzip.compress(bytes(50_000_000)))
    assert read_nifti(bomb).space == (2, 3, 4)


def test_data_that_begin_far_away_are_refused(tmp_path):
    path = saved(tmp_path, numbered((4, 3, 2)), suffix=".nii")
    content = bytearray(path.read_bytes())
    content[108:112] = np.array(2e9, "<f4").tobytes()  # vox_offset
    path.write_bytes(content)
    with pytest.raises(UnreadableFile, match="puts the data at byte 2000000000"):
        read_nifti(path)


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
def test_no_damage_gives_anything_but_an_image_or_a_sentence(tmp_path, suffix):
    whole = saved(tmp_path, numbered((12, 10, 8)), suffix=suffix).read_bytes()
    rng = np.random.default_rng(0)
    path = tmp_path / f"damaged{suffix}"
    refused = 0
    for trial in range(150):
        content = bytearray(whole)
        if trial % 3 == 0:
            content = content[: rng.integers(0, len(whole))]
        else:
            for at in rng.integers(0, min(len(whole), 360), 1 + trial % 5):
                content[at] ^= 1 << int(rng.integers(8))
        path.write_bytes(content)
        try:
            assert read_nifti(path).values.size > 0
        except InputError:
            refused += 1
    assert refused >= 45


@pytest.mark.real_data
def test_real_volumes(real_data):
    ct = read_nifti(real_data / "volumes" / "example_ct_sm.nii.gz")
    assert ct.space == (30, 101, 122)
    assert ct.spacing == (3.0, 3.0, 3.0)
    assert ct.values.min() >= -1100
    mask = read_nifti(real_data / "volumes" / "example_seg.nii.gz")
    np.testing.assert_array_equal(mask.pixel_to_patient, ct.pixel_to_patient)
    liver = np.argwhere(mask.values == 5).mean(axis=0)
    x = (ct.pixel_to_patient @ [*liver, 1])[0]
    spleen = np.argwhere(mask.values == 1).mean(axis=0)
    assert (
        x < (ct.pixel_to_patient @ [*spleen, 1])[0]
    )  # the liver is on the patient's right: smaller x in LPS
