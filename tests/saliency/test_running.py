"""Every method in other runtimes, as in torch; and what the records say of it."""

import numpy as np
import pytest
import torch

import camlucida
from camlucida.errors import UnsuitableRuntime, UnsupportedNetwork
from camlucida.models.runtimes.fast import Fast, load
from camlucida.models.target_layer import find_cut
from camlucida.records.encoding import decode, encode, from_json, to_json
from camlucida.saliency import running
from camlucida.saliency.known_networks import known
from camlucida.saliency.method import Grid
from camlucida.saliency.methods import METHODS
from camlucida.saliency.recording import Recording
from camlucida.settings import settings
from example_networks import Deep, Dense, Residual, Skip, Volume, images, make

CELLS = [key for key, method in METHODS.items() if method.grid is Grid.CELLS]
PARTS = {}


def parts(kind):
    """A network, an image, its cut, and what was exported of it, once for all tests."""
    if kind not in PARTS:
        network, inputs = make(kind), images(kind)
        cut = find_cut(network, inputs)
        PARTS[kind] = network, inputs, cut, {}
    return PARTS[kind]


def quick(kind, name):
    network, inputs, cut, loaded = parts(kind)
    if name not in loaded:
        loaded[name] = load(network, inputs, cut, None, name)
    return loaded[name]


def computed(method, recording):
    """The maps, or None where the method is not for this network (CAM for a deep head)."""
    try:
        return method.compute(recording, variant=method.variants[0], progress=None)
    except UnsupportedNetwork:
        return None


@pytest.mark.parametrize("key", CELLS)
@pytest.mark.parametrize(
    ("kind", "name"),
    [(Residual, "onnxruntime"), (Dense, "openvino"), (Volume, "openvino"), (Deep, "onnxruntime")],
)
def test_maps_are_those_of_torch(key, kind, name):
    network, _, cut, _ = parts(kind)
    two = images(kind, 2, seed=3)
    method = METHODS[key]
    there, here = (
        Recording(network, two, cut, **options) for options in ({"runtime": quick(kind, name)}, {})
    )
    torch.testing.assert_close(there.logits, here.logits, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(there.bias, here.bias, rtol=1e-5, atol=1e-5)
    maps, expected = computed(method, there), computed(method, here)
    if expected is None:
        assert maps is None
        return
    # Where rounding decides (the sign of a singular vector, a denominator near 0), it decides by a little.
    torch.testing.assert_close(maps, expected, rtol=1e-4, atol=1e-5)


def test_the_network_itself_does_not_run_before_the_cut(monkeypatch):
    network, inputs, cut, _ = parts(Dense)
    elsewhere = quick(Dense, "openvino")

    def ran(*_):
        raise AssertionError("the network ran in torch")

    monkeypatch.setattr(network, "forward", ran)
    recording = Recording(network, inputs, cut, runtime=elsewhere)
    assert recording.gradients.abs().sum() > 0
    assert recording.rescore(inputs).shape == (1, 4)
    assert recording.rescore_head(recording.for_head(recording.activations)).shape == (1, 4)
    with recording.differentiable() as whole, pytest.raises(AssertionError, match="ran in torch"):
        whole(inputs)


def test_explain_says_where_it_ran_and_keeps_the_key_of_maps_of_torch():
    network, inputs, _, _ = parts(Dense)
    here = camlucida.explain(network, inputs)
    there = camlucida.explain(network, inputs, runtime="openvino")
    assert np.abs(here.values - there.values).max() <= 1e-5
    ours, theirs = here.explanation.provenance, there.explanation.provenance
    assert (ours.runtime, ours.precision) == ("eager", "float32")
    assert theirs.runtime.startswith("openvino 20")
    assert theirs.precision == "float32"
    assert theirs.cache_key != ours.cache_key
    assert decode(encode(there.explanation)).provenance == theirs


def test_explanations_kept_before_there_were_runtimes_are_read_and_have_the_key_they_had(make_explanation):
    explanation = make_explanation()
    old = to_json(explanation)
    assert old["provenance"].pop("runtime") == "eager"
    old["provenance"].pop("runtime_reason")
    back = from_json(old, explanation.saliency_map.values)
    assert back.provenance == explanation.provenance
    assert back.provenance.cache_key.startswith("fb6a6d19fca13345d2be4b62e6de3405")


def test_a_network_is_exported_once_and_again_when_its_weights_have_changed(monkeypatch):
    network, inputs = make(Residual), images(Residual)
    loads = []
    monkeypatch.setattr(running, "load", lambda *_: loads.append(1) or quick(Residual, "onnxruntime"))
    for _ in range(3):
        camlucida.explain(network, inputs, runtime="onnxruntime")
    assert len(loads) == 1
    with torch.no_grad():
        network.fc.weight.add_(1)
    camlucida.explain(network, inputs, runtime="onnxruntime")
    assert len(loads) == 2


def test_a_refusal_is_remembered_and_said_each_time():
    network, inputs = make(Skip), images(Skip)
    for _ in range(2):
        with pytest.raises(UnsuitableRuntime, match="as a U-Net does"):
            camlucida.explain(network, inputs, runtime="openvino")
    assert camlucida.explain(network, inputs).values.any()
    assert len(known(network)._runtimes) == 2


def test_the_setting_is_what_is_not_said(monkeypatch):
    network, inputs, _, _ = parts(Dense)
    chosen = settings().model_copy(update={"runtime": "openvino"})
    monkeypatch.setattr(running, "settings", lambda: chosen)
    assert camlucida.explain(network, inputs).explanation.provenance.runtime.startswith("openvino")
    assert camlucida.explain(network, inputs, runtime="eager").explanation.provenance.runtime == "eager"


def test_auto_tells_why():
    network, inputs = make(Skip), images(Skip)
    provenance = camlucida.explain(network, inputs, runtime="auto").explanation.provenance
    assert provenance.runtime == "eager"
    assert "as a U-Net does" in provenance.runtime_reason


@pytest.mark.usefixtures("bfloat16")
def test_lower_precision_is_a_caution_of_the_report():
    network, inputs, _, _ = parts(Dense)
    result = camlucida.explain(network, inputs, runtime="openvino:bfloat16")
    assert result.explanation.provenance.precision == "bfloat16"
    assert any("Computed in bfloat16" in caution for caution in result.explanation.trust.cautions)
    assert isinstance(quick(Dense, "openvino"), Fast)
