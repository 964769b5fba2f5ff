"""Segmentations and reports as highdicom writes them: other programs' files, not our own."""

from dataclasses import replace

import highdicom as hd
import numpy as np
import pytest
from highdicom import sr
from highdicom.sr.coding import CodedConcept
from pydicom import Dataset, dcmread
from pydicom.sr.codedict import codes

from camlucida.errors import InputError
from camlucida.evaluation.data.annotations import read_annotations
from camlucida.evaluation.data.case import Case
from camlucida.evaluation.data.labels import Vocabulary
from camlucida.examples.phantom.dicom import write_ct, write_radiograph
from camlucida.examples.phantom.radiograph import radiograph
from camlucida.examples.phantom.volume import ct_volume
from camlucida.images.read import read_image
from camlucida.records import AnnotationKind

VOCABULARY = Vocabulary(("Mass", "Effusion"))
ALGORITHM = hd.AlgorithmIdentificationSequence(
    name="by hand", family=codes.cid7162.ArtificialIntelligence, version="1"
)


@pytest.fixture(scope="module")
def film(tmp_path_factory):
    path = tmp_path_factory.mktemp("film") / "film.dcm"
    write_radiograph(radiograph(1, rows=64), path)
    return Case("film.dcm", (path,), {}, "")


@pytest.fixture(scope="module")
def scan(tmp_path_factory):
    files = write_ct(ct_volume(1, slices=5, rows=32), tmp_path_factory.mktemp("scan"))
    return Case("scan", tuple(files), {}, "")


def image_of(case):
    return read_image(case.files[0] if len(case.files) == 1 else case.files[0].parent)


def described(number, label):
    return hd.seg.SegmentDescription(
        segment_number=number,
        segment_label=label,
        segmented_property_category=codes.SCT.MorphologicallyAbnormalStructure,
        segmented_property_type=codes.SCT.Mass,
        algorithm_type="AUTOMATIC",
        algorithm_identification=ALGORITHM,
    )


def made(sources, **more):
    return {
        "source_images": sources,
        "series_instance_uid": hd.UID(),
        "series_number": 9,
        "sop_instance_uid": hd.UID(),
        "instance_number": 1,
        "manufacturer": "nobody",
        "manufacturer_model_name": "none",
        "software_versions": "0",
        "device_serial_number": "0",
        **more,
    }


def write_segmentation(case, masks, labels, path, kind="BINARY", **more):
    sources = [dcmread(file) for file in case.files]
    hd.seg.Segmentation(
        pixel_array=masks,
        segmentation_type=kind,
        segment_descriptions=[described(n, label) for n, label in enumerate(labels, 1)],
        **made(sources, **more),
    ).save_as(path)
    return path


def read(path, *cases, vocabulary=VOCABULARY):
    found, notes = read_annotations([path], cases, vocabulary)
    return [case.marks for case in found], notes


@pytest.mark.parametrize("kind", ["BINARY", "FRACTIONAL"])
def test_segments_of_a_film(film, tmp_path, kind):
    image = image_of(film)
    masks = np.random.default_rng(0).random((1, *image.space, 2)) > 0.7
    path = write_segmentation(
        film,
        masks.astype(np.float32 if kind == "FRACTIONAL" else bool),
        ["effusion", "Mass"],
        tmp_path / "s.dcm",
        kind,
    )
    (marks,), notes = read(path, film)
    assert [mark.finding for mark in marks] == ["Effusion", "Mass"]
    for number, mark in enumerate(marks):
        drawn = mark.on(image)
        assert drawn.kind is AnnotationKind.MASK
        assert np.array_equal(drawn.inside, masks[0, ..., number])
        assert mark.files == (path,)
    assert notes == []


def test_a_segment_of_a_volume_lies_on_its_slices_whatever_their_order(scan, tmp_path):
    image = image_of(scan)
    order = [image.source.sop_instance_uids.index(dcmread(file).SOPInstanceUID) for file in scan.files]
    mask = np.zeros((5, 32, 32), bool)
    mask[order[1], 4:9, 5:11], mask[order[3], 20:24, 1:3] = True, True
    in_file_order = np.stack([mask[place] for place in order])
    path = write_segmentation(scan, in_file_order, ["Mass"], tmp_path / "s.dcm")
    (marks,), _ = read(path, scan)
    assert np.array_equal(marks[0].on(image).inside, mask)
    without_place = replace(image, pixel_to_patient=None)
    with pytest.raises(InputError, match="no frame of the segment lies on the image"):
        marks[0].on(replace(without_place, source=replace(image.source, sop_instance_uids=())))


def test_a_label_map_is_read_by_its_values(film, tmp_path):
    image = image_of(film)
    values = np.random.default_rng(0).integers(0, 3, (1, *image.space)).astype(np.uint8)
    path = write_segmentation(film, values, ["Effusion", "Mass"], tmp_path / "s.dcm", "LABELMAP")
    (marks,), _ = read(path, film)
    for number, mark in enumerate(marks, 1):
        assert np.array_equal(mark.on(image).inside, values[0] == number)


def test_segments_of_other_images_and_of_no_finding_are_told(film, scan, tmp_path):
    mask = np.ones((1, *image_of(film).space), bool)
    path = write_segmentation(film, mask, ["Liver"], tmp_path / "s.dcm")
    _, notes = read(path, film, vocabulary=Vocabulary(("Effusion",)))
    assert any("no finding of the model (“Liver”): s.dcm" in note for note in notes)
    (marks,), notes = read(path, scan)
    assert marks == ()
    assert any("images that are not in the data" in note for note in notes)


def write_report(case, regions, path, finding=("Mass", codes.SCT.Mass)):
    """TID 1500 with one measurement group for each region."""
    sources = [dcmread(file) for file in case.files]
    observer = sr.ObserverContext(
        codes.DCM.Device, sr.DeviceObserverIdentifyingAttributes(uid=hd.UID(), name="nobody")
    )
    groups = [
        (
            sr.PlanarROIMeasurementsAndQualitativeEvaluations(
                tracking_identifier=sr.TrackingIdentifier(uid=hd.UID(), identifier=f"{number}"),
                referenced_region=region,
                finding_type=CodedConcept(finding[1].value, finding[1].scheme_designator, finding[0]),
            )
        )
        for number, region in enumerate(regions)
    ]
    report = sr.MeasurementReport(
        observation_context=sr.ObservationContext(observer_device_context=observer),
        procedure_reported=codes.SCT.ImagingProcedure,
        imaging_measurements=groups,
    )
    common = made(sources)
    common["evidence"] = common.pop("source_images")
    for name in ("manufacturer_model_name", "software_versions", "device_serial_number"):
        common.pop(name)
    kind = sr.Comprehensive3DSR
    kind(content=report, is_complete=True, **common).save_as(path)
    return path


def region(case, kind, points, file=0):
    source = dcmread(case.files[file])
    return sr.ImageRegion(
        kind, np.array(points, float), sr.SourceImageForRegion(source.SOPClassUID, source.SOPInstanceUID)
    )


def test_regions_of_a_film(film, tmp_path):
    kinds = sr.GraphicTypeValues
    square = [[10, 20], [30, 20], [30, 40], [10, 40], [10, 20]]
    path = write_report(
        film,
        [
            region(film, kinds.POLYLINE, square),
            region(film, kinds.POLYLINE, [[10, 20], [30, 20], [10, 40], [10, 20]]),
            region(film, kinds.CIRCLE, [[30, 30], [30, 20]]),
            region(film, kinds.ELLIPSE, [[10, 30], [50, 30], [30, 25], [30, 35]]),
            region(film, kinds.POINT, [[7.2, 9.9]]),
            region(film, kinds.POLYLINE, [[1, 1], [5, 5]]),
        ],
        tmp_path / "sr.dcm",
    )
    (marks,), notes = read(path, film)
    box, triangle, circle, ellipse, point = (mark.on(image_of(film)) for mark in marks)
    assert (box.kind, box.inside.sum()) == (AnnotationKind.BOX, 400)
    assert np.argwhere(box.inside).min(axis=0).tolist() == [20, 10]
    assert triangle.inside.sum() == pytest.approx(200, abs=15)
    assert circle.inside.sum() == pytest.approx(np.pi * 100, rel=0.03)
    assert ellipse.inside.sum() == pytest.approx(np.pi * 20 * 5, rel=0.03)
    assert np.argwhere(ellipse.inside).mean(axis=0) == pytest.approx([29.5, 29.5], abs=0.1)
    assert np.argwhere(point.inside).tolist() == [[9, 7]]
    assert any("does not end where it began: nothing lies inside: sr.dcm" in note for note in notes)
    assert "Patient" not in "".join(notes)


def test_regions_of_a_slice_and_in_the_patients_space(scan, tmp_path):
    image = image_of(scan)
    uid = dcmread(scan.files[3]).SOPInstanceUID
    slice_index = image.source.sop_instance_uids.index(uid)
    corners = [[4, 6], [12, 6], [12, 9], [4, 9], [4, 6]]  # column, row
    solid = [image.pixel_to_patient @ [slice_index, row - 0.5, column - 0.5, 1] for column, row in corners]
    in_space = sr.ImageRegion3D(
        sr.GraphicTypeValues3D.POLYGON, np.array(solid)[:, :3], dcmread(scan.files[0]).FrameOfReferenceUID
    )
    path = write_report(
        scan, [region(scan, sr.GraphicTypeValues.POLYLINE, corners, 3), in_space], tmp_path / "sr.dcm"
    )
    (marks,), _ = read(path, scan)
    expected = np.zeros(image.space, bool)
    expected[slice_index, 6:9, 4:12] = True
    for mark in marks:
        assert np.array_equal(mark.on(image).inside, expected)
    assert len(marks) == 2
    with pytest.raises(InputError, match="no place in the patient"):
        marks[1].on(replace(image, pixel_to_patient=None))


def test_damaged_files_are_told_and_the_others_of_their_folder_read(film, tmp_path):
    mask = np.ones((1, *image_of(film).space), bool)
    whole = write_segmentation(film, mask, ["Mass"], tmp_path / "b.dcm").read_bytes()
    (tmp_path / "a.dcm").write_bytes(whole[:2000])
    (tmp_path / "c.dcm").write_bytes(whole[:132] + b"\xff" * 500)
    (marks,), notes = read(tmp_path, film)
    assert len(marks) == 1
    assert marks[0].on(image_of(film)).inside.all()
    assert all(any(name in note for note in notes) for name in ("a.dcm", "c.dcm"))


def test_a_segmentation_that_is_cut_off_is_refused_when_it_is_drawn(film, tmp_path):
    mask = np.ones((1, *image_of(film).space), bool)
    path = write_segmentation(film, mask, ["Mass"], tmp_path / "s.dcm")
    (marks,), _ = read(path, film)
    path.write_bytes(path.read_bytes()[:-50])
    with pytest.raises(InputError, match=r"s\.dcm"):
        marks[0].on(image_of(film))


def test_a_tree_of_any_depth_is_read_to_a_bounded_one(film, tmp_path):
    path = write_report(film, [region(film, sr.GraphicTypeValues.POINT, [[1, 1]])], tmp_path / "sr.dcm")
    dataset = dcmread(path)
    for _ in range(60):
        container = Dataset()
        container.ValueType, container.RelationshipType = "CONTAINER", "CONTAINS"
        container.ContentSequence = dataset.ContentSequence
        dataset.ContentSequence = [container]
    dataset.save_as(path)
    (marks,), _ = read(path, film)
    assert marks == ()
