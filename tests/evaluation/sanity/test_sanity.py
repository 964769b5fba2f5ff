import json

import numpy as np
import pytest
import torch

import camlucida
from camlucida.errors import UnknownMethod, UnsuitableImage
from camlucida.evaluation.sanity import MethodResult, StepResult, random_pairs, randomisation_test
from camlucida.evaluation.sanity.film_strip import film_strip
from camlucida.evaluation.sanity.similarity import ssim
from camlucida.evaluation.sanity.words import as_json, as_markdown, rows
from camlucida.examples.phantom.lesions import FINDINGS
from camlucida.examples.phantom.radiograph import radiograph
from camlucida.records import Image
from camlucida.saliency.known_networks import admitted
from camlucida.saliency.subject import of_classifier

METHODS = ("grad-cam", "guided backpropagation")
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def model():
    return camlucida.load_model("phantom-radiograph")


@pytest.fixture(scope="module")
def subjects(model):
    network = admitted(model.module)
    films = [radiograph(seed, [FINDINGS[seed]], rows=128).values for seed in range(3)]
    return [
        of_classifier(model, network, [Image(film, bits_stored=12)], None, scalar=False) for film in films
    ]


@pytest.fixture(scope="module")
def before(model):
    return {name: tensor.clone() for name, tensor in model.module.state_dict().items()}


@pytest.fixture(scope="module")
def report(before, subjects):
    assert before  # the weights are remembered first
    return randomisation_test(subjects, METHODS)


def test_grad_cam_forgets_at_once_and_guided_backpropagation_holds_out(report):
    """Adebayo: guided backpropagation hardly depends on the weights near the logits."""
    grad_cam, guided = report.methods
    assert grad_cam.passed
    assert grad_cam.held_out == 0
    assert "as soon as the last layer has forgotten" in grad_cam.verdict
    assert guided.held_out >= 3
    assert guided.steps[0].ssim > 0.75
    assert guided.steps[0].correlation > 0.85 > grad_cam.steps[0].correlation
    assert "but only after" in guided.verdict


def test_the_network_is_as_it_was(model, before, report):
    assert len(report.methods) == 2
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.module.state_dict().items())


def test_the_same_seed_gives_the_same_figures(subjects, report):
    again = randomisation_test(subjects, ["Grad-CAM"])
    assert again.methods[0] == report.methods[0]


@pytest.mark.parametrize(
    ("last", "passed", "says"),
    [(0.2, True, "passes, but only after 2 of 2"), (0.9, False, "fails: it draws")],
)
def test_arun_compares_the_last_step_with_random_pairs(last, passed, says):
    steps = (StepResult("fc", 0.8, 0.9), StepResult("conv", last, 0.1))
    result = MethodResult("x", 0.5, steps)
    assert result.passed is passed
    assert result.verdict.startswith(says)


def test_random_pairs_are_of_two_images_and_one_finding():
    """Maps that are alike within an image and unlike across: pairs of one image would show."""
    random = np.random.default_rng(0)
    first, second = random.random((2, 16, 16))
    trained = [[first, first], [second, second]]
    assert random_pairs(trained, 0) == pytest.approx(ssim(first, second))


def test_a_method_that_does_not_take_the_network_is_neither_passed_nor_failed():
    result = MethodResult("cam", 0.0, (), "The head is not linear.")
    assert result.passed is None
    assert result.verdict == "not tested: The head is not linear."


def test_one_image_and_an_unknown_method_are_refused(subjects):
    with pytest.raises(UnsuitableImage, match="at least two images"):
        randomisation_test(subjects[:1], METHODS)
    with pytest.raises(UnknownMethod):
        randomisation_test(subjects, ["no such method"])


def test_the_report_is_kept_in_words_figures_and_a_picture(report):
    content = json.loads(json.dumps(as_json(report, "phantom-radiograph@1.0.0", "abc")))
    assert content["methods"][0]["passed"] is True
    assert content["head"]["kind"] == "linear"
    assert content["head"]["deviation_pooled"] < 1e-4
    assert len(content["methods"][0]["steps"]) == 10
    page = as_markdown(report, "phantom-radiograph@1.0.0")
    assert "| grad-cam | pass |" in page
    assert "Head on these images: HiResCAM faithful by theorem; Grad-CAM faithful by theorem." in page
    assert "Passes: another map as soon as" in page
    assert len(rows(report)) == 2
    picture = film_strip(report)
    assert picture.width > 11 * 112
    assert np.asarray(picture)[60:172, 190:302].max() > 200  # the first tile is drawn
