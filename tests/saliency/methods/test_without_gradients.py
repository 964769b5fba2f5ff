"""CAM, Ablation-CAM, Recipro-CAM, Score-CAM and Eigen-CAM, written again slowly: one change at a time."""

import math
from dataclasses import replace

import pytest
import torch
from torch import nn
from torch.nn import functional

from camlucida.errors import UnsupportedNetwork
from camlucida.models.head import head_logits
from camlucida.models.target_layer import find_cut
from camlucida.saliency.methods import METHODS
from camlucida.saliency.methods.eigen_cam import _first_component
from camlucida.saliency.methods.score_cam import MASKED_VALUES, MOST_MASKED
from camlucida.saliency.recording import HEAD_VALUES, Recording
from example_networks import Deep, Dense, Flat, Residual, Skip, Volume, images, make


def computed(key, kind, variant=None, count=1, progress=None):
    network, inputs = make(kind).double(), images(kind, count).double()
    recording = Recording(network, inputs, find_cut(network, inputs))
    method = METHODS[key]
    return recording, method.compute(recording, variant=variant or method.variants[0], progress=progress)


def head(recording, activations):
    """The logits (finding) of one image's activations, which nothing else is run with."""
    return head_logits(recording.network, recording.cut, recording.images[:1], activations[None])[0]


# --- CAM ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("kind", "linear"), [(Dense, "classifier"), (Residual, "fc"), (Volume, "fc")])
def test_cam_is_the_last_layers_weights_times_the_activations(kind, linear):
    recording, maps = computed("cam", kind)
    weights = getattr(recording.network, linear).weight.detach()
    cells = recording.activations[0, 0].numel()
    for finding, row in enumerate(weights):
        slow = sum(float(w) * channel for w, channel in zip(row, recording.activations[0], strict=True))
        torch.testing.assert_close(maps[0, finding], slow / cells)


def test_cam_needs_no_gradient(monkeypatch):
    network, inputs = make(Dense), images(Dense)
    recording = Recording(network, inputs, find_cut(network, inputs))
    monkeypatch.setattr(torch.autograd, "grad", None)
    assert METHODS["cam"].compute(recording, variant="", progress=None).abs().sum() > 0


class Homogeneous(nn.Module):
    """A head of two layers without biases: it adds up as a linear one does, and is none."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 6, 3, 2, 1)
        self.head = nn.Sequential(nn.Linear(6, 9, bias=False), nn.ReLU(), nn.Linear(9, 2, bias=False))

    def forward(self, x):
        return self.head(self.conv(x).relu().mean((2, 3)))


@pytest.mark.parametrize(
    ("network", "inputs", "sentence"),
    [
        (
            make(Flat),
            images(Flat),
            "CAM needs a head that sees only the mean of each channel; after “conv → relu”",
        ),
        (
            make(Skip),
            images(Skip),
            "CAM needs a head that sees only the mean of each channel; after “late → relu”",
        ),
        (make(Deep), images(Deep), "CAM needs one linear layer after the pooling; after “body”"),
        (make(Homogeneous), torch.randn(1, 1, 8, 8), "CAM needs one linear layer after the pooling"),
    ],
)
def test_cam_refuses_other_heads_with_a_sentence(network, inputs, sentence):
    recording = Recording(network, inputs, find_cut(network, inputs))
    with pytest.raises(UnsupportedNetwork, match=sentence):
        METHODS["cam"].compute(recording, variant="", progress=None)


# --- Ablation-CAM -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [Dense, Flat, Deep, Skip, Volume])
def test_ablation_cam_is_what_its_paper_says_with_a_difference(kind):
    recording, maps = computed("ablation-cam", kind)
    activations = recording.activations[0]
    whole, slow = head(recording, activations), torch.zeros_like(maps[0])
    for k in range(len(activations)):
        without = activations.clone()
        without[k] = 0
        drops = whole - head(recording, without)
        for finding, drop in enumerate(drops):
            slow[finding] += drop * activations[k]
    torch.testing.assert_close(maps[0], slow)


@pytest.mark.parametrize(("kind", "linear"), [(Dense, "classifier"), (Residual, "fc"), (Volume, "fc")])
def test_ablation_cam_in_closed_form_for_pooled_linear_heads(kind, linear):
    """Without a channel the logit loses that channel's weight times its mean."""
    recording, maps = computed("ablation-cam", kind)
    weights, activations = getattr(recording.network, linear).weight.detach(), recording.activations[0]
    drops = weights * activations.flatten(1).mean(dim=1)
    torch.testing.assert_close(maps[0], torch.einsum("fk,k...->f...", drops, activations))


def test_ablation_cam_does_not_turn_around_for_an_absent_finding():
    """The paper's ratio (y - y_k) / y has the other sign where y < 0."""
    recording, maps = computed("ablation-cam", Dense)
    with torch.no_grad():
        recording.network.classifier.bias -= 100
    absent = Recording(recording.network, recording.images, recording.cut)
    torch.testing.assert_close(METHODS["ablation-cam"].compute(absent, variant="", progress=None), maps)
    assert (recording.logits > 0).any()
    assert (absent.logits < 0).all()


# --- Recipro-CAM --------------------------------------------------------------------------------------------


def slow_mask(grid, cell, *, spread):
    """1 2 1 over 4 along each axis, about one cell; what falls beyond an edge stays at the edge."""
    mask = torch.zeros(grid, dtype=torch.float64)
    steps = [(-1, 0.25), (0, 0.5), (1, 0.25)] if spread else [(0, 1.0)]
    for down, high in steps:
        for right, wide in steps:
            row = min(max(cell[0] + down, 0), grid[0] - 1)
            column = min(max(cell[1] + right, 0), grid[1] - 1)
            mask[row, column] += high * wide
    return mask


@pytest.mark.parametrize("variant", ["gaussian", "cell"])
@pytest.mark.parametrize("kind", [Dense, Flat, Deep, Skip])
def test_recipro_cam_is_what_its_paper_says_in_logits(kind, variant):
    recording, maps = computed("recipro-cam", kind, variant)
    activations = recording.activations[0]
    silent = head(recording, torch.zeros_like(activations))
    for i in range(activations.shape[1]):
        for j in range(activations.shape[2]):
            mask = slow_mask(activations.shape[1:], (i, j), spread=variant == "gaussian")
            gain = head(recording, activations * mask) - silent
            torch.testing.assert_close(maps[0, :, i, j], gain)


@pytest.mark.parametrize("kind", [Dense, Flat, Residual, Skip, Volume])
def test_recipro_cam_of_one_cell_is_hirescam_for_linear_heads(kind):
    _, maps = computed("recipro-cam", kind, "cell")
    torch.testing.assert_close(maps, computed("hirescam", kind)[1])


def test_recipro_cams_kernel_is_that_of_the_paper():
    network, inputs = make(Dense), images(Dense)
    recording = Recording(network, inputs, find_cut(network, inputs))
    seen = []
    recording.rescore_head = lambda rows, _sample: (seen.append(rows), torch.zeros(len(rows), 4))[1]
    recording.activations = torch.ones_like(recording.activations)
    recording.cut = replace(recording.cut, pooled=False)  # so that the masked activations are made
    METHODS["recipro-cam"].compute(recording, variant="gaussian", progress=None)
    third = torch.cat(seen)[2 * recording.cut.grid[1] + 2, 0]
    expected = torch.tensor([[1.0, 2.0, 1.0], [2.0, 4.0, 2.0], [1.0, 2.0, 1.0]]) / 16
    torch.testing.assert_close(third[1:4, 1:4], expected)
    assert float(third.sum()) == 1.0


# --- what all that run the head owe -------------------------------------------------------------------------


@pytest.mark.parametrize(("key", "steps"), [("ablation-cam", 4), ("recipro-cam", 42)])
def test_the_head_is_run_on_as_many_rows_as_memory_allows(key, steps, monkeypatch):
    """Flat's head takes 4 × 42 values a row; room for three of them gives runs of three."""
    recording, whole = computed(key, Flat)
    monkeypatch.setattr("camlucida.saliency.recording.HEAD_VALUES", 3 * 4 * 42)
    sizes, done, inner = [], [], recording.rescore_head
    recording.rescore_head = lambda rows, sample: (sizes.append(len(rows)), inner(rows, sample))[1]
    variant = METHODS[key].variants[0]
    maps = METHODS[key].compute(recording, variant=variant, progress=lambda *step: done.append(step))
    torch.testing.assert_close(maps, whole)
    assert max(sizes) == 3
    assert sum(sizes) == steps
    assert done[-1] == (steps, steps)
    assert HEAD_VALUES * 4 <= 2**28


@pytest.mark.parametrize("key", ["ablation-cam", "recipro-cam", "cam"])
def test_the_part_before_the_head_is_run_once_more_only(key):
    network, inputs = make(Dense), images(Dense)
    recording = Recording(network, inputs, find_cut(network, inputs))
    runs = []
    handle = network.features.register_forward_hook(lambda *_: runs.append(1))
    METHODS[key].compute(recording, variant=METHODS[key].variants[0], progress=None)
    handle.remove()
    assert len(runs) == 1


# --- Score-CAM ----------------------------------------------------------------------------------------------


def slow_score_cam(network, inputs, activations, finding, *, softmax):
    baseline = float(network(torch.zeros_like(inputs))[0, finding])
    scores = []
    for channel in activations:
        low, high = float(channel.min()), float(channel.max())
        if high == low:
            scores.append(0.0)
            continue
        mask = functional.interpolate(channel[None, None], inputs.shape[2:], mode="bilinear")[0, 0]
        low, high = float(mask.min()), float(mask.max())
        scores.append(float(network(inputs * (mask - low) / (high - low))[0, finding]) - baseline)
    if softmax:
        total = sum(math.exp(score) for score in scores)
        scores = [math.exp(score) / total for score in scores]
    return sum(score * channel for score, channel in zip(scores, activations, strict=True))


@pytest.mark.parametrize("variant", ["increase", "softmax"])
@pytest.mark.parametrize("kind", [Dense, Deep])
def test_score_cam_is_what_its_paper_says(kind, variant):
    recording, maps = computed("score-cam", kind, variant)
    network, inputs, activations = recording.network, recording.images, recording.activations[0]
    with torch.no_grad():
        for finding in range(2):
            slow = slow_score_cam(network, inputs, activations, finding, softmax=variant == "softmax")
            torch.testing.assert_close(maps[0, finding], slow, rtol=1e-6, atol=1e-9)


def test_score_cam_counts_the_channels_of_all_images():
    steps = []
    computed("score-cam", Dense, count=2, progress=lambda *step: steps.append(step))
    assert steps == [(12, 24), (24, 24)]


def test_score_cam_runs_the_network_once_per_channel_for_all_findings():
    network, inputs = make(Dense), images(Dense)
    recording = Recording(network, inputs, find_cut(network, inputs))
    rows = []
    handle = network.register_forward_pre_hook(lambda _, given: rows.append(len(given[0])))
    METHODS["score-cam"].compute(recording, variant="increase", progress=None)
    handle.remove()
    assert sum(rows) == 12 + 1


@pytest.mark.parametrize("values", [1, MASKED_VALUES])
def test_score_cam_holds_a_bounded_number_of_images(values, monkeypatch):
    monkeypatch.setattr("camlucida.saliency.methods.score_cam.MASKED_VALUES", values)
    monkeypatch.setattr("camlucida.saliency.methods.score_cam.MOST_MASKED", 5)
    recording, whole = computed("score-cam", Dense)
    rows, inner = [], recording.rescore
    recording.rescore = lambda given, sample: (rows.append(len(given)), inner(given, sample))[1]
    maps = METHODS["score-cam"].compute(recording, variant="increase", progress=None)
    torch.testing.assert_close(maps, whole)
    assert max(rows) == (1 if values == 1 else 5)
    assert MOST_MASKED <= 32


# --- Eigen-CAM ----------------------------------------------------------------------------------------------


def slow_component(activations):
    """O·v, with v by power iteration on O'O."""
    channels, *grid = activations.shape
    rows = [[float(channel.flatten()[cell]) for channel in activations] for cell in range(math.prod(grid))]
    v = [1.0 / math.sqrt(channels)] * channels
    for _ in range(3000):
        ahead = [sum(o * x for o, x in zip(row, v, strict=True)) for row in rows]
        v = [sum(row[k] * a for row, a in zip(rows, ahead, strict=True)) for k in range(channels)]
        length = math.sqrt(sum(x * x for x in v))
        v = [x / length for x in v]
    slow = torch.tensor([sum(o * x for o, x in zip(row, v, strict=True)) for row in rows]).reshape(grid)
    return -slow if slow.sum() < 0 else slow


@pytest.mark.parametrize("shape", [(3, 4, 5), (12, 2, 3), (5, 2, 2, 2)])
@pytest.mark.parametrize("sign", [1, -1])
def test_eigen_cam_is_the_first_singular_vector_with_a_sum_that_is_positive(shape, sign):
    noise = torch.randn(shape, generator=torch.Generator().manual_seed(3))
    activations = sign * (noise + 0.4).double()
    component = _first_component(activations)
    torch.testing.assert_close(component, slow_component(activations).double(), rtol=1e-4, atol=1e-6)
    assert component.sum() > 0


def test_eigen_cams_sign_is_definite_even_where_the_sum_is_not():
    activations = torch.tensor([[[2.0, -2.0]]])
    assert _first_component(activations).tolist() == _first_component(-activations).tolist()


def test_eigen_cam_of_active_cells_is_positive_everywhere():
    _, maps = computed("eigen-cam", Residual)
    assert (maps >= 0).all()
