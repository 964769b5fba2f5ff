from contextlib import suppress
from dataclasses import replace

import numpy as np
import pydicom
import pytest
import torch
from torch import nn
from torch.nn import functional

import camlucida
from camlucida.errors import (
    NoTargetLayer,
    UnknownFinding,
    UnknownMethod,
    UnsuitableImage,
    UnsupportedNetwork,
)
from camlucida.examples.phantom.dicom import write_radiograph
from camlucida.examples.phantom.radiograph import radiograph
from camlucida.images.read import read_image
from camlucida.models.load import load_folder
from camlucida.records import HeadKind, Unit
from camlucida.saliency.assembling import NOT_FOR_PATIENTS
from example_models import CARD, write_model
from example_networks import Deep, Dense, Residual, Sigmoid, Softmax, Volume, images, make


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return load_folder(write_model(tmp_path_factory.mktemp("model")))


def test_a_network_and_a_tensor_are_enough():
    result = camlucida.explain(make(Dense), images(Dense)[0], finding=3, method="grad-cam++")
    assert result.values.shape == (1, 8, 6)
    assert result.values.dtype == np.float32
    assert result.findings == ("output 3",)
    assert (result.method, result.target_layer) == ("grad-cam++", "features.3 → relu")
    assert result.logits.shape == result.residual.shape == (1,)


@pytest.mark.parametrize("kind", [Residual, Dense, Deep, Volume])
def test_map_bias_and_residual_add_up_to_the_logit(kind):
    network, inputs = make(kind), images(kind)
    result = camlucida.explain(network, inputs)
    sums = result.values.reshape(len(result.values), -1).sum(axis=1, dtype=np.float64)
    assert sums + result.bias + result.residual == pytest.approx(result.logits, abs=1e-5)
    assert result.logits == pytest.approx(network(inputs)[0].detach().numpy(), abs=1e-5)
    if kind is not Deep:
        assert np.abs(result.residual).max() < 1e-4


@pytest.mark.parametrize("give", [lambda x: x, lambda x: x[0], lambda x: x[0].numpy()])
def test_takes_a_batch_of_one_an_image_or_an_array(give):
    assert camlucida.explain(make(Dense), give(images(Dense))).values.shape == (4, 8, 6)


def test_a_volume_of_one_channel_is_not_mistaken_for_a_batch():
    assert camlucida.explain(make(Volume), images(Volume)[0]).values.shape == (3, 4, 5, 5)


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (torch.zeros(2, 1, 32, 24), r"\(2, 1, 32, 24\); explain takes one image"),
        (torch.zeros(32, 24), r"\(32, 24\); explain takes one image"),
        (torch.zeros(1, 32, 24, dtype=torch.int32), r"torch.int32; networks take floating point"),
        ("chest.png", "takes a tensor .* not a str"),
    ],
)
def test_says_what_a_bare_network_takes(image, message):
    with pytest.raises(UnsuitableImage, match=message):
        camlucida.explain(make(Dense), image)


def test_another_precision_than_the_networks_is_said_also_when_its_layer_is_known():
    network, image = make(Residual), images(Residual)[0]
    camlucida.explain(network, image)
    with pytest.raises(UnsuitableImage, match=r"fails on an input of shape .*float64"):
        camlucida.explain(network, image.double())


def test_several_modalities_are_named_and_the_lack_of_one_is_not(make_image):
    with pytest.raises(UnsuitableImage, match="takes DX or CR; this image is CT"):  # and pictures without any
        camlucida.explain(camlucida.load_model("phantom-radiograph"), make_image(modality="CT"))


def test_probabilities_follow_the_networks_own_last_function():
    sigmoid = camlucida.explain(make(Sigmoid), images(Sigmoid)).explanation.prediction
    assert sigmoid.probabilities == pytest.approx(make(Sigmoid)(images(Sigmoid)).tolist(), abs=1e-6)
    softmax = camlucida.explain(make(Softmax), images(Softmax)).explanation.prediction
    assert softmax.probabilities == pytest.approx(make(Softmax)(images(Softmax))[0].tolist(), abs=1e-6)


def test_findings_by_number_and_name_in_the_order_asked():
    network, inputs = make(Residual), images(Residual)
    every = camlucida.explain(network, inputs)
    some = camlucida.explain(network, inputs, finding=[4, "OUTPUT 0"])
    assert some.findings == ("output 4", "output 0")
    assert np.allclose(some.values, every.values[[4, 0]], atol=1e-6)
    assert len(some.explanation.prediction.findings) == 5


@pytest.mark.parametrize("finding", ["output 9", 5, -1, []])
def test_an_unknown_finding_is_named(finding):
    with pytest.raises(UnknownFinding):
        camlucida.explain(make(Residual), images(Residual), finding=finding)


def test_an_unknown_method_or_variant_is_named():
    with pytest.raises(UnknownMethod, match="no method “smooth”; there are: grad-cam"):
        camlucida.explain(make(Dense), images(Dense), method="smooth")
    with pytest.raises(UnknownMethod, match="no variant “x”; it has: increase, softmax"):
        camlucida.explain(make(Dense), images(Dense), method="score-cam", variant="x")


def test_a_finding_without_support_is_a_state_with_words():
    network = make(Dense)
    with torch.no_grad():
        network.classifier.weight[1] = -1
    result = camlucida.explain(network, images(Dense))
    assert not result.explanation.saliency_map.supported(1)
    assert "No supporting evidence" in result.explanation.trust.findings[1].statement
    assert result.overlay(1).size[0] > 100


def test_a_network_that_changes_is_never_explained_from_memory():
    network, inputs = make(Dense), images(Dense)
    before = camlucida.explain(network, inputs)
    with torch.no_grad():
        network.classifier.weight.mul_(2)
        network.classifier.bias.add_(1)
    after = camlucida.explain(network, inputs)
    assert np.allclose(after.values, 2 * before.values, atol=1e-6)
    assert after.bias == pytest.approx(before.bias + 1)


def test_the_network_is_left_as_it_was_with_every_method():
    network = make(Residual).train()
    for method in camlucida.METHODS:
        with suppress(UnsupportedNetwork):  # those for transformers
            camlucida.explain(network, images(Residual), method=method)
    assert network.training
    assert all(parameter.grad is None for parameter in network.parameters())


def test_the_same_input_gives_the_same_bits():
    network, inputs = make(Residual), images(Residual)
    first, second = (camlucida.explain(network, inputs) for _ in range(2))
    assert np.array_equal(first.values, second.values)
    assert first.explanation.provenance.cache_key == second.explanation.provenance.cache_key


class Compiled(nn.Module):
    """As torch.compile wraps a network: the original is in `_orig_mod`."""

    def __init__(self, network):
        super().__init__()
        self._orig_mod = network

    def forward(self, _x):
        raise AssertionError("the wrapper must not be run")


def test_a_compiled_network_is_unwrapped():
    network, inputs = make(Dense), images(Dense)
    assert np.array_equal(
        camlucida.explain(Compiled(network), inputs).values, camlucida.explain(network, inputs).values
    )


# torch deprecates its own TorchScript; it is made here only to be refused.
@pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")
def test_torchscript_is_refused_with_the_way_out():
    scripted = torch.jit.trace(make(Dense), images(Dense))
    with pytest.raises(UnsupportedNetwork, match=r"TorchScript .* export it with torch.export"):
        camlucida.explain(scripted, images(Dense))


def test_quantised_networks_are_refused_with_the_reason():
    network = make(Dense)
    kind = type("Linear", (nn.Linear,), {"__module__": "torch.ao.nn.quantized.modules.linear"})
    network.classifier = kind(12, 4)
    with pytest.raises(UnsupportedNetwork, match=r"quantised layers \(Linear\); integers have no gradients"):
        camlucida.explain(network, images(Dense))


def test_a_network_without_space_is_refused():
    with pytest.raises(NoTargetLayer, match="only dense layers"):
        camlucida.explain(nn.Sequential(nn.Flatten(), nn.Linear(64, 2)), torch.randn(1, 8, 8))


def test_a_model_explains_an_image_with_proof_and_provenance(model, make_image):
    result = camlucida.explain(model, make_image())
    record = result.explanation
    assert result.findings == ("Pneumothorax", "Pleural effusion")
    assert np.abs(result.residual).max() < 1e-4
    assert record.trust.head is HeadKind.LINEAR
    assert record.trust.head_deviation < 1e-4
    assert max(finding.residual_share for finding in record.trust.findings) < 1e-4
    assert (record.provenance.model_name, record.provenance.model_version) == ("two-findings", "1.0.0")
    assert record.provenance.model_digest == model.digest
    assert record.provenance.pixel_digest == make_image().digest
    assert record.saliency_map.geometry.pixel_shape == (61, 47)
    assert record.saliency_map.unit is Unit.LOGIT


def test_the_window_changes_what_is_seen_never_the_map(model, make_image):
    narrow = replace(make_image(), windows=())
    first, second = camlucida.explain(model, make_image()), camlucida.explain(model, narrow)
    assert np.array_equal(first.values, second.values)
    assert first.explanation.provenance.cache_key == second.explanation.provenance.cache_key


def test_the_map_lies_over_the_whole_image(model, make_image):
    """The first and the last cell reach to the image's edges, for odd sizes too."""
    geometry = camlucida.explain(model, make_image()).explanation.saliency_map.geometry
    ends = geometry.cell_to_pixel([[-0.5, -0.5], [n - 0.5 for n in geometry.native_shape]])
    assert ends == pytest.approx(np.array([[-0.5, -0.5], [60.5, 46.5]]))


def test_a_model_refuses_what_it_does_not_take(model, make_image):
    with pytest.raises(UnsuitableImage, match=r"takes CR or DX.* this image is CT"):
        camlucida.explain(model, make_image(modality="CT"))
    with pytest.raises(UnsuitableImage, match=r"takes an image from camlucida.read_image, not a Tensor"):
        camlucida.explain(model, images(Dense))


def test_a_regression_is_explained_only_when_asked(tmp_path, make_image):
    model = load_folder(write_model(tmp_path / "age", task="regression"))
    with pytest.raises(UnsupportedNetwork, match=r"is a regression.*scalar=True"):
        camlucida.explain(model, make_image())
    result = camlucida.explain(model, make_image(), scalar=True)
    assert np.isnan(result.explanation.prediction.probabilities).all()
    assert result.explanation.trust.cautions[0].startswith("The output is a number, not a finding's logit")
    assert (result.values < 0).any()
    sums = result.values.reshape(len(result.values), -1).sum(axis=1, dtype=np.float64)
    assert sums + result.bias == pytest.approx(result.logits, abs=1e-4)


def test_a_bare_networks_number_is_explained_when_asked():
    network, inputs = make(Sigmoid), images(Sigmoid)
    result = camlucida.explain(network, inputs, scalar=True)
    assert np.isnan(result.explanation.prediction.probabilities).all()
    number, before = result.explanation.trust.cautions[:2]
    assert "which way a place moves it" in number
    assert before == "The values add up to the number before the network's final sigmoid."
    assert result.values.sum() + result.bias == pytest.approx(torch.logit(network(inputs)).tolist(), abs=1e-4)
    plain = camlucida.explain(network, inputs).explanation
    assert not any("which way a place moves it" in caution for caution in plain.trust.cautions)


def test_a_number_between_0_and_1_is_not_taken_for_a_probability():
    network = make(Dense)
    network.register_forward_hook(lambda _m, _i, y: (y - y.min()) / (y.max() - y.min()))
    cautions = camlucida.explain(network, images(Dense), scalar=True).explanation.trust.cautions
    assert not any("if they are probabilities" in caution for caution in cautions)


def test_outputs_that_look_like_probabilities_are_cautioned():
    network = make(Dense)
    network.register_forward_hook(lambda _m, _i, y: (y - y.min()) / (y.max() - y.min()))
    cautions = camlucida.explain(network, images(Dense)).explanation.trust.cautions
    assert any("if they are probabilities" in caution for caution in cautions)


class WritesIntoItsInput(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.head = nn.Conv2d(1, 4, 3), nn.Linear(4, 2)

    def forward(self, images):
        images.mul_(2.0).sub_(0.5)
        return self.head(functional.relu(self.conv(images)).mean((2, 3)))


@pytest.mark.parametrize("method", ["grad-cam", "score-cam", "fullgrad", "integrated-gradients"])
def test_a_network_that_writes_into_its_input_never_meets_the_callers_tensor(method):
    torch.manual_seed(0)
    network, image = WritesIntoItsInput().eval(), torch.randn(1, 12, 12)
    given = image.clone()
    result = camlucida.explain(network, image, method=method)
    assert torch.equal(image, given)
    with torch.no_grad():
        assert result.logits == pytest.approx(network(given[None])[0].tolist(), abs=1e-6)


def test_batch_statistics_that_change_are_noticed_in_other_runtimes():
    pytest.importorskip("onnxruntime")
    torch.manual_seed(0)
    layers = nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()
    network, image = nn.Sequential(*layers, nn.Linear(4, 2)).eval(), torch.randn(1, 12, 12)
    before = camlucida.explain(network, image, runtime="onnxruntime")
    network[1].running_mean.add_(1.0)
    after = camlucida.explain(network, image, runtime="onnxruntime")
    assert after.logits != pytest.approx(before.logits, abs=1e-3)
    assert after.logits == pytest.approx(camlucida.explain(network, image).logits, abs=1e-5)


@pytest.mark.parametrize(("manufacturer", "told"), [("Of a hospital", True), ("camlucida phantom", False)])
def test_a_model_of_phantoms_says_so_on_an_image_of_a_patient(tmp_path, manufacturer, told):
    card = {**CARD["input"], "phantoms": "only"}
    drawn = load_folder(write_model(tmp_path / "model", input=card))
    path = tmp_path / "film.dcm"
    write_radiograph(radiograph(3, rows=64), path)
    data = pydicom.dcmread(path)
    data.Manufacturer, data.ManufacturerModelName = manufacturer, ""
    data.save_as(path)
    cautions = camlucida.explain(drawn, read_image(path)).explanation.trust.cautions
    assert (NOT_FOR_PATIENTS in cautions) is told
