"""Is the head linear? The proof that a model's maps add up to its logits, or how far they are from it.

If the head is affine in the activations A, then y = b + sum(dy/dA · A) exactly, so the map of HiResCAM adds
up to the logit (Draelos & Carin, arXiv 2011.08891, section 3). If its gradient is also the same in every cell
(global average pooling and a linear layer), Grad-CAM is that same map.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from camlucida.models.cut import Cut, Logits, Output, as_it_was, run
from camlucida.models.limits import explainable
from camlucida.records.trust_report import HeadKind

LINEAR_WITHIN = 1e-4
"""Largest deviation, in logits (relative to logits larger than 1), of a head that is called linear."""


_ROUNDING = 1e-5  # of logits in float32, relative


@dataclass(frozen=True, slots=True)
class HeadProof:
    """What was found when the head was tried on `inputs` inputs, `images` of which were no made-up ones.

    `deviation` is the largest |sum + bias - logit| of the signed map that is faithful by theorem (HiResCAM),
    `deviation_pooled` that of Grad-CAM, both in logits. `bias` are the logits of a silent target layer.
    """

    kind: HeadKind
    deviation: float
    deviation_pooled: float
    bias: tuple[float, ...]
    target_layer: str
    grid: tuple[int, ...]
    inputs: int
    why: str = ""  # this layer, as the end of a sentence
    images: int = 0

    def faithful(self, method: str) -> bool:
        """Whether the theorem covers this method's map."""
        pooled = method == "grad-cam" and self.deviation_pooled <= LINEAR_WITHIN
        return self.kind is HeadKind.LINEAR and (method == "hirescam" or pooled)


def prove(
    network: nn.Module,
    cut: Cut,
    inputs: Iterable[Tensor],
    logits: Logits | None = None,
    *,
    made_up: int | None = None,
) -> HeadProof:
    """Try the head on real activations and on random ones.

    Parameters
    ----------
    inputs
        Each (1, channel, *space); the more, the stronger. Taken one after the other, none is kept.
    made_up
        How many of them, the first, are made-up; None for all. The others are images.
    """
    network = explainable(network)
    # Whatever mode the caller is in.
    with as_it_was(network), torch.inference_mode(mode=False), torch.enable_grad():
        trials = [_try(network, cut, image, logits) for image in inputs]
    linear = all(trial.affine for trial in trials)
    deviation = max(trial.deviation for trial in trials)
    return HeadProof(
        kind=HeadKind.LINEAR if linear and deviation <= LINEAR_WITHIN else HeadKind.NONLINEAR,
        deviation=deviation,
        deviation_pooled=max(trial.deviation_pooled for trial in trials),
        bias=trials[0].bias,
        target_layer=cut.name,
        grid=cut.grid,
        inputs=len(trials),
        why=cut.why,
        images=0 if made_up is None else len(trials) - made_up,
    )


def head_logits(
    network: nn.Module, cut: Cut, image: Tensor, activations: Tensor, logits: Logits | None = None
) -> Tensor:
    """Logits (row, finding) that the head gives for activations (row, channel, *grid).

    `image` (1, channel, *space) supplies whatever the head reads beside the activations.
    """
    if cut.stackable:
        return run(network, image, cut, lambda _: activations, logits).logits.detach()
    rows = [run(network, image, cut, lambda _, row=row: row[None], logits).logits for row in activations]  # type: ignore[misc]  # mypy does not infer a lambda's default
    return torch.cat(rows).detach()


@dataclass(frozen=True, slots=True)
class _Trial:
    affine: bool
    deviation: float
    deviation_pooled: float
    bias: tuple[float, ...]


def _try(network: nn.Module, cut: Cut, image: Tensor, logits: Logits | None) -> _Trial:
    leaf, output = _record(network, cut, image, logits)
    scale = leaf.abs().mean().clamp(min=1.0)  # faint activations would hide that a head bends
    generator = torch.Generator().manual_seed(0)
    first, second = (
        torch.randn(leaf.shape, generator=generator, dtype=torch.float32).to(leaf) * scale for _ in range(2)
    )
    rows = torch.cat([torch.zeros_like(leaf), first, second, first + second])
    nothing, one, other, both = head_logits(network, cut, image, rows, logits).double()
    additive = (one + other - both - nothing).abs()
    allowed = LINEAR_WITHIN * rows_scale(one - nothing, other - nothing) + _ROUNDING * rows_scale(one, both)
    deviations, pooled = _deviations(leaf, output.logits[0], nothing)
    return _Trial(bool((additive <= allowed).all()), deviations, pooled, tuple(float(b) for b in nothing))


def rows_scale(*logits: Tensor) -> Tensor:
    """The largest absolute logit among several, finding by finding."""
    return torch.stack([row.abs() for row in logits]).amax(dim=0)


def _record(network: nn.Module, cut: Cut, image: Tensor, logits: Logits | None) -> tuple[Tensor, Output]:
    leaves: list[Tensor] = []

    def at_cut(tensor: Tensor) -> Tensor:
        leaves.append(tensor.detach().requires_grad_())
        return leaves[0].clone()

    output = run(network, image, cut, at_cut, logits)
    return leaves[0], output


def _deviations(leaf: Tensor, logits: Tensor, bias: Tensor) -> tuple[float, float]:
    """Largest |sum + bias - logit| of HiResCAM and of Grad-CAM, relative to logits larger than 1."""
    exact, pooled = [], []
    axes, activations = tuple(range(2, leaf.ndim)), leaf.detach()
    for index, logit in enumerate(logits):
        (gradient,) = torch.autograd.grad(logit, leaf, retain_graph=True)
        target = (logit - bias[index]).detach().double()
        unit = max(1.0, abs(float(logit.detach())))
        exact.append(float(((gradient * activations).double().sum() - target).abs()) / unit)
        averaged = gradient.mean(dim=axes, keepdim=True) * activations
        pooled.append(float((averaged.double().sum() - target).abs()) / unit)
    return max(exact), max(pooled)
