"""Whether a network says the same in another runtime: activations, logits and maps, on two inputs."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, einsum

from camlucida.models.cut import Output
from camlucida.models.runtimes.runtime import FLOAT32

Run = Callable[[Tensor, Callable[[Tensor], Tensor]], Output]
"""Images (batch, channel, *space) and what happens at the cut, to logits."""

_ALLOWED = 1e-5
_ALLOWED_BY_LOWER_PRECISION = 0.05
_MOST_MAPS = 32


@dataclass(frozen=True, slots=True)
class Deviation:
    """The largest differences from torch.

    `activations` relative to the largest of them; `logits` and `maps` (Grad-CAM) in logits, relative where
    the largest is more than 1.
    """

    activations: float
    logits: float
    maps: float

    def within(self, precision: str) -> bool:
        """Whether this is rounding, as the precision lets expect it; nan is not."""
        return all(
            deviation <= allowed(precision) for deviation in (self.activations, self.logits, self.maps)
        )

    @property
    def described(self) -> str:
        """The three figures."""
        return (
            f"activations differ by {self.activations:.1e}, logits by {self.logits:.1e}, maps by "
            f"{self.maps:.1e}"
        )


NONE = Deviation(0.0, 0.0, 0.0)


def allowed(precision: str) -> float:
    """The largest deviation that a precision may cause."""
    return _ALLOWED if precision == FLOAT32 else _ALLOWED_BY_LOWER_PRECISION


def compare(image: Tensor, in_torch: Run, elsewhere: Run) -> Deviation:
    """Run both on an image (1, channel, *space), and on noise of the same mean and spread."""
    generator = torch.Generator().manual_seed(0)
    noise = torch.randn(image.shape, generator=generator) * image.std() + image.mean()
    pairs = [(_look(in_torch, one), _look(elsewhere, one)) for one in (image, noise)]
    return Deviation(
        activations=max(_difference(a.activations, b.activations, least=0.0) for a, b in pairs),
        logits=max(_difference(a.logits, b.logits, least=1.0) for a, b in pairs),
        maps=max(_difference(a.maps, b.maps, least=1.0) for a, b in pairs),
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Look:
    activations: Tensor
    logits: Tensor
    maps: Tensor


def _look(run: Run, image: Tensor) -> _Look:
    """What one run gives, with the Grad-CAM maps of some logits."""
    leaves: list[Tensor] = []

    def at_cut(tensor: Tensor) -> Tensor:
        leaves.append(tensor.detach().clone().requires_grad_())
        return leaves[0].clone()

    with torch.inference_mode(mode=False), torch.enable_grad():
        logits = run(image, at_cut).logits[0]
        gradients = [
            torch.autograd.grad(logit, leaves[0], retain_graph=True)[0][0] for logit in logits[:_MOST_MAPS]
        ]
    weights = torch.stack(gradients).flatten(2).mean(dim=2)
    activations = leaves[0].detach()
    return _Look(activations, logits.detach(), einsum("fk,k...->f...", weights, activations[0]))


def _difference(one: Tensor, other: Tensor, least: float) -> float:
    """Largest |difference|, relative to the largest value of the first, but to no less than `least`."""
    if one.shape != other.shape:
        return float("inf")
    scale = max(float(one.abs().max()), least) or 1.0
    return float((one - other).abs().max()) / scale
