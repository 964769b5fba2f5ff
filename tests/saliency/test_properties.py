"""What holds for every image and every network of a kind, tried on many of them."""

import math

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some
from torch import nn

import camlucida
from camlucida.errors import UnsuitableImage, UnsupportedNetwork
from camlucida.models.target_layer import find_cut
from camlucida.saliency.contrast import Contrast
from camlucida.saliency.recording import Recording

few = settings(max_examples=12, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
CAMS = ("grad-cam", "grad-cam++", "hirescam", "layercam", "xgrad-cam", "eigen-cam", "ablation-cam", "cam")
SUMMING = ("grad-cam", "hirescam", "xgrad-cam", "cam")
"""Their maps add up to the logit less the bias, where the head is a mean and a linear layer."""

seeds = some.integers(0, 10_000)
sizes = some.integers(9, 40)


class Small(nn.Module):
    """Convolutions, mean over space, one linear layer; in two or three dimensions."""

    def __init__(self, axes=2, channels=1, findings=3):
        super().__init__()
        convolution = (nn.Conv2d, nn.Conv3d)[axes - 2]
        self.body = nn.Sequential(
            convolution(channels, 5, 3, 2, 1), nn.ReLU(), convolution(5, 6, 3, 2, 1), nn.ReLU()
        )
        self.fc = nn.Linear(6, findings)

    def forward(self, x):
        return self.fc(self.body(x).flatten(2).mean(2))


class Bent(Small):
    """The same with a head that is not linear."""

    def forward(self, x):
        return self.fc(torch.nn.functional.gelu(self.body(x).flatten(2).mean(2)))


def network(seed, kind=Small, **options):
    torch.manual_seed(seed)
    return kind(**options).eval()


def noise(seed, *shape):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


@few
@given(seeds, sizes, sizes, some.sampled_from(SUMMING))
def test_maps_of_odd_sizes_add_up_to_the_logit(seed, rows, columns, method):
    result = camlucida.explain(network(seed), noise(seed, 1, rows, columns), method=method)
    assert result.values.shape == (3, math.ceil(rows / 4), math.ceil(columns / 4))
    sums = result.values.reshape(3, -1).sum(axis=1, dtype=np.float64)
    assert sums + result.bias == pytest.approx(result.logits, abs=1e-4)


@few
@given(seeds, some.integers(1, 4), some.sampled_from([2, 3]), some.sampled_from(CAMS))
def test_a_batch_says_what_each_image_says_alone(seed, count, axes, method):
    net = network(seed, Small if method == "cam" else Bent, axes=axes)
    batch = noise(seed, count, 1, *[16] * axes)
    for together, image in zip(camlucida.explain_batch(net, batch, method=method), batch, strict=True):
        alone = camlucida.explain(net, image, method=method)
        largest = max(1.0, float(np.abs(alone.values).max()))
        assert together.values == pytest.approx(alone.values, abs=1e-5 * largest)
        assert together.logits == pytest.approx(alone.logits, abs=1e-5)


@few
@given(seeds, some.sampled_from([torch.float64, torch.float32, torch.bfloat16]), some.sampled_from(SUMMING))
def test_every_precision_gives_the_same_maps_as_far_as_it_goes(seed, dtype, method):
    image = noise(seed, 1, 24, 20)
    expected = camlucida.explain(network(seed).double(), image.double(), method=method)
    found = camlucida.explain(network(seed).to(dtype), image.to(dtype), method=method)
    tolerance = {torch.float64: 1e-6, torch.float32: 1e-4, torch.bfloat16: 0.05}[dtype]
    assert found.values.dtype == np.float32
    assert found.values == pytest.approx(expected.values, abs=tolerance)
    assert found.explanation.provenance.precision == str(dtype).removeprefix("torch.")


@few
@given(seeds, some.sampled_from(CAMS))
def test_one_row_of_cells_is_a_map_too(seed, method):
    """The grid is 1×2: there is hardly any space left."""
    result = camlucida.explain(network(seed), noise(seed, 1, 3, 7), method=method, target_layer="body")
    assert result.values.shape == (3, 1, 2)
    assert np.isfinite(result.values).all()


def test_a_single_cell_is_no_map():
    with pytest.raises(camlucida.errors.NoTargetLayer, match="no tensor with spatial extent"):
        camlucida.explain(network(0), noise(0, 1, 3, 3), target_layer="body")


@few
@given(seeds, some.sampled_from(CAMS))
def test_a_silent_layer_gives_a_map_of_zeros_with_words(seed, method):
    net = network(seed)
    with torch.no_grad():
        net.body[2].weight.zero_()
        net.body[2].bias.fill_(-1)
    cut = find_cut(network(seed), noise(seed, 1, 1, 16, 16))
    recording = Recording(net, noise(seed, 1, 1, 16, 16), cut)
    maps = camlucida.METHODS[method].compute(recording, variant="", progress=None)
    assert not maps.any()
    assert torch.equal(recording.logits, recording.bias)


@few
@given(seeds)
def test_a_map_that_only_argues_against_is_kept_negative(seed):
    net = network(seed)
    with torch.no_grad():
        net.fc.weight[1] = -net.fc.weight[1].abs() - 0.1
    result = camlucida.explain(net, noise(seed, 1, 16, 16), finding=1)
    assert (result.values <= 0).all()
    assert (result.values < 0).any()
    assert not result.explanation.saliency_map.supported(0)
    assert "no place on the image argues for" in result.explanation.trust.findings[0].statement


@few
@given(some.sampled_from([math.nan, math.inf, -math.inf]), some.integers(0, 2), some.integers(0, 255))
def test_what_is_not_finite_is_refused_with_its_place(value, image, place):
    batch = noise(0, 3, 1, 16, 16)
    batch[image].view(-1)[place] = value
    with pytest.raises(UnsuitableImage, match=rf"^images\[{image}\]: .*not finite"):
        camlucida.explain_batch(network(0), batch)


def test_damaged_weights_are_told():
    net = network(0)
    net(noise(0, 1, 1, 16, 16))
    camlucida.explain(net, noise(0, 1, 16, 16))
    with torch.no_grad():
        net.fc.bias[1] = math.nan
    with pytest.raises(UnsupportedNetwork, match="not finite"):
        camlucida.explain(net, noise(0, 1, 16, 16))


@few
@given(seeds, some.sampled_from([-100.0, -30.0, 30.0, 100.0]), some.sampled_from(CAMS))
def test_a_logit_of_a_hundred_neither_overflows_nor_blanks_the_map(seed, logit, method):
    net, image = network(seed), noise(seed, 1, 16, 16)
    ordinary = camlucida.explain(net, image, method=method)
    with torch.no_grad():
        net.fc.bias += logit - net(image[None])[0]
    result = camlucida.explain(net, image, method=method)
    assert result.logits == pytest.approx([logit] * 3, abs=1e-3)
    tolerance = 1e-3 * max(1.0, float(np.abs(ordinary.values).max()))
    assert result.values == pytest.approx(ordinary.values, abs=tolerance)
    assert np.abs(result.values).max() > 0
    probabilities = result.explanation.prediction.probabilities
    assert all(0 <= probability <= 1 for probability in probabilities)


class Probable(Small):
    """Ends in a sigmoid, which is flat where it is sure."""

    def forward(self, x):
        return torch.sigmoid(super().forward(x))


@few
@given(seeds, some.sampled_from([-100.0, 100.0]))
def test_a_sure_probability_has_no_blank_map(seed, logit):
    net, image = network(seed, Probable), noise(seed, 1, 16, 16)
    with torch.no_grad():
        net.fc.bias += logit
    result = camlucida.explain(net, image)
    assert np.abs(result.values).max() > 0
    assert np.abs(result.logits - logit).max() < 50


@few
@given(seeds, some.sampled_from(SUMMING))
def test_this_rather_than_that_is_minus_that_rather_than_this(seed, method):
    net, image = network(seed), noise(seed, 1, 16, 16)
    one = camlucida.explain(net, image, method=method, finding=0, contrast=2)
    other = camlucida.explain(net, image, method=method, finding=2, contrast=0)
    assert one.values == pytest.approx(-other.values, abs=1e-5)
    assert one.logits == pytest.approx(-other.logits, abs=1e-5)
    assert one.bias == pytest.approx(-other.bias, abs=1e-5)


@few
@given(seeds, some.floats(0, 3), some.sampled_from(("grad-cam", "hirescam", "xgrad-cam")), some.booleans())
def test_the_map_of_a_difference_is_the_difference_of_maps(seed, strength, method, bent):
    """Also where the head is not linear: these methods are linear in the gradient."""
    net, image = network(seed, Bent if bent else Small), noise(seed, 1, 16, 16)
    first, second = camlucida.explain(net, image, method=method, finding=[0, 1]).values
    held = camlucida.explain(net, image, method=method, finding=0, contrast=Contrast(1, strength))
    assert held.values[0] == pytest.approx(first - strength * second, abs=1e-5 * (1 + strength))


@few
@given(seeds, some.permutations(range(5)), some.sampled_from(CAMS))
def test_the_order_of_findings_is_the_order_of_maps(seed, order, method):
    net, image = network(seed, findings=5), noise(seed, 1, 16, 16)
    every = camlucida.explain(net, image, method=method)
    found = camlucida.explain(net, image, method=method, finding=order)
    assert found.findings == tuple(f"output {index}" for index in order)
    assert found.values == pytest.approx(every.values[order], abs=1e-5)
    for field in ("logits", "bias", "residual"):
        assert getattr(found, field) == pytest.approx(getattr(every, field)[order], abs=1e-5)


@few
@given(seeds, some.lists(some.integers(0, 2), min_size=1, max_size=5))
def test_a_finding_asked_twice_is_answered_twice(seed, asked):
    net, image = network(seed), noise(seed, 1, 16, 16)
    every, found = camlucida.explain(net, image), camlucida.explain(net, image, finding=asked)
    assert found.values == pytest.approx(every.values[asked], abs=1e-6)
