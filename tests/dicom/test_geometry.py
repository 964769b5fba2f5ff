import itertools
import zipfile

import numpy as np
import pytest
from pydicom import dcmread

from camlucida.dicom.read import read_dicom

VALUES = np.zeros((6, 5), "u2")


def read_one(*paths):
    (image,) = read_dicom(list(paths))
    return image


def by_the_equation(dataset, row, column):
    """PS3.3 C.7.6.2.1.1 written out: P = S + X Δi i + Y Δj j; i counts columns, j rows."""
    s = [float(x) for x in dataset.ImagePositionPatient]
    x = [float(v) for v in dataset.ImageOrientationPatient[:3]]
    y = [float(v) for v in dataset.ImageOrientationPatient[3:]]
    row_spacing, column_spacing = (float(v) for v in dataset.PixelSpacing)
    return [s[k] + x[k] * column_spacing * column + y[k] * row_spacing * row for k in range(3)]


def to_patient(image, *index):
    return (image.pixel_to_patient @ [*index, 1])[:3]


def oblique():
    """Direction cosines turned about all three axes."""
    a, b, c = 0.3, -0.5, 0.8
    turn = (
        np.array([[np.cos(a), -np.sin(a), 0], [np.sin(a), np.cos(a), 0], [0, 0, 1]])
        @ np.array([[np.cos(b), 0, np.sin(b)], [0, 1, 0], [-np.sin(b), 0, np.cos(b)]])
        @ np.array([[1, 0, 0], [0, np.cos(c), -np.sin(c)], [0, np.sin(c), np.cos(c)]])
    )
    return turn[:, 0], turn[:, 1], turn[:, 2]


def test_a_plane_alone(make):
    x, y, _ = oblique()
    path = make(
        VALUES,
        PixelSpacing=["0.7", "0.4"],
        ImagePositionPatient=[f"{v:.6f}" for v in (-31.5, 12.25, 100)],
        ImageOrientationPatient=[f"{v:.6f}" for v in (*x, *y)],
    )
    image, dataset = read_one(path), dcmread(path)
    assert image.spacing == (0.7, 0.4)
    for row, column in itertools.product((0, 2, 5), (0, 4)):
        expected = by_the_equation(dataset, row, column)
        assert to_patient(image, 0, row, column) == pytest.approx(expected, abs=1e-9)


def test_a_planted_point_in_an_oblique_volume(make):
    x, y, normal = oblique()
    spacing, distance, start = (0.6, 0.9), 2.5, np.array([-20.0, 35.0, 7.0])
    planted = start + 3 * distance * normal + 4 * spacing[0] * y + 2 * spacing[1] * x
    paths = []
    for place, name in zip(range(7), (5, 0, 3, 6, 1, 4, 2), strict=True):
        position = start + place * distance * normal
        values = VALUES.copy()
        for row, column in itertools.product(range(6), range(5)):
            at = position + row * spacing[0] * y + column * spacing[1] * x
            values[row, column] = 1000 * np.exp(-np.sum((at - planted) ** 2))
        paths.append(
            make(
                values,
                f"slice{name}.dcm",
                PixelSpacing=list(spacing),
                ImagePositionPatient=[f"{v:.8f}" for v in position],
                ImageOrientationPatient=[f"{v:.8f}" for v in (*x, *y)],
            )
        )
    image = read_one(*sorted(paths))
    assert image.spacing == pytest.approx((distance, *spacing))
    found = to_patient(image, *np.unravel_index(image.values.argmax(), image.space))
    off = np.array([(found - planted) @ axis for axis in (normal, y, x)])
    assert (np.abs(off) <= np.array([distance, *spacing]) / 2).all()
    assert np.abs(off).max() < 1e-4


def test_a_tilted_gantry_is_a_sheared_volume(make):
    positions = [[0, 0.5 * k, 3.0 * k] for k in range(4)]  # slices slide along y as they rise
    paths = [make(VALUES, f"{k}.dcm", ImagePositionPatient=p) for k, p in enumerate(positions)]
    image = read_one(*paths)
    assert image.spacing[0] == pytest.approx(3)
    for k, position in enumerate(positions):
        assert to_patient(image, k, 0, 0) == pytest.approx(position)


@pytest.mark.real_data
def test_the_oblique_mr_maps_as_each_of_its_slices_does(real_data, tmp_path):
    with zipfile.ZipFile(real_data / "dicom" / "studyforrest_t1_96slices.zip") as archive:
        archive.extractall(tmp_path)
    paths = list(tmp_path.rglob("*.dcm"))
    image = read_one(*paths)
    assert image.space == (96, 384, 274)
    assert image.values.dtype == np.int16
    assert image.spacing == pytest.approx((2.6667, 0.6667, 0.7), abs=1e-3)
    half = np.array(image.spacing) / 2
    axes = image.pixel_to_patient[:3, :3] / np.linalg.norm(image.pixel_to_patient[:3, :3], axis=0)
    by_instance = {uid: index for index, uid in enumerate(image.source.sop_instance_uids)}
    for path in paths:
        dataset = dcmread(path)
        index = by_instance[dataset.SOPInstanceUID]
        assert np.array_equal(image.values[index], dataset.pixel_array)
        for row, column in ((0, 0), (383, 273), (100, 200)):
            off = to_patient(image, index, row, column) - by_the_equation(dataset, row, column)
            assert (np.abs(np.linalg.solve(axes, off)) < half / 100).all()


@pytest.mark.real_data
def test_the_ct_series(real_data):
    paths = sorted((real_data / "dicom" / "ct_lung_dx_a0002").glob("*.dcm"))
    image = read_one(*paths)
    assert image.space == (30, 512, 512)
    assert (image.slope, image.intercept, image.unit, image.bits_stored) == (1, -1024, "HU", 12)
    assert image.spacing == pytest.approx((8, 0.646484375, 0.646484375))
    assert [(window.center, window.width) for window in image.windows] == [(40, 350), (-600, 1200)]
    assert image.notes == ()
    lowest = min((dcmread(path) for path in paths), key=lambda d: d.ImagePositionPatient[2])
    assert np.array_equal(image.values[0], lowest.pixel_array)
    assert to_patient(image, 0, 0, 0) == pytest.approx([float(v) for v in lowest.ImagePositionPatient])


@pytest.mark.parametrize(
    ("elements", "spacing", "note"),
    [
        ({"PixelSpacing": None}, None, "Pixel Spacing is unknown, so sizes are given in pixels"),
        ({"PixelSpacing": [0, 0]}, None, r"Pixel Spacing (0028,0030) is 0\0, which cannot be"),
        ({"PixelSpacing": [-1, 1]}, None, r"is -1\1, which cannot be"),
        ({"PixelSpacing": ["1e9", "1e9"]}, None, "which cannot be"),
        ({"PixelSpacing": "0.5"}, None, "is 0.5, which cannot be"),
        (
            {"PixelSpacing": None, "ImagerPixelSpacing": [0.1, 0.2], "Modality": "DX"},
            (0.1, 0.2),
            "measured at the detector",
        ),
        (
            {"PixelSpacing": [0, 0], "NominalScannedPixelSpacing": [0.1, 0.2], "Modality": "CR"},
            (0.1, 0.2),
            "on the scanned film",
        ),
        ({"PixelSpacing": None, "ImagerPixelSpacing": [0.1, 0.2]}, None, "unknown"),
    ],
)
def test_spacing_that_is_missing_or_impossible(make, elements, spacing, note):
    image = read_one(make(VALUES, **elements))
    assert image.spacing == spacing
    assert any(note in one for one in image.notes)


@pytest.mark.parametrize(
    ("elements", "note"),
    [
        ({"ImageOrientationPatient": [1, 0, 0, 1, 0, 0]}, "makes no sense"),
        ({"ImageOrientationPatient": [0] * 6}, "makes no sense"),
        ({"ImageOrientationPatient": [1, 0, 0]}, "makes no sense"),
        ({"ImagePositionPatient": [1, 2]}, "makes no sense"),
        ({"ImagePositionPatient": ["1e300", "0", "0"]}, "no patient coordinates"),
    ],
)
def test_planes_that_make_no_sense(make, elements, note):
    image = read_one(make(VALUES, **elements))
    assert image.pixel_to_patient is None
    assert any(note in one for one in image.notes)


def test_no_plane_at_all_is_usual_for_radiographs(make):
    image = read_one(make(VALUES, Modality="DX", ImagePositionPatient=None, ImageOrientationPatient=None))
    assert image.pixel_to_patient is None
    assert image.notes == ()


def test_no_frame_of_reference(make):
    image = read_one(make(VALUES, FrameOfReferenceUID=None))
    assert image.source.frame_of_reference_uid == ""
    assert image.pixel_to_patient is not None
    assert any("hold within this image only" in note for note in image.notes)
