"""The layer whose weights are the maps' own: where the head is a mean over space and one linear layer."""

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from camlucida.models.cut import Cut, Logits, run
from camlucida.models.head import LINEAR_WITHIN
from camlucida.models.limits import explainable

Linear = nn.Linear | nn.Conv2d | nn.Conv3d
"""A linear layer; after a mean over space a convolution of size 1 is one too."""


def find_linear(network: nn.Module, cut: Cut, example: Tensor, logits: Logits | None = None) -> Linear | None:
    """The linear layer that makes the logits of the channels' means, or None: then the head is another.

    Of the layers of the right size the one is taken whose weights and bias make the network's logits of its
    activations, tried on the example (batch, channel, *space); the network is left as it was found.
    """
    if not cut.pooled:
        return None
    network = explainable(network)
    shown: list[Tensor] = []

    def keep(tensor: Tensor) -> Tensor:
        shown.append(tensor.detach().clone())
        return tensor

    said = run(network, example, cut, keep, logits).logits.detach()
    means = shown[0].flatten(2).mean(dim=2)
    fitting = (layer for layer in _candidates(network, cut) if _makes(layer, means, said))
    return next(fitting, None)


def weights(layer: Linear) -> Tensor:
    """Its weights as a matrix (finding, channel): the layer's own, so that gradients come to it."""
    return layer.weight.flatten(1)


def biases(layer: Linear) -> Tensor:
    """Its bias (finding,); zeros where it has none."""
    matrix = weights(layer)
    return matrix.new_zeros(len(matrix)) if layer.bias is None else layer.bias


def _candidates(network: nn.Module, cut: Cut) -> Iterator[Linear]:
    for layer in network.modules():
        if not isinstance(layer, nn.Linear | nn.Conv2d | nn.Conv3d):
            continue
        if weights(layer).shape == (cut.findings, cut.channels):
            yield layer


def _makes(layer: Linear, means: Tensor, said: Tensor) -> bool:
    with torch.no_grad():
        own = means.to(weights(layer)) @ weights(layer).T + biases(layer)
    allowed = LINEAR_WITHIN * said.abs().max().clamp(min=1)
    return bool((own - said).abs().max() <= allowed)
