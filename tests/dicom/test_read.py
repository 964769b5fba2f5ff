from pathlib import Path

import data_store
import numpy as np
import pydicom
import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.pixels import apply_color_lut, pixel_array
from pydicom.uid import ImplicitVRLittleEndian

from camlucida.dicom.read import is_dicom, read_dicom, series_of
from camlucida.errors import CamlucidaError, FileTooLarge, MissingGeometry, UnreadableFile
from camlucida.records import Photometric, Window

FRAMES = np.arange(4 * 3 * 2, dtype="u2").reshape(4, 3, 2) * 10

# What is bundled with pydicom and pydicom-data and is no image that can be read, with the words of the error.
REFUSED = {
    "JPEG-lossy.dcm": "damaged",  # no decoder reads it; JPGExtended.dcm is its repaired twin
    "JPEG2000-embedded-sequence-delimiter.dcm": "more than 1024 tiles",
    "MR_truncated.dcm": "8,130 bytes where 8,192 are declared",
    "UN_sequence.dcm": "holds no image",
    "emri_small_jpeg_2k_lossless_too_short.dcm": "holds no image",
    "meta_missing_tsyntax.dcm": "Rows .* is missing",
    "nested_priv_SQ.dcm": "Rows .* is missing",
    "no_meta.dcm": "not a DICOM file",
}


def read_one(*paths):
    (image,) = read_dicom(list(paths))
    return image


def images_at_hand():
    """The test files in site-packages; pydicom's own search would download what is missing."""
    folders = (
        Path(pydicom.__file__).parent / "data" / "test_files",
        Path(data_store.__file__).parent / "data",
    )
    return sorted(path for folder in folders for path in folder.glob("*.dcm"))


@pytest.mark.filterwarnings("ignore")  # pydicom speaks about its own test files here, not about our reading
def test_all_bundled_files_are_read_as_pydicom_decodes_them_or_refused():
    seen = 0
    for path in images_at_hand():
        name = path.name
        try:
            images = read_dicom([path])
        except CamlucidaError as error:
            assert_rightly_refused(name, path, error)
            continue
        dataset = dcmread(path, force=True)
        assert name not in REFUSED
        assert_same_pixels(name, images, dataset)
        seen += 1
    assert seen > 100


def assert_rightly_refused(name, path, error):
    assert str(error).startswith(f"{name}: ")
    if name in REFUSED:
        with pytest.raises(UnreadableFile, match=REFUSED[name]):
            raise error
        return
    dataset = dcmread(path, force=True)
    object_class = dataset.get("SOPClassUID", dataset.file_meta.get("MediaStorageSOPClassUID", ""))
    no_picture = "PixelData" not in dataset
    not_an_image = object_class in ("1.2.840.10008.5.1.4.1.1.66.4", "1.2.840.10008.5.1.4.1.1.481.2")
    assert no_picture or not_an_image, f"{name}: {error}"


def assert_same_pixels(name, images, dataset):
    if "TransferSyntaxUID" not in dataset.file_meta:
        dataset.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian
    reference = pixel_array(dataset)
    if dataset.PhotometricInterpretation == "PALETTE COLOR":
        reference = apply_color_lut(reference, dataset)
    if images[0].colour and reference.dtype.itemsize > 1:
        reference = reference >> (8 * reference.dtype.itemsize - 8) if reference.max() > 255 else reference
    if "ModalityLUTSequence" in dataset or len(images[0].space) == 3:
        return  # looked at in test_rescale, and below
    values = np.stack([image.values for image in images]).squeeze()
    assert np.array_equal(values, reference.squeeze()), name


def test_is_dicom(tmp_path, make, bundled):
    assert is_dicom(make(FRAMES[0]))
    assert is_dicom(bundled("OT-PAL-8-face.dcm"))  # no preamble, no header
    for content in (
        b"",
        b"x",
        b"\x89PNG\r\n\x1a\n" + bytes(200),
        b"PK\3\4" + bytes(400),
        bytes(500),
        b"\n" * 300,
    ):
        (tmp_path / "other").write_bytes(content)
        assert not is_dicom(tmp_path / "other")
    assert not is_dicom(tmp_path)
    assert not is_dicom(tmp_path / "missing")


@pytest.mark.parametrize("head", [132, 0])
def test_files_without_preamble(make, tmp_path, head):
    path = make(FRAMES[0])
    whole = path.read_bytes()
    start = 132 if head else len(whole) - whole[::-1].index(b"\x08\x00\x16\x00"[::-1]) - 4
    (tmp_path / "bare").write_bytes(whole[start:])
    assert np.array_equal(read_one(tmp_path / "bare").values, FRAMES[0])


def test_what_is_no_dicom_file_is_said_so(tmp_path):
    (tmp_path / "notes.txt").write_text("hello " * 100)
    with pytest.raises(UnreadableFile, match=r"^notes.txt: this is not a DICOM file.$"):
        read_dicom([tmp_path / "notes.txt"])
    with pytest.raises(UnreadableFile, match=r"^gone.dcm: there is no such file.$"):
        read_dicom([tmp_path / "gone.dcm"])


def test_large_files_are_refused_before_they_are_read(make, bounds):
    path = make(FRAMES[0])
    bounds(max_file_bytes=300)
    with pytest.raises(
        FileTooLarge, match=r"a.dcm: The file has .* bytes; at most 300 .*CAMLUCIDA_MAX_FILE_BYTES"
    ):
        read_dicom([path])


def test_a_small_file_that_inflates_to_a_large_one_is_refused(make, bounds):
    path = make(np.zeros((4000, 4000), "u2"), syntax="1.2.840.10008.1.2.1.99")
    assert path.stat().st_size < 100_000
    assert read_one(path).space == (4000, 4000)
    bounds(max_file_bytes=1_000_000)
    with pytest.raises(FileTooLarge, match="The inflated file has"):
        read_dicom([path])


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("liver.dcm", "holds a segmentation, not an image"),
        ("rtdose.dcm", "holds a radiation dose, not an image"),
        ("reportsi.dcm", r"\(Basic Text SR Storage\) holds no image"),
        ("DICOMDIR", "holds a DICOMDIR"),
    ],
)
def test_objects_that_are_no_images(bundled, name, words):
    with pytest.raises(UnreadableFile, match=words):
        read_dicom([bundled(name)])


def test_errors_and_notes_hold_no_patient_data(dataset, save):
    made = dataset(FRAMES[0])
    made.WindowCenter = made.WindowWidth = 5
    path = save(made)
    whole = path.read_bytes()
    for broken in (whole[:-10], whole.replace(b"CS\x0c\x00MONOCHROME2", b"CS\x0c\x00SECRET^SECR")):
        path.write_bytes(broken)
        with pytest.raises(UnreadableFile) as caught:
            read_dicom([path])
        assert "SECRET" not in str(caught.value).upper()
        assert caught.value.__cause__ is None
        assert caught.value.__suppress_context__
    center = whole.index(b"\x28\x00\x50\x10DS") + 8
    path.write_bytes(whole[:center] + b"?S" + whole[center + 2 :])
    image = read_one(path)
    assert image.windows == ()
    assert any("Window Center (0028,1050)" in note for note in image.notes)
    assert "secret" not in " ".join(image.notes).lower()
    assert "SECRET" not in repr(image.source)


def test_rule_breaking_values_are_a_note(dataset, save):
    path = save(dataset(FRAMES[0], SeriesDescription="x"))
    path.write_bytes(path.read_bytes().replace(b"UI\x06\x001.2.3\0", b"UI\x06\x001.2.a\0"))
    notes = read_one(path).notes
    assert any("breaks DICOM's rules" in note for note in notes)


# A series of files


def write_series(make, zs, names=None, **elements):
    return [
        make(
            FRAMES[k % 4] + k,
            name=(names or [f"s{k}.dcm" for k in range(len(zs))])[k],
            ImagePositionPatient=[0, 0, z],
            **elements,
        )
        for k, z in enumerate(zs)
    ]


def test_a_series_is_sorted_by_position_not_by_name(make):
    zs = [30, 10, 20, 0]
    image = read_one(*write_series(make, zs))
    assert image.values.shape == (4, 3, 2)
    for place, k in enumerate(np.argsort(zs)):
        assert np.array_equal(image.values[place], FRAMES[k] + k)
    assert image.spacing == (10, 1, 1)
    assert len(set(image.source.sop_instance_uids)) == 4
    assert image.source.frame_number is None
    assert image.notes == ()


def test_gaps_are_reported_and_no_coordinates_are_invented(make):
    image = read_one(*write_series(make, [0, 5, 10, 25, 30]))
    assert image.spacing == (5, 1, 1)
    assert image.pixel_to_patient is None
    assert any(
        "about 2 slice(s) are missing between slices 3 and 4 (15 mm apart instead of 5 mm)" in note
        for note in image.notes
    )
    assert any("no patient coordinates" in note for note in image.notes)


def test_slightly_uneven_slices_keep_their_coordinates(make):
    image = read_one(*write_series(make, [0, 5, 11.5, 15]))
    assert image.pixel_to_patient is not None
    assert any("places are off by up to 0.30 voxel" in note for note in image.notes)


def test_the_same_instance_twice_is_used_once(make, tmp_path):
    paths = write_series(make, [0, 5, 10])
    copy_of = tmp_path / "copy.dcm"
    copy_of.write_bytes(paths[1].read_bytes())
    image = read_one(*paths, copy_of)
    assert image.space[0] == 3
    assert any(
        "1 file(s) with a SOP Instance UID that was there are left out" in note for note in image.notes
    )


def test_two_slices_at_one_position_are_used_once(make):
    image = read_one(*write_series(make, [0, 5, 10, 5]))
    assert image.space[0] == 3
    assert np.array_equal(image.values[1], FRAMES[1] + 1)
    assert any("1 slice(s) at a position that another slice already has" in note for note in image.notes)


def test_phases_of_a_series_are_not_mixed(make):
    image = read_one(*write_series(make, [0, 5, 10, 0, 5, 10]))
    assert image.space[0] == 3
    assert np.array_equal(image.values[2], FRAMES[2] + 2)
    assert any("2 images at every position" in note for note in image.notes)


def test_a_series_at_one_position_is_single_images(make):
    images = read_dicom(write_series(make, [5, 5, 5]))
    assert [image.space for image in images] == [(3, 2)] * 3


def test_slopes_that_differ_give_modality_values(make):
    paths = [
        make(
            FRAMES[k],
            f"{k}.dcm",
            Modality="PT",
            ImagePositionPatient=[0, 0, k],
            RescaleSlope=k + 1,
            RescaleIntercept=0,
            PixelPaddingValue=20,
        )
        for k in range(4)
    ]
    image = read_one(*paths)
    assert image.values.dtype == np.float32
    assert (image.slope, image.intercept) == (1, 0)
    low, high = image.padding
    padded = (image.values >= low) & (image.values <= high)
    assert np.array_equal(padded, FRAMES == 20)
    expected = FRAMES * np.arange(1, 5)[:, None, None]
    assert np.array_equal(image.values[~padded], expected[~padded])
    assert any("no single rescale" in note for note in image.notes)


def test_windows_of_the_middle_slice(make):
    paths = [
        make(FRAMES[k], f"{k}.dcm", ImagePositionPatient=[0, 0, k], WindowCenter=k, WindowWidth=100)
        for k in range(3)
    ]
    image = read_one(*paths)
    assert image.windows == (Window(1, 100),)
    assert any("different windows" in note for note in image.notes)


def test_a_series_beyond_the_bound_is_refused_before_it_is_decoded(make, bounds):
    paths = write_series(make, [0, 5, 10])
    bounds(max_pixels=17)
    with pytest.raises(FileTooLarge, match="declares 18 values; at most 17"):
        read_dicom(paths)


def test_a_damaged_slice_is_named(make):
    paths = write_series(make, [0, 5, 10])
    paths[1].write_bytes(paths[1].read_bytes()[:-4])
    with pytest.raises(UnreadableFile, match=r"^s1.dcm: .*The pixel data has 8 bytes"):
        read_dicom(paths)


def test_slices_of_different_spacing_are_no_volume(make):
    paths = [
        *write_series(make, [0, 5]),
        make(FRAMES[0], ImagePositionPatient=[0, 0, 9], PixelSpacing=[2, 2]),
    ]
    with pytest.raises(MissingGeometry, match=r"^s0.dcm and 2 more: The slices have different Pixel Spacing"):
        read_dicom(paths)


def test_series_of_groups_slices_and_leaves_the_others_alone(make, tmp_path):
    axial = write_series(make, [0, 5])
    scout = make(FRAMES[0], "scout.dcm", ImageOrientationPatient=[1, 0, 0, 0, 0, -1])
    other = make(FRAMES[0], "other.dcm", SeriesInstanceUID="9.9")
    film = make(FRAMES[0], "film.dcm", Modality="DX")
    larger = make(np.zeros((7, 7), "u2"), "larger.dcm")
    nowhere = make(FRAMES[0], "nowhere.dcm", ImagePositionPatient=None)
    broken = tmp_path / "broken.dcm"
    broken.write_bytes(axial[0].read_bytes()[:140])
    paths = [film, axial[0], scout, other, broken, axial[1], larger, nowhere]
    assert series_of(paths) == [
        (film,),
        (axial[0], axial[1]),
        (scout,),
        (other,),
        (broken,),
        (larger,),
        (nowhere,),
    ]


def test_read_dicom_takes_several_series_at_once(make):
    paths = write_series(make, [0, 5])
    film = make(FRAMES[0], "film.dcm", Modality="CR")
    assert [image.space for image in read_dicom([*paths, film])] == [(2, 3, 2), (3, 2)]


# Multi-frame files


def functional_groups(z, slope=1, center=None, orientation=None):
    item, position, transform = Dataset(), Dataset(), Dataset()
    position.ImagePositionPatient = [0, 0, z]
    transform.RescaleSlope, transform.RescaleIntercept, transform.RescaleType = slope, -slope, "US"
    item.PlanePositionSequence = [position]
    item.PixelValueTransformationSequence = [transform]
    if center is not None:
        voi = Dataset()
        voi.WindowCenter, voi.WindowWidth = center, 50
        item.FrameVOILUTSequence = [voi]
    if orientation is not None:
        plane = Dataset()
        plane.ImageOrientationPatient = orientation
        item.PlaneOrientationSequence = [plane]
    return item


@pytest.fixture
def enhanced(dataset, save):
    """Write an enhanced MR image: one item of functional groups a frame."""

    def one(per_frame, frames=FRAMES, **elements):
        made = dataset(
            frames,
            Modality="MR",
            SOPClassUID="1.2.840.10008.5.1.4.1.1.4.1",
            NumberOfFrames=len(frames),
            PixelSpacing=None,
            ImagePositionPatient=None,
            ImageOrientationPatient=None,
            RescaleSlope=None,
            RescaleIntercept=None,
        )
        measures, plane, shared = Dataset(), Dataset(), Dataset()
        measures.PixelSpacing, measures.SliceThickness = [0.5, 0.25], 4
        plane.ImageOrientationPatient = [0, 1, 0, 0, 0, 1]
        shared.PixelMeasuresSequence = [measures]
        shared.PlaneOrientationSequence = [plane]
        made.SharedFunctionalGroupsSequence = [shared]
        made.PerFrameFunctionalGroupsSequence = per_frame
        for keyword, value in elements.items():
            setattr(made, keyword, value)
        return save(made)

    return one


def along_x(x, **more):
    item = functional_groups(0, **more)
    item.PlanePositionSequence[0].ImagePositionPatient = [x, 0, 0]
    return item


def test_enhanced_frames_become_one_sorted_volume(enhanced):
    image = read_one(enhanced([along_x(x, center=x) for x in (6, 0, 4, 2)]))
    assert np.array_equal(image.values, FRAMES[[1, 3, 2, 0]])
    assert image.values.dtype == np.uint16
    assert image.spacing == (2, 0.5, 0.25)
    assert (image.slope, image.intercept, image.unit) == (1, -1, "")
    assert image.windows == (Window(4, 50),)
    assert len(image.source.sop_instance_uids) == 1
    assert image.pixel_to_patient @ [2, 3, 1, 1] == pytest.approx([4, 0.25, 1.5, 1])


def test_enhanced_frames_with_slopes_of_their_own(enhanced):
    image = read_one(enhanced([along_x(x, slope=x + 1) for x in (0, 1, 2, 3)]))
    expected = [(x + 1) * FRAMES[x].astype(float) - (x + 1) for x in range(4)]
    assert image.values.dtype == np.float32
    assert np.array_equal(image.values, expected)
    assert (image.slope, image.intercept) == (1, 0)


def test_enhanced_frames_at_one_position_are_a_cine(enhanced):
    images = read_dicom([enhanced([along_x(3, slope=k + 1) for k in range(4)])])
    assert [image.source.frame_number for image in images] == [1, 2, 3, 4]
    assert [image.slope for image in images] == [1, 2, 3, 4]
    assert all(image.pixel_to_patient @ [0, 0, 0, 1] == pytest.approx([3, 0, 0, 1]) for image in images)


def test_enhanced_frames_of_several_orientations_stay_single(enhanced):
    groups = [along_x(k, orientation=[1, 0, 0, 0, 1, 0] if k > 1 else None) for k in range(4)]
    images = read_dicom([enhanced(groups)])
    assert [image.space for image in images] == [(3, 2)] * 4
    assert "each frame is an image of its own" in " ".join(images[0].notes)


def test_fewer_functional_groups_than_frames(enhanced):
    images = read_dicom([enhanced([along_x(k) for k in range(2)])])
    assert len(images) == 4
    assert [image.pixel_to_patient is None for image in images] == [False, False, True, True]


def test_a_cine_is_one_image_a_frame(bundled):
    images = read_dicom([bundled("examples_ybr_color.dcm")])
    assert len(images) == 30
    assert [image.source.frame_number for image in images] == list(range(1, 31))
    assert all(image.photometric is Photometric.RGB and image.space == (240, 320) for image in images)
    assert len({image.digest for image in images}) > 1


def test_one_position_at_the_root_is_not_that_of_many_frames(make):
    images = read_dicom([make(FRAMES, NumberOfFrames=4, Modality="NM")])
    assert [image.pixel_to_patient for image in images] == [None] * 4


def test_a_real_enhanced_ct(bundled):
    image = read_one(bundled("eCT_Supplemental.dcm"))
    dataset = dcmread(bundled("eCT_Supplemental.dcm"))
    assert image.spacing == pytest.approx((10, 0.388672, 0.388672))
    normal = np.cross([-1, 0, 0], [0, 1, 0])
    groups = dataset.PerFrameFunctionalGroupsSequence
    positions = [[float(v) for v in g.PlanePositionSequence[0].ImagePositionPatient] for g in groups]
    order = np.argsort(np.array(positions) @ normal)
    assert np.array_equal(image.values, dataset.pixel_array[order])
    assert image.pixel_to_patient @ [1, 0, 0, 1] == pytest.approx([*positions[order[1]], 1])


def test_reading_leaves_the_data_set_alone(make):
    path = make(FRAMES[0])
    before = path.read_bytes()
    read_dicom([path])
    assert path.read_bytes() == before


def test_slices_that_lost_their_positions(make, monkeypatch):
    paths = write_series(make, [0, 5])
    monkeypatch.setattr("camlucida.dicom.read.series_of", lambda given: [tuple(given)])
    nowhere = make(FRAMES[0], "nowhere.dcm", ImagePositionPatient=None)
    with pytest.raises(MissingGeometry, match=r"^nowhere.dcm: "):
        read_dicom([*paths, nowhere])
