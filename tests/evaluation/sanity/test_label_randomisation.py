import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from torch import nn

from camlucida.errors import UnsuitableImage, UnsupportedNetwork
from camlucida.evaluation.intervals import Estimate
from camlucida.evaluation.report.document import Paragraph, Table, Tone
from camlucida.evaluation.sanity.label_randomisation import (
    LabelResult,
    label_randomisation_test,
    last_layer,
    replaced,
    trained,
)
from camlucida.evaluation.sanity.label_words import label_blocks
from camlucida.records import Image
from camlucida.saliency.known_networks import admitted
from camlucida.saliency.subject import of_classifier
from toy_network import SIDE, classifier

METHODS = ("grad-cam", "eigen-cam", "recipro-cam")


class LightAndDark(nn.Module):
    """A channel of light and one of dark; the finding is the light."""

    def __init__(self) -> None:
        super().__init__()
        self.through = nn.Conv2d(1, 2, 1)
        self.head = nn.Linear(2, 1)
        with torch.no_grad():
            self.through.weight.copy_(torch.tensor([1.0, -1.0]).view(2, 1, 1, 1))
            self.through.bias.zero_()
            self.head.weight.copy_(torch.tensor([[6.0, 0.0]]))
            self.head.bias.fill_(-2.0)

    def forward(self, x):
        return self.head(self.through(x).relu().mean((2, 3)))


def films(count, seed=0):
    """Grey films with a dark disc each, and in every second one a light disc: which ones are known."""
    random, rows = np.random.default_rng(seed), np.indices((SIDE, SIDE))
    for number in range(count):
        values = np.full((SIDE, SIDE), 128.0)
        for grey, there in ((0, True), (255, number % 2)):
            middle = random.integers(3, SIDE - 3, 2)
            near = ((rows - middle[:, None, None]) ** 2).sum(axis=0) < random.uniform(5, 14)
            values[near & bool(there)] = grey
        yield Image(values.astype(np.uint8)), float(number % 2)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return classifier(tmp_path_factory.mktemp("light"), LightAndDark(), 1)


@pytest.fixture(scope="module")
def data(model):
    """Subjects of six films with the finding; embeddings and labels of forty."""
    network = admitted(model.module)
    made = list(films(40))
    subjects = [of_classifier(model, network, [image], None, scalar=False) for image, _ in made[1:12:2]]
    with torch.no_grad():
        inputs = torch.from_numpy(np.stack([model.prepare(image).values for image, _ in made]))
        embeddings = network.through(inputs).relu().mean((2, 3)).numpy()
    return subjects, embeddings, np.array([[there] for _, there in made])


@pytest.fixture(scope="module")
def report(data):
    return label_randomisation_test(*data, METHODS)


def test_a_map_that_weighs_the_channels_passes_and_one_that_does_not_fails(report):
    """Eigen-CAM never asks the head, so no label can change it."""
    results = {one.method: one for one in report.methods}
    assert results["grad-cam"].passed
    assert results["grad-cam"].right > 0.7 > results["grad-cam"].shuffled
    assert results["eigen-cam"].passed is False
    assert results["eigen-cam"].shuffled == pytest.approx(1)
    assert (report.images, report.cases, report.findings, report.left_out) == (6, 40, ("finding 0",), ())


def test_the_network_is_as_it_was_also_after_an_error(model):
    before = {name: tensor.clone() for name, tensor in model.module.state_dict().items()}
    head = model.module.head
    with replaced(head, [0], np.ones((1, 2)), np.ones(1)):
        assert float(head.weight.detach().sum()) == 2
    with pytest.raises(IndexError), replaced(head, [7], np.ones((1, 2)), np.ones(1)):
        pass
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.module.state_dict().items())


def test_the_same_seed_gives_the_same_figures(data, report):
    assert label_randomisation_test(*data, ["Grad-CAM"]).methods[0] == report.methods[0]


def test_the_head_is_scikit_learn_s_logistic_regression():
    random = np.random.default_rng(0)
    features = random.normal(3, [1, 20, 0.1], (80, 3))
    there = (features @ [1, -0.05, 4] + random.normal(0, 1, 80) > 14).astype(float)
    known = random.random(80) < 0.8
    weight, bias = trained(features, np.where(known, there, np.nan)[:, None])
    scaled = (features - features.mean(axis=0)) / features.std(axis=0)
    oracle = LogisticRegression(C=1.0, tol=1e-10, max_iter=1000).fit(scaled[known], there[known])
    np.testing.assert_allclose(
        features @ weight[0] + bias[0], oracle.decision_function(scaled), rtol=1e-3, atol=1e-3
    )


@pytest.mark.parametrize(
    ("shuffled", "low", "high", "passed", "says"),
    [
        (0.4, 0.1, 0.3, True, "passes"),
        (0.4, -0.1, 0.3, None, "undecided"),
        (0.4, -0.3, -0.1, False, "fails"),
        (0.97, 0.01, 0.02, False, "fails"),
    ],
)
def test_a_method_passes_by_its_interval(shuffled, low, high, passed, says):
    result = LabelResult("x", 0.6, shuffled, Estimate(0.2, low, high, 9, 9), 0.5)
    assert result.passed is passed
    assert result.verdict.startswith(says)


def test_five_images_that_agree_are_too_few_to_judge():
    result = LabelResult("x", 0.6, 0.4, Estimate(0.2, 0.1, 0.3, 5, 5), 0.5)
    assert result.passed is None
    assert result.verdict == "undecided: of 5 images, where it takes 6"


def test_too_few_cases_or_images_are_refused(data):
    subjects, embeddings, present = data
    with pytest.raises(UnsuitableImage, match="at least 5 cases with a finding"):
        label_randomisation_test(subjects, embeddings, np.zeros_like(present), METHODS)
    with pytest.raises(UnsuitableImage, match="at least two images"):
        label_randomisation_test(subjects[:1], embeddings, present, METHODS)


def test_a_head_that_is_not_one_linear_layer_is_refused(tmp_path):
    network = nn.Sequential(
        nn.Conv2d(1, 3, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(12, 1)
    )
    model = classifier(tmp_path, network, 1)
    image, _ = next(films(1))
    subject = of_classifier(model, admitted(model.module), [image], None, scalar=False)
    with pytest.raises(UnsupportedNetwork, match="one linear layer on the means"):
        last_layer(subject)


def test_in_words_it_says_that_the_features_still_know(report):
    what, *verdicts, table = label_blocks(report)
    assert "features below still know the right labels" in what.text
    assert [one.tone for one in verdicts[:2]] == [Tone.GOOD, Tone.BAD]
    assert all(isinstance(one, Paragraph) for one in verdicts)
    assert isinstance(table, Table)
    assert table.rows[0][0] == "Grad-CAM"
    assert table.rows[1][2] == "1.00"
