"""Other people's architectures, unchanged: the layer that is found, the proof of the head, and the sum.

The table here is the table of docs/concepts/target-layers.md, which a test below holds against it.
"""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch.overrides import TorchFunctionMode

import camlucida
from camlucida.models.head import prove
from camlucida.models.target_layer import find_cut
from camlucida.saliency.recording import Recording
from other_networks import NETWORKS, image, network, outputs

FOUND = {
    # name: (target layer, its grid, (order, prefix tokens) where not channels first, head)
    "torchvision resnet18": ("layer4", (2, 3), None, "linear"),
    "torchvision densenet121": ("features.norm5 → relu", (2, 2), None, "linear"),
    "torchvision efficientnet_b0": ("features", (2, 2), None, "linear"),
    "torchvision mobilenet_v3_small": ("features", (2, 3), None, "nonlinear"),
    "torchvision vgg11": ("avgpool", (7, 7), None, "nonlinear"),
    "torchvision inception_v3": ("Mixed_7c", (1, 2), None, "linear"),
    "torchvision convnext_tiny": ("features", (2, 2), None, "nonlinear"),
    "torchvision regnet_y_400mf": ("trunk_output", (2, 3), None, "linear"),
    "torchvision swin_t": ("permute", (2, 3), None, "linear"),
    "torchvision vision transformer": (
        "encoder.layers.encoder_layer_2.ln_1", (4, 4), ("tokens", 1), "nonlinear"),
    "timm vit_tiny_patch16_224": ("blocks.2.norm1", (4, 4), ("tokens", 1), "nonlinear"),
    "timm vit, oblong": ("blocks.2.norm1", (4, 6), ("tokens", 1), "nonlinear"),
    "timm vit, mean of tokens": ("norm", (4, 4), ("tokens", 0), "nonlinear"),
    "timm vit, attention pooling": ("norm", (4, 4), ("tokens", 0), "nonlinear"),
    "timm deit, two prefix tokens": ("blocks.2.norm1", (4, 4), ("tokens", 2), "nonlinear"),
    "timm swin_tiny": ("norm", (2, 2), ("channels last", 0), "linear"),
    "timm convnext_atto": ("norm_pre", (2, 2), None, "nonlinear"),
    "timm efficientnet_lite0": ("bn2", (2, 2), None, "linear"),
    "timm seresnet18": ("layer4", (2, 3), None, "linear"),
    "timm resnet26t, mean and max": ("layer4", (2, 2), None, "nonlinear"),
    "timm maxvit": ("norm", (2, 2), None, "linear"),
    "monai DenseNet121 3D": ("class_layers.relu", (1, 2, 2), None, "linear"),
    "monai EfficientNetBN 3D": ("_swish", (1, 2, 2), None, "linear"),
    "monai SegResNet 3D": ("act_mod", (16, 24, 32), None, "linear"),
    "monai UNet 3D": ("model.1", (8, 12, 16), None, "linear"),
    "monai ViT 3D": ("blocks.2.norm1", (2, 4, 4), ("tokens", 1), "nonlinear"),
    "hugging face ViT": ("vit.layers.2.layernorm_before", (4, 4), ("tokens", 1), "nonlinear"),
    "hugging face Swin": ("swin.layernorm", (4, 4), ("tokens", 0), "linear"),
    "hugging face ConvNext": ("convnext.encoder.stages.3", (2, 2), None, "nonlinear"),
    "hugging face ResNet": ("resnet.encoder.stages.2", (4, 4), None, "linear"),
    "torchxrayvision DenseNet": ("features.norm5 → relu", (2, 2), None, "linear"),
}  # fmt: skip
ADAPTERS = {
    "monai SegResNet 3D": lambda output: output.flatten(2).mean(2),
    "monai UNet 3D": lambda output: output.flatten(2).mean(2),
    "monai ViT 3D": lambda output: output[0],
}
PAGE = Path(__file__).parents[2] / "docs/concepts/target-layers.md"

every_architecture = pytest.mark.parametrize("name", FOUND)


@pytest.fixture(scope="module")
def cuts():
    return {}


@pytest.fixture
def cut(cuts, name):
    """Found once for all tests of a network."""
    if name not in cuts:
        cuts[name] = find_cut(network(name), image(name), logits=ADAPTERS.get(name))
    return cuts[name]


@every_architecture
def test_the_layer_is_found(name, cut):
    layer, grid, layout, _ = FOUND[name]
    found = cut.layout and (str(cut.layout.order), cut.layout.prefix)
    assert (cut.name, cut.grid, found) == (layer, grid, layout)


@every_architecture
def test_the_head_is_proven_linear_or_not(name, cut):
    proof = prove(network(name), cut, [image(name)], ADAPTERS.get(name))
    assert str(proof.kind) == FOUND[name][3]
    if proof.kind == "linear":
        assert proof.deviation < 1e-4


@every_architecture
def test_the_gradients_are_those_of_full_autograd(name, cut):
    tensor, logits = full_autograd(name)
    recording = Recording(network(name), image(name), cut, logits=ADAPTERS.get(name))
    for finding, logit in enumerate(logits[0]):
        (expected,) = torch.autograd.grad(logit, tensor, retain_graph=True)
        expected = as_cells(expected, *(FOUND[name][2] or ("channels first", 0)), cut.grid)
        difference = (recording.gradients[:, finding] - expected).abs().max()
        assert difference <= 1e-5 * max(1.0, float(expected.abs().max()))
        assert expected.abs().max() > 0


@every_architecture
def test_the_map_adds_up_to_the_networks_own_logit(name):
    adapter = ADAPTERS.get(name, lambda output: output)
    result = camlucida.explain(network(name), image(name), method="hirescam", logits=ADAPTERS.get(name))
    logits = adapter(outputs(name) if name != "monai ViT 3D" else (outputs(name),))[0].numpy()
    added = result.values.sum(axis=tuple(range(1, result.values.ndim))) + result.bias + result.residual
    assert np.allclose(result.logits, logits, rtol=1e-4, atol=1e-5)
    assert np.allclose(added, logits, rtol=1e-4, atol=1e-4)
    if FOUND[name][3] == "linear":
        assert np.abs(result.residual).max() <= 1e-4 * max(1, np.abs(logits).max())


def test_the_page_has_this_table():
    rows = [line for line in PAGE.read_text("utf-8").splitlines() if line.startswith("| `")]
    assert rows == [row(name) for name in FOUND]


def row(name):
    layer, grid, layout, head = FOUND[name]
    cells = " × ".join(map(str, grid))
    order, prefix = layout or ("channels first", 0)
    kept = f", {prefix} kept" if prefix else ""
    size = " × ".join(map(str, NETWORKS[name][1]))
    return f"| `{name}` | {size} | {layer} | {cells} | {order}{kept} | {head} |"


class Results(TorchFunctionMode):
    """The last result of each function, by the function's name."""

    def __init__(self):
        super().__init__()
        self.last = {}

    def __torch_function__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        self.last[getattr(func, "__name__", "")] = result
        return result


def full_autograd(name):
    """The tensor at the target layer and the logits, from one pass with a graph all the way."""
    module, _, function = FOUND[name][0].partition(" → ")
    kept = []
    handle = network(name).get_submodule(module).register_forward_hook(
        lambda _module, _inputs, output: kept.append(output)
    )  # fmt: skip
    with Results() as results:
        returned = network(name)(image(name).requires_grad_())
    handle.remove()
    logits = ADAPTERS.get(name, lambda output: getattr(output, "logits", output))(returned)
    return results.last[function] if function else kept[-1], logits


def as_cells(tensor, order, prefix, grid):
    """(1, channel, *grid), element by element where the network has tokens."""
    if order == "channels first":
        return tensor
    if order == "channels last":
        return torch.stack([tensor[..., channel] for channel in range(tensor.shape[-1])], dim=1)
    cells = torch.zeros(1, tensor.shape[2], *grid)
    for token, place in enumerate(np.ndindex(*grid)):
        cells[(0, slice(None), *place)] = tensor[0, prefix + token]
    return cells
