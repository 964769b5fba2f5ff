"""Parametric maps: bit for bit, valid, the same whenever written, with unit, quantity and finding coded."""

import json
import subprocess
from dataclasses import replace

import highdicom as hd
import numpy as np
import pytest
from pydicom import dcmread

from camlucida.dicom.read import read_dicom
from camlucida.dicom.writing import parametric_map
from camlucida.dicom.writing.material import to_bytes
from camlucida.dicom.writing.parametric_map import short_labels
from camlucida.errors import UnreadableFile
from camlucida.rendering.upsample import to_pixel_grid
from dicom.validation import errors_beyond, inconsistencies


def mapping(dataset, frame):
    return dataset.PerFrameFunctionalGroupsSequence[frame].RealWorldValueMappingSequence[0]


def test_it_is_valid_and_consistent_with_its_source(case, saved):
    paths = saved(parametric_map.write(case.material))
    assert errors_beyond(paths[0], case.paths) == []
    assert inconsistencies(paths, case.paths) == []


def test_it_is_the_same_whenever_it_is_written(case):
    once, again = (to_bytes(parametric_map.write(case.material)[0]) for _ in range(2))
    assert once == again


def test_values_come_back_bit_for_bit(case, saved):
    expected = case.material.explanation.saliency_map.values
    (path,) = saved(parametric_map.write(case.material))
    read = hd.imread(path)
    frames = np.frombuffer(read.FloatPixelData, "<f4")
    assert frames.tobytes() == expected.tobytes()
    rows = read.get_frames(apply_real_world_transform=True, dtype=np.float64)
    assert np.array_equal(rows.astype(np.float32), expected.reshape(rows.shape))


def test_dcmtk_sees_floats_of_the_native_grid_and_no_integers(case, saved):
    (path,) = saved(parametric_map.write(case.material))
    done = subprocess.run(["dcm2json", path], check=True, capture_output=True, timeout=60)  # noqa: S603, S607
    elements = json.loads(done.stdout)
    native = case.geometry.native_shape
    assert "7FE00008" in elements
    assert "7FE00010" not in elements
    assert elements["00280100"]["Value"] == [32]
    assert [elements[tag]["Value"][0] for tag in ("00280010", "00280011")] == list(native[-2:])
    assert int(elements["00280008"]["Value"][0]) == 3 * int(np.prod(native[:-2]))


def test_each_frame_says_its_unit_its_quantity_and_its_finding(cases):
    (dataset,) = parametric_map.write(cases("radiograph").material)
    for frame, finding in enumerate(("60046008", "NODULE", "8186001")):
        item = mapping(dataset, frame)
        unit = item.MeasurementUnitsCodeSequence[0]
        assert (unit.CodeValue, unit.CodingSchemeDesignator) == ("{logit}", "UCUM")
        quantity, found = item.QuantityDefinitionSequence
        assert quantity.ConceptNameCodeSequence[0].CodeValue == "246205007"
        assert quantity.ConceptCodeSequence[0].CodeValue == "130403"  # Grad-CAM
        assert found.ConceptNameCodeSequence[0].CodeValue == "121071"
        assert found.ConceptCodeSequence[0].CodeValue == finding
        assert (item.RealWorldValueSlope, item.RealWorldValueIntercept) == (1, 0)


@pytest.mark.parametrize(
    ("method", "code"), [("score-cam", "130402"), ("layercam", "130403"), ("smoothgrad", "130404")]
)
def test_the_quantity_is_that_of_the_method(cases, method, code):
    material = cases("radiograph").material
    explanation = material.explanation
    renamed = replace(explanation, saliency_map=replace(explanation.saliency_map, method=method))
    (dataset,) = parametric_map.write(replace(material, explanation=renamed))
    quantity = mapping(dataset, 0).QuantityDefinitionSequence[0]
    assert quantity.ConceptCodeSequence[0].CodeValue == code


def test_a_map_without_a_unit_says_so(cases, relative, saved):
    case = relative(cases("radiograph"))
    (dataset,) = parametric_map.write(case.material)
    assert mapping(dataset, 0).MeasurementUnitsCodeSequence[0].CodeValue == "[arb'U]"
    derivation = dataset.SharedFunctionalGroupsSequence[0].DerivationImageSequence[0]
    assert "no unit" in derivation.DerivationDescription
    assert errors_beyond(saved([dataset])[0], case.paths) == []


def test_what_the_source_does_not_give_is_said(cases):
    def said(name):
        (dataset,) = parametric_map.write(cases(name).material)
        return dataset.SharedFunctionalGroupsSequence[0].DerivationImageSequence[0].DerivationDescription

    assert "1 mm a pixel is an assumption" in said("RG1")
    assert "no position in the patient" in said("RG1")
    assert "assumption" not in said("radiograph")
    assert "no position in the patient" in said("radiograph")
    assert "no position" not in said("oblique CT")


def test_a_film_has_a_frame_of_reference_of_its_own_and_a_ct_that_of_its_series(cases):
    film, ct = (parametric_map.write(cases(name).material)[0] for name in ("RG1", "oblique CT"))
    assert film.FrameOfReferenceUID.startswith("2.25.")
    shared = film.SharedFunctionalGroupsSequence[0]
    assert shared.PlaneOrientationSequence[0].ImageOrientationPatient == [1, 0, 0, 0, 1, 0]
    assert shared.PixelMeasuresSequence[0].SliceThickness == 1
    assert "FrameOfReferenceUID" not in cases("RG1").material.first  # the source is left as it was
    assert ct.FrameOfReferenceUID == cases("oblique CT").material.first.FrameOfReferenceUID


def test_findings_can_be_chosen_and_other_findings_are_another_object(cases):
    material = cases("oblique CT").material
    (every,), (one,) = parametric_map.write(material), parametric_map.write(material, [2])
    assert (every.NumberOfFrames, one.NumberOfFrames) == (15, 5)
    assert every.SOPInstanceUID != one.SOPInstanceUID
    assert every.SeriesInstanceUID == one.SeriesInstanceUID
    assert mapping(one, 0).LUTLabel == "Cardiomegaly"
    assert parametric_map.write(material, []) == []


def test_dimensions_tell_all_frames_apart(cases):
    (dataset,) = parametric_map.write(cases("oblique CT").material)
    frames = dataset.PerFrameFunctionalGroupsSequence
    indices = [tuple(frame.FrameContentSequence[0].DimensionIndexValues) for frame in frames]
    assert indices == [(finding, place) for finding in (1, 2, 3) for place in range(1, 6)]


def test_narrow_windows_are_exact(cases):
    (dataset,) = parametric_map.write(cases("radiograph").material)
    window = dataset.PerFrameFunctionalGroupsSequence[0].FrameVOILUTSequence[0]
    assert (window.WindowCenter, window.VOILUTFunction) == (0, "LINEAR_EXACT")
    assert window.WindowWidth == 2  # 5 / sqrt(42 cells), rounded to 1, both ways


def test_on_the_source_grid_it_has_the_rows_columns_and_frames_of_the_volume(cases, saved):
    for name in ("oblique CT", "enhanced"):
        case = cases(name)
        written = parametric_map.write_on_source_grid(case.material)
        assert len(written) == 2  # one a shown finding
        paths = saved(written)
        saliency_map = case.material.explanation.saliency_map
        expected = to_pixel_grid(saliency_map.values[0], saliency_map.geometry)
        read = dcmread(paths[0])
        assert (read.NumberOfFrames, read.Rows, read.Columns) == expected.shape
        assert np.frombuffer(read.FloatPixelData, "<f4").tobytes() == expected.tobytes()
        assert read.FrameOfReferenceUID == case.material.first.FrameOfReferenceUID
        assert "PixelData" not in read
        for path in paths:
            assert errors_beyond(path, case.paths) == []
        assert inconsistencies(paths, case.paths) == []


@pytest.mark.parametrize("name", ["radiograph", "RG1", "photograph", "frame"])
def test_images_have_no_map_on_the_source_grid(cases, name):
    assert parametric_map.write_on_source_grid(cases(name).material) == []


def test_it_is_small(case):
    (dataset,) = parametric_map.write(case.material)
    values = case.material.explanation.saliency_map.values
    frames, sources = int(dataset.NumberOfFrames), len(case.material.sources)
    assert len(to_bytes(dataset)) < values.nbytes + 1200 * frames + 400 * sources + 5000


def test_labels_of_channels_are_short_and_different():
    assert short_labels(["Effusion", "Nodule"]) == ["Effusion", "Nodule"]
    long = short_labels(["Enlarged cardiomediastinum", "Enlarged cardiomegaly?"])
    assert len(set(long)) == 2
    assert max(map(len, long)) <= 16


def test_it_is_not_read_as_an_image_of_the_patient(cases, saved):
    with pytest.raises(UnreadableFile, match="a parametric map"):
        read_dicom(saved(parametric_map.write(cases("radiograph").material)))
