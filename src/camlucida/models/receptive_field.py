"""How far beyond its own tile a cell sees: why a mark reaches cells that do not show it."""

import torch
from torch import Tensor, nn

from camlucida.errors import UnsupportedNetwork
from camlucida.models.cut import Cut, Logits, as_it_was
from camlucida.models.limits import explainable
from camlucida.models.live import run_live

SAMPLES = 8
"""Inputs of noise that are tried: a ReLU that is closed for one is open for another."""


def overhang(
    network: nn.Module, cut: Cut, example: Tensor, *, share: float = 1.0, logits: Logits | None = None
) -> tuple[int, ...]:
    """How far a cell sees beyond its own tile, in pixels of the network's input along each axis of space.

    A cell of the target layer is drawn as a tile of the image, and is made of what lies around that tile too.
    What the cell owes to each pixel is its gradient by the input, on noise of the example's mean and spread;
    measured at the central cell, so half the input is the most that is found.

    Parameters
    ----------
    example
        Inputs (batch, channel, *space) of the size that is meant; the network is left as it was found.
    share
        Of all the gradients, how much lies within the reach. 1: the theoretical receptive field, of deep
        networks the whole image. Less: the effective one, which is far smaller (Luo et al., NeurIPS 2016).

    Raises
    ------
    UnsupportedNetwork
        No gradient comes from the target layer back to the input.
    """
    mass = _gradients(explainable(network), cut, example, logits)
    return tuple(_reach(mass, axis, cells, share) for axis, cells in enumerate(cut.grid))


def _gradients(network: nn.Module, cut: Cut, example: Tensor, logits: Logits | None) -> Tensor:
    """How much the central cell depends on each pixel: (*space), all channels and samples together."""
    generator = torch.Generator().manual_seed(0)
    noise = torch.randn((SAMPLES, *example.shape[1:]), generator=generator).to(example)
    spread = example.float().std().nan_to_num().clamp(min=1e-3)
    shown: list[Tensor] = []
    with as_it_was(network), torch.inference_mode(mode=False), torch.enable_grad():
        leaf = (noise * spread + example.mean()).clone().requires_grad_()
        run_live(network, leaf * 1.0, cut, shown.append, logits)
        cell = shown[0].flatten(2)[..., _central(cut.grid)]
        signs = torch.randn(cell.shape, generator=generator).to(cell)  # so that channels do not cancel
        gradient = _gradient((cell * signs).sum(), leaf)
    if gradient is None:
        raise UnsupportedNetwork(
            f"No gradient comes from “{cut.name}” back to the input: the network runs that part under "
            "no_grad. Its reach cannot be measured; give it in pixels."
        )
    return gradient.detach().double().abs().sum(dim=(0, 1))


def _central(grid: tuple[int, ...]) -> int:
    """The number of the central cell, row by row."""
    number = 0
    for cells in grid:
        number = number * cells + cells // 2
    return number


def _gradient(value: Tensor, leaf: Tensor) -> Tensor | None:
    if not value.requires_grad:
        return None
    (gradient,) = torch.autograd.grad(value, leaf, allow_unused=True)
    return gradient


def _reach(mass: Tensor, axis: int, cells: int, share: float) -> int:
    """Pixels on both sides of the central tile, along one axis, within which this share of the mass lies."""
    profile = mass.movedim(axis, 0).flatten(1).sum(dim=1)
    size, total = len(profile), float(profile.sum())
    start, end = cells // 2 * size // cells, -(-(cells // 2 + 1) * size // cells)
    for reach in range(size):
        low, high = max(0, start - reach), min(size, end + reach)
        outside = float(profile[:low].sum() + profile[high:].sum())
        if outside <= (1 - share) * total:
            return reach
    return size
