"""The shipped models: honest cards, maps that add up, and figures that hold on phantoms nobody trained on."""

import io
import zipfile

import numpy as np
import pytest
import torch
from PIL import Image as Picture

from camlucida.examples.phantom.dicom import write_radiograph
from camlucida.examples.phantom.lesions import FINDINGS
from camlucida.examples.phantom.radiograph import radiograph
from camlucida.examples.phantom.volume import CT_FINDINGS, ct_volume
from camlucida.images.read import read_image
from camlucida.models.load import load_folder
from camlucida.models.registry import shipped_models
from camlucida.records import HeadKind, Image, Photometric
from camlucida.saliency.explain import explain

NAMES = ("paediatric-pneumonia", "phantom-ct-nodule", "phantom-radiograph")
UNSEEN = 3_000_000  # phantom patients that no script draws
FILMS, VOLUMES = 200, 40


@pytest.fixture(scope="module")
def models():
    return {name: load_folder(folder) for name, folder in shipped_models().items()}


def present(seed, names, share=0.35):
    return [name for name in names if np.random.default_rng([seed, names.index(name)]).random() < share]


def film_image(film):
    return Image(film.values, modality="DX", bits_stored=12, spacing=(film.spacing, film.spacing))


def volume_image(volume):
    return Image(volume.values, modality="CT", bits_stored=12, spacing=volume.spacing)


def area_under_the_curve(labels, scores):
    """Slowly: how often a present one stands above an absent one."""
    wins = [(a > b) + (a == b) / 2 for a in scores[labels] for b in scores[~labels]]
    return float(np.mean(wins))


def probability(logit):
    return 1 / (1 + np.exp(-np.float64(logit)))


def lies_within_one_cell(values, geometry, mask):
    """The centroid of the supporting evidence, cell by cell, against every pixel of the finding."""
    total, place = 0.0, np.zeros(values.ndim)
    for cell in np.ndindex(values.shape):
        if values[cell] > 0:
            total += float(values[cell])
            place += float(values[cell]) * geometry.cell_to_pixel([cell])[0]
    if total == 0:
        return False
    steps = np.abs(np.argwhere(mask) - place / total) / geometry.cell_size_pixels()
    return bool((steps <= 1).all(axis=1).any())


def judged(model, cases, names):
    """Labels, logits, and for each true positive whether its map lies where the finding is."""
    labels, logits, places = [], [], {name: [] for name in names}
    for image, masks in cases:
        result = explain(model, image)
        labels.append([name in masks for name in names])
        logits.append(result.logits)
        for index, name in enumerate(names):
            point = model.card.findings[index].operating_point
            if name in masks and probability(result.logits[index]) >= point:
                geometry = result.explanation.saliency_map.geometry
                places[name].append(lies_within_one_cell(result.values[index], geometry, masks[name]))
    return np.array(labels), np.array(logits), places


@pytest.fixture(scope="module")
def films(models):
    drawn = (radiograph(UNSEEN + n, present(UNSEEN + n, FINDINGS), rows=288) for n in range(FILMS))
    return judged(models["phantom-radiograph"], ((film_image(film), film.masks) for film in drawn), FINDINGS)


@pytest.fixture(scope="module")
def volumes(models):
    numbers = range(UNSEEN, UNSEEN + VOLUMES)
    drawn = (ct_volume(n, present(n, CT_FINDINGS, 0.5), slices=40, rows=112) for n in numbers)
    cases = ((volume_image(volume), volume.masks) for volume in drawn)
    return judged(models["phantom-ct-nodule"], cases, CT_FINDINGS)


def test_these_models_ship():
    assert tuple(shipped_models()) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_a_model_ships_with_its_card_its_figures_and_small_weights(name, models):
    folder, card = shipped_models()[name], models[name].card
    assert card.name == name
    assert (folder / "weights.safetensors").stat().st_size < 4_000_000
    readme = (folder / "README.md").read_text("utf-8")
    assert "AUC" in readme
    assert "scripts/measure_models.py" in readme
    assert "Licence" in readme
    assert card.limits
    assert all(finding.concept.scheme == "SCT" for finding in card.findings)
    assert all(0 < finding.operating_point < 1 for finding in card.findings)


@pytest.mark.parametrize("name", NAMES)
def test_the_head_is_proven_linear(name, models):
    assert models[name].head.kind is HeadKind.LINEAR
    assert models[name].head.deviation < 1e-4


@pytest.mark.slow
@pytest.mark.parametrize("name", ["Pneumothorax", "Effusion", "Consolidation", "Cardiomegaly"])
def test_phantom_films_nobody_trained_on_are_told_apart(name, films):
    labels, logits, _ = films
    index = FINDINGS.index(name)
    assert area_under_the_curve(labels[:, index], logits[:, index]) >= 0.95


@pytest.mark.slow
@pytest.mark.parametrize("name", ["Pneumothorax", "Effusion", "Consolidation", "Cardiomegaly"])
def test_maps_lie_where_the_finding_of_a_film_is(name, films):
    places = films[2][name]
    assert len(places) > 35
    assert np.mean(places) >= 0.9


@pytest.mark.slow
@pytest.mark.parametrize("index", range(len(CT_FINDINGS)))
def test_phantom_volumes_nobody_trained_on_are_told_apart_and_located(index, volumes):
    labels, logits, places = volumes
    assert area_under_the_curve(labels[:, index], logits[:, index]) >= 0.95
    assert len(places[CT_FINDINGS[index]]) > 10
    assert np.mean(places[CT_FINDINGS[index]]) >= 0.9


def test_a_full_size_dicom_film_says_what_the_small_one_says(models, tmp_path):
    model = models["phantom-radiograph"]
    for number, findings in enumerate([["Effusion"], ["Pneumothorax"], ["Cardiomegaly"]]):
        write_radiograph(radiograph(UNSEEN + number, findings, rows=1000), tmp_path / "film.dcm")
        large = explain(model, read_image(tmp_path / "film.dcm"))
        small = explain(model, film_image(radiograph(UNSEEN + number, findings, rows=288)))
        for finding, one, other in zip(model.card.findings, large.logits, small.logits, strict=True):
            assert probability(one) == pytest.approx(probability(other), abs=0.15), finding.name
        index = FINDINGS.index(findings[0])
        assert probability(large.logits[index]) >= model.card.findings[index].operating_point


def test_monochrome1_is_the_same_film(models):
    model = models["phantom-radiograph"]
    film = radiograph(UNSEEN, ["Effusion"], rows=288)
    inverted = Image(4095 - film.values, Photometric.MONOCHROME1, modality="DX", bits_stored=12)
    np.testing.assert_allclose(
        explain(model, inverted).logits, explain(model, film_image(film)).logits, atol=1e-3
    )


@pytest.mark.real_data
@pytest.mark.slow
def test_pneumonia_of_children_is_told_on_the_official_test_films(models, real_data):
    model = models["paediatric-pneumonia"]
    inputs, labels = [], []
    with zipfile.ZipFile(real_data / "kermany224" / "test.zip") as archive:
        for name in sorted(archive.namelist())[::2]:
            if name.endswith(".jpeg"):
                grey = np.asarray(Picture.open(io.BytesIO(archive.read(name))).convert("L"))
                inputs.append(model.prepare(Image(grey)).values)
                labels.append(name.startswith("PNEUMONIA"))
    with torch.inference_mode():
        logits = model.module(torch.as_tensor(np.stack(inputs)))[:, 0].numpy()
    assert area_under_the_curve(np.array(labels), logits) >= 0.95


@pytest.mark.real_data
def test_the_3d_model_runs_on_a_real_ct_and_its_map_adds_up(models, real_data):
    result = explain(models["phantom-ct-nodule"], read_image(real_data / "dicom" / "ct_lung_dx_a0002"))
    assert result.values.shape == (2, 4, 12, 12)
    np.testing.assert_allclose(result.residual, 0, atol=1e-4)
