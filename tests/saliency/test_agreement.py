"""Grad-CAM and HiResCAM agree with Captum's to 1e-5 at the same layer."""

import numpy as np
import pytest
from captum.attr import LayerGradCam, LayerGradientXActivation

import camlucida
from example_networks import Deep, Residual, Volume, images, make


@pytest.mark.parametrize(
    ("kind", "layer"), [(Residual, "norm"), (Residual, "third"), (Deep, "body"), (Volume, "body")]
)
def test_grad_cam_is_that_of_captum(kind, layer):
    network, inputs = make(kind), images(kind)
    ours = camlucida.explain(network, inputs, target_layer=layer)
    theirs = LayerGradCam(network, network.get_submodule(layer))
    for finding, values in enumerate(ours.values):
        expected = theirs.attribute(inputs, target=finding)[0, 0].detach().numpy()
        assert np.abs(values - expected).max() <= 1e-5


def test_hirescam_is_captums_gradient_times_activation():
    network, inputs = make(Deep), images(Deep)
    ours = camlucida.explain(network, inputs, method="hirescam", finding=1, target_layer="body")
    theirs = LayerGradientXActivation(network, network.get_submodule("body"))
    expected = theirs.attribute(inputs, target=1).sum(dim=1)[0].detach().numpy()
    assert np.abs(ours.values[0] - expected).max() <= 1e-5
