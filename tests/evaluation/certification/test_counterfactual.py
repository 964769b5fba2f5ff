"""An artefact's effect, by pasting and by taking out, on a network whose answer is known in closed form."""

from dataclasses import replace

import numpy as np
import PIL.Image
import pytest
import torch
from torch import nn

from camlucida.evaluation.certification.counterfactual import both_versions, covered_cells, share_on, twins
from camlucida.evaluation.data.case import Case
from camlucida.evaluation.data.cohort import Refused
from camlucida.images.artefact import Artefact, phantom_artefact
from camlucida.images.prepare import Preparation
from camlucida.images.read import read_image
from camlucida.models.load import load_model
from camlucida.saliency.explain import explain

SIDE = 32


class CornerMean(nn.Module):
    """The logit is `weight` times the mean of the upper left quarter."""

    def __init__(self, weight):
        super().__init__()
        self.weight = nn.Parameter(torch.tensor(weight))

    def forward(self, x):
        logit = self.weight * x[:, 0, : SIDE // 2, : SIDE // 2].mean((1, 2))
        nothing = torch.zeros_like(logit)
        return torch.stack([nothing, logit, nothing, nothing, nothing], dim=1)


@pytest.fixture(scope="module")
def phantom_model():
    return load_model("phantom-radiograph")


def corner_mean(model, weight):
    preparation = Preparation(2, 1, (SIDE, SIDE), "stretch", "full")
    return replace(model, module=CornerMean(weight).eval(), card=replace(model.card, preparation=preparation))


@pytest.fixture
def cases(tmp_path):
    random = np.random.default_rng(0)
    made = []
    for number in range(4):
        values = random.integers(10, 200, (SIDE, SIDE)).astype(np.uint8)
        values[0, -1], values[-1, -1] = 255, 0  # white and black, away from the corner
        path = tmp_path / f"{number}.png"
        PIL.Image.fromarray(values).save(path)
        made.append(Case(path.name, (path,), {"Effusion": bool(number % 2)}, f"P{number}"))
    return made


def white_corner():
    """White over the upper left quarter, and nothing elsewhere."""
    white = np.ones((SIDE // 2, SIDE // 2), np.float32)
    return Artefact("white corner", white, white, (0, 0, 0.5, 0.5))


def test_the_effect_of_pasting_in_closed_form(phantom_model, cases):
    models = corner_mean(phantom_model, 3.0), corner_mean(phantom_model, 0.5)
    for one, case in zip(
        twins(*models, cases, white_corner(), "Effusion", lambda _: False, maps=0), cases, strict=True
    ):
        quarter = read_image(case.files[0]).values[: SIDE // 2, : SIDE // 2] / 255
        assert one.before.without == pytest.approx(3 * quarter.mean(), abs=1e-5)
        assert one.before.effect == pytest.approx(3 * (1 - quarter.mean()), abs=1e-5)
        assert one.after.effect == pytest.approx(0.5 * (1 - quarter.mean()), abs=1e-5)
        assert (one.case, one.present, one.carries) == (case.name, case.labels["Effusion"], False)


def test_one_of_the_versions_is_the_image_as_it_is(cases):
    image = read_image(cases[0].files[0])
    without, having = both_versions(image, white_corner(), carries=False)
    assert without is image
    cleaned, as_it_is = both_versions(having, white_corner(), carries=True)
    assert as_it_is is having
    assert cleaned.values[:8, :8].max() < 250
    np.testing.assert_array_equal(cleaned.values[SIDE // 2 :], image.values[SIDE // 2 :])


def test_a_broken_image_is_told_and_the_others_go_on(phantom_model, cases):
    cases[1].files[0].write_bytes(b"\x89PNG\r\n\x1a\n broken")
    models = [corner_mean(phantom_model, 1.0)] * 2
    told = []
    seen = list(
        twins(
            *models,
            cases,
            white_corner(),
            "Effusion",
            lambda _: False,
            maps=0,
            progress=lambda *done: told.append(done),
        )
    )
    assert [type(one) is Refused for one in seen] == [False, True, False, False]
    assert seen[1].case == "1.png"
    assert "damaged" in seen[1].reason
    assert told[-1] == (4, 4)


def test_a_case_whose_label_is_not_known_is_left_out(phantom_model, cases):
    unknown = [replace(cases[0], labels={}), *cases[1:]]
    models = [corner_mean(phantom_model, 1.0)] * 2
    assert len(list(twins(*models, unknown, white_corner(), "Effusion", lambda _: False, maps=0))) == 3


def test_the_share_on_the_artefact_counts_cells_by_what_is_covered(phantom_model, cases):
    one = explain(phantom_model, read_image(cases[0].files[0]), finding="Effusion").explanation.saliency_map
    cells = covered_cells(one, white_corner())
    assert cells.shape == one.geometry.native_shape
    assert cells.mean() == pytest.approx(0.25, abs=0.01)
    support = np.maximum(one.values[0], 0)
    expected = (support * cells).sum() / support.sum() if support.any() else None
    assert share_on(one, white_corner()) == pytest.approx(expected)
    assert share_on(replace(one, values=-np.abs(one.values)), white_corner()) is None


def test_maps_are_computed_of_the_first_cases_only(phantom_model, cases):
    artefact = phantom_artefact("corner tag")
    seen = list(twins(phantom_model, phantom_model, cases, artefact, "Effusion", lambda _: False, maps=2))
    shares = [one.before.share for one in seen]
    assert shares[2:] == [None, None]
    assert all(one.before == one.after for one in seen)
