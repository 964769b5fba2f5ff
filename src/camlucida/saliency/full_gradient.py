"""A logit taken apart: what the input's values add to it, and what each bias inside the network does.

Of a network of ReLUs and affine layers, f(x) = x · df/dx + sum of b · df/dz over all its biases b, where z is
what the bias is added to (Srinivas and Fleuret, NeurIPS 2019, arXiv 1905.00780, proposition 1). Batch norms
have an implicit bias too: all that they do beside scaling.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from threading import get_ident
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm, _NormBase
from torch.nn.modules.conv import _ConvNd

from camlucida.saliency.recording import Recording


@dataclass(frozen=True, slots=True)
class FullGradient:
    """The parts of one target's values.

    `of_input` is x · df/dx (batch, channel, *space); `of_biases` are b · df/dz, one for each time that a
    layer with a bias ran: (batch, channel, *grid), (batch, feature), or (batch, token, feature). `missing`
    (batch) is what they leave of the target's value: biases without a layer, functions that bend.
    """

    of_input: Tensor
    of_biases: tuple[Tensor, ...]
    missing: Tensor

    @property
    def missing_share(self) -> float:
        """The largest |missing| of a sample, as a share of all that its value is made of."""
        known = [part.flatten(1).sum(dim=1).abs() for part in (self.of_input, *self.of_biases)]
        whole = torch.stack([*known, self.missing.abs()]).sum(dim=0)
        return float((self.missing.abs() / torch.where(whole > 0, whole, 1)).max())


def full_gradients(recording: Recording) -> Iterator[FullGradient]:
    """One for each target: one forward pass in all, and one backward pass each."""
    layers: list[_Layer] = []
    with recording.differentiable() as network:
        images = recording.images.detach().clone().requires_grad_()
        with _watched(recording.network, layers):
            logits = network(images)
        leaves = [images, *(layer.output for layer in layers)]
        for values in torch.einsum("bf,btf->tb", logits, recording.targets):
            of_input, *of_outputs = torch.autograd.grad(
                values.sum(), leaves, retain_graph=True, allow_unused=True, materialize_grads=True
            )
            of_biases = [layer.part(gradient) for layer, gradient in zip(layers, of_outputs, strict=True)]
            yield _taken_apart(values.detach(), of_input * images.detach(), of_biases)


def _taken_apart(values: Tensor, of_input: Tensor, of_biases: list[Tensor]) -> FullGradient:
    known = sum((_total(part) for part in of_biases), _total(of_input))
    return FullGradient(of_input, tuple(of_biases), values - known)


def _total(part: Tensor) -> Tensor:
    return part.flatten(1).sum(dim=1)


@dataclass(frozen=True, slots=True, eq=False)
class _Layer:
    """What a layer gave, and the bias in it, which lies along this axis."""

    output: Tensor
    bias: Tensor
    axis: int

    def part(self, gradient: Tensor) -> Tensor:
        """The part b · df/dz, channels first."""
        return (gradient.movedim(self.axis, -1) * self.bias).movedim(-1, 1)


@contextmanager
def _watched(network: nn.Module, layers: list[_Layer]) -> Iterator[None]:
    """Each layer with a bias is written down whenever it has run."""
    with ExitStack() as stack:
        for module in network.modules():
            if (bias := _bias(module)) is not None:
                axis = -1 if isinstance(module, nn.Linear | nn.LayerNorm) else 1
                stack.callback(module.register_forward_hook(_write_down(layers, bias, axis)).remove)
        yield


def _write_down(layers: list[_Layer], bias: Tensor, axis: int) -> Any:
    thread = get_ident()

    def hook(_module: nn.Module, _inputs: Any, output: Tensor) -> Tensor:
        if get_ident() != thread:  # the network is used elsewhere at the same time
            return output
        layers.append(_Layer(output, bias, axis))
        return output.clone()  # what follows may work in place

    return hook


def _bias(module: nn.Module) -> Tensor | None:
    """What a layer adds, (channel), whatever it is given; None for a layer that adds nothing."""
    bias: Tensor | None = None
    if isinstance(module, _ConvNd | nn.Linear | nn.GroupNorm | nn.LayerNorm | _NormBase):
        bias = module.bias
    if isinstance(module, _BatchNorm) and module.running_mean is not None and module.running_var is not None:
        scale = (module.running_var + module.eps).rsqrt()
        if module.weight is not None:
            scale = scale * module.weight
        shift = -module.running_mean * scale
        bias = shift if bias is None else bias + shift
    return None if bias is None else bias.detach().flatten()
