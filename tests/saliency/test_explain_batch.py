"""Several images in one forward pass: what each is told is what it would be told alone."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

import camlucida
from camlucida.errors import UnknownFinding, UnsuitableImage, UnsupportedNetwork
from camlucida.models.load import load_folder
from camlucida.saliency.explain import explain_by_each
from example_models import write_model
from example_networks import SHAPES, Deep, Dense, Flat, Residual, Sigmoid, Skip, Volume, images, make


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return load_folder(write_model(tmp_path_factory.mktemp("model")))


class Gate(nn.Module):
    """The head multiplies with an earlier tensor: of one image it meets any rows, of two it does not."""

    def __init__(self):
        super().__init__()
        self.early, self.late = nn.Conv2d(1, 4, 3, 2, 1), nn.Conv2d(4, 4, 3, 2, 1)
        self.fc = nn.Linear(4, 2)

    def forward(self, x):
        early = functional.relu(self.early(x))
        late = functional.relu(self.late(early))
        return self.fc(late.mean((2, 3)) * early.mean((2, 3)))


def batch_of(kind, count=3):
    return torch.randn(count, *SHAPES.get(kind, (1, 24, 24)), generator=torch.Generator().manual_seed(7))


def same(one, other):
    assert one.findings == other.findings
    for field in ("values", "logits", "bias", "residual"):
        assert np.abs(getattr(one, field) - getattr(other, field)).max() <= 1e-5
    first, second = one.explanation.provenance, other.explanation.provenance
    assert first.cache_key == second.cache_key
    assert first.pixel_digest == second.pixel_digest
    assert np.array_equal(one.image.values, other.image.values)
    assert one.explanation.prediction.probabilities == pytest.approx(
        other.explanation.prediction.probabilities, abs=1e-5
    )


@pytest.mark.parametrize("kind", [Residual, Dense, Flat, Deep, Skip, Volume, Sigmoid, Gate])
@pytest.mark.parametrize("method", ["grad-cam", "layercam"])
def test_each_is_explained_as_if_alone(kind, method):
    network, batch = make(kind), batch_of(kind)
    together = camlucida.explain_batch(network, batch, method=method)
    assert len(together) == 3
    for explanation, image in zip(together, batch, strict=True):
        same(explanation, camlucida.explain(network, image, method=method))


def test_the_nearest_finding_is_chosen_for_each_image():
    network = make(Residual)
    batch = batch_of(Residual, 5) * torch.tensor([0.0, 1, 5, 20, 60]).reshape(-1, 1, 1, 1)
    together = camlucida.explain_batch(network, batch, method="finer-cam", finding=[2, 4])
    contrasts = [explanation.explanation.saliency_map.contrasts for explanation in together]
    for explanation, image in zip(together, batch, strict=True):
        alone = camlucida.explain(network, image, method="finer-cam", finding=[2, 4])
        assert explanation.explanation.saliency_map.contrasts == alone.explanation.saliency_map.contrasts
        same(explanation, alone)
    assert len(set(contrasts)) > 1  # the batch shows that images differ in it


def test_one_forward_pass_serves_all():
    network, sizes = make(Dense), []
    network.features[0].register_forward_hook(lambda _m, given, _o: sizes.append(len(given[0])))
    batch = batch_of(Dense, 4)
    camlucida.explain_batch(network, batch)
    sizes.clear()  # the cut is known now
    camlucida.explain_batch(network, batch)
    assert sizes == [4]


def test_a_models_images_are_prepared_together(model, make_image):
    shots = [make_image(), make_image(space=(90, 64), seed=3)]
    together = camlucida.explain_batch(model, shots, finding="Pneumothorax")
    for explanation, shot in zip(together, shots, strict=True):
        same(explanation, camlucida.explain(model, shot, finding="Pneumothorax"))
        assert explanation.explanation.saliency_map.geometry.pixel_shape == shot.space


def test_the_time_is_shared_out(monkeypatch):
    ticks = iter([100.0, 108.0])
    monkeypatch.setattr("camlucida.saliency.explain.time", SimpleNamespace(perf_counter=lambda: next(ticks)))
    together = camlucida.explain_batch(make(Dense), batch_of(Dense, 4))
    assert [one.explanation.provenance.seconds for one in together] == [2.0] * 4


def test_an_image_that_the_model_does_not_take_is_named_by_its_number(model, make_image):
    with pytest.raises(UnsuitableImage, match=r"^images\[1\]: The model .* takes CR or DX; this image is CT"):
        camlucida.explain_batch(model, [make_image(), make_image(modality="CT")])
    with pytest.raises(UnsuitableImage, match=r"^images\[0\]: .* takes an image .* not a str"):
        camlucida.explain_batch(model, ["chest.dcm", make_image()])


def test_values_that_are_not_finite_are_named_by_their_number():
    batch = batch_of(Dense)
    batch[2, 0, 3, 3] = torch.nan
    with pytest.raises(UnsuitableImage, match=r"^images\[2\]: The network's input holds values"):
        camlucida.explain_batch(make(Dense), batch)
    with pytest.raises(UnsuitableImage, match=r"^The network's input holds values"):
        camlucida.explain(make(Dense), batch[2])


def test_maps_that_are_not_finite_are_named_by_their_number():
    batch = batch_of(Dense) / 1e3
    batch[1] = 3e38
    with pytest.raises(UnsupportedNetwork, match=r"^images\[1\]: The logits of this image are not finite"):
        camlucida.explain_batch(make(Dense), batch)


@pytest.mark.parametrize(
    ("batch", "message"),
    [
        (torch.zeros(0, 1, 32, 24), "No image was given"),
        (torch.zeros(1, 32, 24), r"\(1, 32, 24\); explain_batch takes \(batch, channel, \*space\)"),
        ([torch.zeros(1, 32, 24)], "takes a tensor .* not a list"),
    ],
)
def test_says_what_a_batch_is(batch, message):
    with pytest.raises(UnsuitableImage, match=message):
        camlucida.explain_batch(make(Dense), batch)


def test_a_model_needs_an_image(model):
    with pytest.raises(UnsuitableImage, match="No image was given"):
        camlucida.explain_batch(model, [])


def test_the_question_is_the_same_as_for_one():
    with pytest.raises(UnknownFinding, match="no finding “9”"):
        camlucida.explain_batch(make(Dense), batch_of(Dense), finding=9)
    with pytest.raises(TypeError, match="findings"):
        camlucida.explain_batch(make(Dense), batch_of(Dense), findings=1)


def test_threads_explain_one_network_in_turn():
    """In training mode with dropout, where each switches the flags and switches them back."""
    network, shots, inside, met = make(Deep).train(), batch_of(Deep, 6), [], []

    def enter(_module, _inputs):
        inside.append(threading.get_ident())
        time.sleep(0.002)
        met.append(len(inside))

    network.body.register_forward_pre_hook(enter)
    network.head.register_forward_hook(lambda *_: inside.clear())
    expected = [camlucida.explain(network, shot).values for shot in shots]
    with ThreadPoolExecutor(3) as pool:
        found = [one.values for one in pool.map(lambda shot: camlucida.explain(network, shot), shots)]
    assert set(met) == {1}
    assert all(np.array_equal(one, other) for one, other in zip(found, expected, strict=True))
    assert all(module.training for module in network.modules())


@pytest.mark.parametrize("method", ["grad-cam", "fullgrad", "shapleycam", "guided-backpropagation"])
def test_inference_in_another_thread_does_not_get_into_the_maps(method):
    """Another thread's forward pass comes by every place in the middle of each of ours."""
    network, inputs = make(Residual), images(Residual)
    expected = camlucida.explain(network, inputs, method=method).values
    other, main, answers = torch.randn(1, 3, 33, 47), threading.get_ident(), []
    plain = network(other)

    def meanwhile(_module, _inputs):
        if threading.get_ident() == main:
            thread = threading.Thread(target=lambda: answers.append(network(other)))
            thread.start()
            thread.join()

    fresh = make(Residual)  # its target layer is looked for in company too
    network.load_state_dict(fresh.state_dict())
    network.third.register_forward_pre_hook(meanwhile)
    assert np.array_equal(camlucida.explain(network, inputs, method=method).values, expected)
    assert len(answers) > 1
    assert all(torch.equal(answer, plain) for answer in answers)
    assert all(answer.requires_grad for answer in answers)  # their own graphs, not ours


def test_several_methods_from_one_forward_pass_are_those_of_each_alone(make_image):
    model = camlucida.load_model("phantom-radiograph")
    images = [make_image((90, 80), seed) for seed in range(3)]
    methods = ["Grad-CAM", "layercam", "xgrad-cam"]
    explain_by_each(model, images, methods)  # what is found once: where the network is cut
    calls = []
    handle = model.module.register_forward_hook(lambda *_: calls.append(1))
    explained, activations = explain_by_each(model, images, methods)
    handle.remove()
    for key, own in explained.items():
        for one, alone in zip(own, camlucida.explain_batch(model, images, method=key), strict=True):
            np.testing.assert_allclose(one.values, alone.values, rtol=1e-5, atol=1e-6)
            assert one.explanation.trust == alone.explanation.trust
    assert list(explained) == ["grad-cam", "layercam", "xgrad-cam"]
    assert activations.shape[0] == 3
    assert len(calls) == 1
