"""Why this finding rather than that: with every method, and by Finer-CAM itself."""

import pytest
import torch

import camlucida
from camlucida.errors import UnknownFinding
from camlucida.models.target_layer import find_cut
from camlucida.saliency.contrast import Contrast
from camlucida.saliency.methods import METHODS
from camlucida.saliency.recording import Recording
from example_networks import Dense, Flat, Residual, Sigmoid, images, make

LINEAR_IN_THE_TARGET = [
    "grad-cam",
    "hirescam",
    "counterfactual grad-cam",
    "xgrad-cam",
    "shapleycam",
    "cam",
    "ablation-cam",
    "recipro-cam",
    "score-cam",
    "input x gradient",
]


def maps(key, network, inputs, contrast=None, findings=None):
    recording = Recording(network, inputs, find_cut(network, inputs), findings, contrast=contrast)
    method = METHODS[key]
    return method.compute(recording, variant=method.variants[0], progress=None)


@pytest.mark.parametrize("key", LINEAR_IN_THE_TARGET)
@pytest.mark.parametrize("strength", [1.0, 0.6])
def test_a_contrasts_map_is_the_difference_of_both_maps(key, strength):
    network, inputs = make(Dense), images(Dense, 2)
    every = maps(key, network, inputs)
    held = maps(key, network, inputs, Contrast(2, strength), (0, 3))
    expected = every[:, [0, 3]] - strength * every[:, [2]]
    torch.testing.assert_close(held, expected, rtol=1e-4, atol=1e-6)


def test_grad_cam_plus_plus_is_of_the_difference_not_a_difference():
    network, inputs = make(Flat), images(Flat)
    every = maps("grad-cam++", network, inputs)
    held = maps("grad-cam++", network, inputs, Contrast(2), (0,))
    assert not torch.allclose(held, every[:, [0]] - every[:, [2]])


def test_the_nearest_logit_is_taken_where_none_is_named():
    logits = torch.tensor([[0.0, 1.0, 1.4, -3.0], [2.0, 0.0, 0.0, 5.0]])
    others = Contrast().others(logits, (0, 1, 2, 3))
    assert others.tolist() == [[1, 2, 1, 0], [1, 2, 1, 0]]


def test_finer_cam_is_grad_cam_of_the_difference_to_the_nearest_finding():
    network, inputs = make(Residual), images(Residual)
    result = camlucida.explain(network, inputs, method="finer-cam")
    logits = network(inputs)[0].detach()
    plain = maps("grad-cam", network, inputs)[0]
    for finding in range(5):
        distances = [(abs(float(logits[finding] - logits[d])), d) for d in range(5) if d != finding]
        other = min(distances)[1]
        torch.testing.assert_close(torch.from_numpy(result.values[finding]), plain[finding] - plain[other])
        label = result.explanation.saliency_map.label(finding)
        assert label == f"output {finding} rather than output {other}"
    assert result.explanation.provenance.target == "logit - 1 × the nearest logit"


def test_finer_cam_takes_the_finding_that_is_named():
    network, inputs = make(Dense), images(Dense)
    result = camlucida.explain(network, inputs, method="finer-cam", contrast=1)
    assert result.explanation.saliency_map.findings == ("output 0", "output 2", "output 3")
    assert set(result.explanation.saliency_map.contrasts) == {"output 1"}
    same = camlucida.explain(network, inputs, method="grad-cam", contrast=1)
    assert (result.values == same.values).all()


def test_the_maps_of_a_contrast_add_up_to_the_difference_of_the_logits():
    network, inputs = make(Residual), images(Residual)
    result = camlucida.explain(network, inputs, contrast=4)
    logits = network(inputs)[0].detach()
    for index in range(4):
        assert result.logits[index] == pytest.approx(float(logits[index] - logits[4]), abs=1e-5)
    assert abs(result.residual).max() < 1e-5


@pytest.mark.parametrize(
    ("kind", "asked", "sentence"),
    [
        (Sigmoid, {"method": "finer-cam"}, "A contrast needs another finding, and the model has only one."),
        (Sigmoid, {"contrast": 0}, "A contrast needs another finding, and the model has only one."),
        (Dense, {"contrast": 2, "finding": [1, 2]}, "A finding cannot be held against itself"),
        (Dense, {"contrast": 9}, "The model has no finding “9”"),
    ],
)
def test_a_contrast_that_cannot_be_is_refused_with_a_sentence(kind, asked, sentence):
    with pytest.raises(UnknownFinding, match=sentence):
        camlucida.explain(make(kind), images(kind), **asked)
