"""Presentation states: contours where the evidence is, and the image's grey as it was, drawn by dcmtk."""

import subprocess
from dataclasses import replace
from io import BytesIO

import numpy as np
import PIL.Image
import PIL.ImageCms
import PIL.ImageDraw
import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset

from camlucida.dicom.read import read_dicom
from camlucida.dicom.writing import presentation_state
from camlucida.dicom.writing.material import Material, to_bytes
from camlucida.dicom.writing.presentation_state import layer_names
from camlucida.records import Geometry
from camlucida.records.geometry import resizing
from camlucida.rendering.upsample import to_pixel_grid
from camlucida.rendering.window import display
from dicom.validation import errors_beyond, inconsistencies

KNOWN_OF_DCMPSCHK = "ContributionDateTime"  # dcmpschk 3.6.7 knows no DT with an offset from UTC (PS3.5 6.2)


def half_maximum(material, finding):
    saliency_map = material.explanation.saliency_map
    evidence = to_pixel_grid(saliency_map.values[finding], saliency_map.geometry)
    mask = evidence >= evidence.max() / 2
    return mask.reshape(-1, *mask.shape[-2:])


def filled(annotation, shape):
    """The pixels whose centres the lines enclose, and those on the lines."""
    picture = PIL.Image.new("1", shape[::-1])
    draw = PIL.ImageDraw.Draw(picture)
    for graphic in annotation.GraphicObjectSequence:
        points = np.array(graphic.GraphicData).reshape(-1, 2) - 0.5
        draw.polygon([tuple(point) for point in points], fill=1)
    return np.asarray(picture)


def read_anew(case, paths):
    """The material of changed files, with a map of the same values over it."""
    (image,) = read_dicom(paths)
    headers = {str(found.SOPInstanceUID): found for found in (dcmread(path) for path in paths)}
    explanation = case.material.explanation
    native = explanation.saliency_map.geometry.native_shape
    geometry = Geometry(
        native, image.space, resizing(image.space, native), image.spacing, image.pixel_to_patient
    )
    explanation = replace(explanation, saliency_map=replace(explanation.saliency_map, geometry=geometry))
    return Material(explanation, image, tuple(headers[uid] for uid in image.source.sop_instance_uids))


def changed(case, folder, change):
    """The case's files with a change made to each: `change(dataset, index)`."""
    paths = []
    for index, path in enumerate(sorted(case.paths)):
        data = dcmread(path)
        change(data, index)
        paths.append(folder / path.name)
        data.save_as(paths[-1], enforce_file_format=True)
    return read_anew(case, paths), paths


def grey_by_dcmtk(state, image, folder, frame=1):
    """What dcmtk's viewer library makes of an image under a presentation state."""
    drawn = folder / "drawn.pgm"
    command = ["dcmp2pgm", "--pstate", state, "--frame", str(frame), image, drawn]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)  # noqa: S603
    assert done.returncode == 0, done.stderr
    return np.asarray(PIL.Image.open(drawn)).astype(int)


def assert_grey_is_kept(material, paths, folder, saved):
    (state,) = saved(presentation_state.write(material))
    image = material.image
    for path in paths[:: max(1, len(paths) // 3)]:
        values = image.values
        if values.ndim == 3:
            values = values[image.source.sop_instance_uids.index(str(dcmread(path).SOPInstanceUID))]
        drawn = grey_by_dcmtk(state, path, folder)
        assert np.abs(drawn - display(values, image).astype(int)).max() <= 1
        assert drawn.std() > 1


def test_it_is_valid_and_consistent_with_its_source(case, saved):
    paths = saved(presentation_state.write(case.material))
    assert errors_beyond(paths[0], case.paths) == []
    assert inconsistencies(paths, case.paths) == []


def test_dcmtk_finds_nothing_wrong(case, saved):
    (path,) = saved(presentation_state.write(case.material))
    done = subprocess.run(["dcmpschk", path], capture_output=True, text=True, check=False, timeout=60)  # noqa: S603, S607
    affected = [line for line in (done.stdout + done.stderr).splitlines() if "Affected attribute" in line]
    assert [line for line in affected if KNOWN_OF_DCMPSCHK not in line] == []


def test_it_is_the_same_whenever_it_is_written(case):
    once, again = (to_bytes(presentation_state.write(case.material)[0]) for _ in range(2))
    assert once == again


def test_contours_go_around_the_pixels_that_reach_half_of_the_maximum(case):
    (state,) = presentation_state.write(case.material)
    expected = half_maximum(case.material, 0)
    found = state.GraphicAnnotationSequence
    assert len(found) == expected.any(axis=(1, 2)).sum()  # every slice that it reaches
    for annotation, mask in zip(found, expected[expected.any(axis=(1, 2))], strict=True):
        drawn = filled(annotation, mask.shape)
        perimeter = 4 * np.sqrt(mask.sum()) + 4
        assert (drawn != mask).sum() <= perimeter  # at most the pixels on the line itself
        assert (drawn & mask).sum() > 0


def test_pixel_units_begin_at_the_corner_of_the_first_pixel(cases):
    """PS3.3 C.10.5: the centre of the first pixel is 0.5\\0.5; columns come before rows."""
    case = cases("radiograph")
    (state,) = presentation_state.write(case.material)
    (annotation,) = state.GraphicAnnotationSequence
    (graphic,) = annotation.GraphicObjectSequence
    points = np.array(graphic.GraphicData).reshape(-1, 2)
    row, column = case.geometry.cell_to_pixel([case.hot])[0]
    centre = (points.min(axis=0) + points.max(axis=0)) / 2
    assert centre == pytest.approx([column + 0.5, row + 0.5], abs=0.3)
    assert graphic.GraphicAnnotationUnits == "PIXEL"
    assert graphic.NumberOfGraphicPoints == len(points)
    assert points[0].tolist() == points[-1].tolist()


def test_contours_stay_within_the_image(cases):
    case = cases("radiograph")
    saliency_map = replace(case.material.explanation.saliency_map, values=np.ones((3, 7, 6), np.float32))
    explanation = replace(case.material.explanation, saliency_map=saliency_map)
    (state,) = presentation_state.write(replace(case.material, explanation=explanation), [0])
    points = np.array(state.GraphicAnnotationSequence[0].GraphicObjectSequence[0].GraphicData).reshape(-1, 2)
    rows, columns = case.material.image.space
    assert (points.min(axis=0).tolist(), points.max(axis=0).tolist()) == ([0, 0], [columns, rows])


def test_words_say_finding_probability_and_that_it_is_no_anatomy(cases):
    (state,) = presentation_state.write(cases("RG1").material)
    (annotation,) = state.GraphicAnnotationSequence
    (words,) = annotation.TextObjectSequence
    assert words.UnformattedTextValue.splitlines() == [
        f"Effusion: probability {cases('RG1').material.explanation.prediction.probabilities[0]:.2f}",
        "Model's evidence, not anatomy",
    ]
    assert annotation.GraphicLayer == state.GraphicLayerSequence[0].GraphicLayer == "1 EFFUSION"
    assert (
        state.GraphicLayerSequence[0].GraphicLayerDescription
        == "Effusion: evidence from 0.998 logits per cell"
    )
    points = annotation.GraphicObjectSequence[0].GraphicData
    assert list(words.AnchorPoint) in np.array(points).reshape(-1, 2).tolist()


def test_layers_have_names_that_are_code_strings_and_different():
    names = layer_names(
        ["Effusion", "Enlarged cardiomediastinum", "Enlarged cardiomegaly", "Pleuraerguss, äußerst"]
    )
    assert names == ["1 EFFUSION", "2 ENLARGED CARDI", "3 ENLARGED CARDI", "4 PLEURAERGUSS U"]


@pytest.mark.parametrize("name", ["radiograph", "RG1", "oblique CT"])
def test_dcmtk_shows_the_image_in_the_grey_it_has_without_the_state(cases, saved, tmp_path, name):
    """RG1 is MONOCHROME1: its lowest values are white, also under the state."""
    case = cases(name)
    assert_grey_is_kept(case.material, case.paths, tmp_path, saved)


def test_frames_of_a_volume_keep_their_grey(cases, saved, tmp_path):
    case = cases("enhanced")
    (state,) = saved(presentation_state.write(case.material))
    image = case.material.image
    drawn = [grey_by_dcmtk(state, case.paths[0], tmp_path, frame) for frame in (1, 2)]
    shown = [display(values, image).astype(int) for values in image.values]
    differences = [[np.abs(one - other).max() for other in shown] for one in drawn]
    assert max(min(row) for row in differences) <= 1


def test_slices_with_rescales_of_their_own_keep_their_grey(cases, saved, tmp_path):
    """As in PET: no one modality LUT says it, so each slice has its window in stored values."""

    def rescale(data: Dataset, index: int) -> None:
        data.RescaleSlope = 1 + index / 20

    material, paths = changed(cases("oblique CT"), tmp_path, rescale)
    (state,) = presentation_state.write(material)
    assert "RescaleSlope" not in state
    assert len(state.SoftcopyVOILUTSequence) == len(paths)
    assert_grey_is_kept(material, paths, tmp_path, saved)
    (path,) = saved([state])
    assert errors_beyond(path, paths) == []


def test_tables_of_the_image_are_kept(cases, saved, tmp_path):
    """A modality LUT and a VOI LUT instead of a rescale and a window."""

    def tabulate(data: Dataset, _: int) -> None:
        for keyword in ("RescaleSlope", "RescaleIntercept", "RescaleType", "WindowCenter", "WindowWidth"):
            delattr(data, keyword)
        data.ModalityLUTSequence = [table(np.linspace(0, 1000, 4096) ** 1.1, "OD")]
        data.VOILUTSequence = [table(np.linspace(0, 65535, 2048), None)]

    material, paths = changed(cases("radiograph"), tmp_path, tabulate)
    (state,) = presentation_state.write(material)
    assert "RescaleSlope" not in state
    assert_grey_is_kept(material, paths, tmp_path, saved)
    (path,) = saved([state])
    assert errors_beyond(path, paths) == []


def table(entries: np.ndarray, kind: str | None) -> Dataset:
    item = Dataset()
    item.add_new("LUTDescriptor", "US", [len(entries), 0, 16])
    item.add_new("LUTData", "OW", entries.astype("<u2").tobytes())
    if kind:
        item.ModalityLUTType = kind
    return item


def test_pixels_keep_their_proportions(cases):
    (film,) = presentation_state.write(cases("radiograph").material)[0].DisplayedAreaSelectionSequence
    (rg1,) = presentation_state.write(cases("RG1").material)[0].DisplayedAreaSelectionSequence
    assert film.PresentationPixelSpacing == pytest.approx(cases("radiograph").material.image.spacing)
    assert "PresentationPixelSpacing" not in rg1
    assert rg1.PresentationPixelAspectRatio == [1, 1]
    assert rg1.DisplayedAreaTopLeftHandCorner == [1, 1]
    assert rg1.DisplayedAreaBottomRightHandCorner == [1841, 1955]


def test_a_photograph_has_a_colour_state_with_a_profile(cases):
    (state,) = presentation_state.write(cases("photograph").material)
    assert state.SOPClassUID.name == "Color Softcopy Presentation State Storage"
    assert "SoftcopyVOILUTSequence" not in state
    profile = PIL.ImageCms.ImageCmsProfile(BytesIO(state.ICCProfile)).profile
    assert (profile.device_class, profile.xcolor_space.strip()) == ("scnr", "RGB")


def test_all_images_of_the_series_are_under_the_state_and_annotations_name_their_slice(cases):
    case = cases("oblique CT")
    (state,) = presentation_state.write(case.material)
    (series,) = state.ReferencedSeriesSequence
    known = [item.ReferencedSOPInstanceUID for item in series.ReferencedImageSequence]
    assert known == list(case.material.image.source.sop_instance_uids)
    reached = half_maximum(case.material, 0).any(axis=(1, 2))
    named = [
        one.ReferencedImageSequence[0].ReferencedSOPInstanceUID for one in state.GraphicAnnotationSequence
    ]
    assert named == [uid for uid, one in zip(known, reached, strict=True) if one]
    (frame,) = presentation_state.write(cases("frame").material)
    assert frame.ReferencedSeriesSequence[0].ReferencedImageSequence[0].ReferencedFrameNumber == 3


def test_no_evidence_no_object(cases):
    assert presentation_state.write(cases("radiograph").material, [1]) == []
    assert presentation_state.write(cases("radiograph").material, []) == []


def test_it_is_small_even_of_noise(cases):
    case = cases("radiograph")
    explanation = case.material.explanation
    native = case.material.image.space
    noise = np.random.default_rng(0).normal(size=(3, *native)).astype(np.float32)
    geometry = replace(explanation.saliency_map.geometry, native_shape=native, native_to_pixel=np.eye(3))
    saliency_map = replace(explanation.saliency_map, values=noise, geometry=geometry)
    material = replace(case.material, explanation=replace(explanation, saliency_map=saliency_map))
    (state,) = presentation_state.write(material)
    assert len(to_bytes(state)) < 200_000


def test_pixels_that_are_not_square_and_have_no_size_keep_their_proportions(cases, tmp_path):
    def change(data: Dataset, _: int) -> None:
        del data.PixelSpacing
        del data.ImagerPixelSpacing
        data.PixelAspectRatio = ["3", "2"]

    material, _ = changed(cases("radiograph"), tmp_path, change)
    (area,) = presentation_state.write(material)[0].DisplayedAreaSelectionSequence
    assert area.PresentationPixelAspectRatio == [3, 2]


def test_states_of_findings_whose_names_begin_alike_are_different_objects(cases):
    material = cases("radiograph").material
    explanation = material.explanation
    names = ("Enlarged cardiomediastinum", "Nodule", "Enlarged cardiomegaly")
    findings = tuple(
        replace(one, name=name) for one, name in zip(explanation.prediction.findings, names, strict=True)
    )
    renamed = replace(
        explanation,
        prediction=replace(explanation.prediction, findings=findings),
        saliency_map=replace(explanation.saliency_map, findings=names),
    )
    (one,), (other,) = (
        presentation_state.write(replace(material, explanation=renamed), [finding]) for finding in (0, 2)
    )
    assert one.GraphicLayerSequence[0].GraphicLayer == other.GraphicLayerSequence[0].GraphicLayer
    assert one.SOPInstanceUID != other.SOPInstanceUID
