"""FullGrad: what the input's values and every bias inside the network add to the logit."""

import torch
from torch import Tensor

from camlucida.records.saliency_map import Unit
from camlucida.saliency.full_gradient import FullGradient, full_gradients
from camlucida.saliency.method import Grid, Method, Progress
from camlucida.saliency.recording import Recording
from camlucida.saliency.upsampling import upsampled

NOTABLE = 0.05
"""Share of the logit without a place in any layer from which it is said."""


def fullgrad(recording: Recording, *, variant: str = "", progress: Progress | None = None) -> Tensor:
    """psi(x · dy/dx) + sum over layers of psi(b · dy/dz), on the input's pixels (eq. 4).

    psi takes the absolute value and scales a layer's to 0..1 (authors' code: all channels of a layer
    together), adds the channels up and upsamples. Dense layers, which have no place, are not on the map.
    """
    del variant
    maps, missing, targets = [], 0.0, recording.targets.shape[1]
    for done, parts in enumerate(full_gradients(recording), start=1):
        maps.append(_map(parts))
        missing = max(missing, parts.missing_share)
        if progress is not None:
            progress(done, targets)
    if missing > NOTABLE:
        recording.remarks.append(
            f"FullGrad misses {missing:.0%} of what the logits are made of: biases that belong to no layer, "
            "or functions that bend (SiLU, GELU, softmax)."
        )
    return torch.stack(maps, dim=1)


def _map(parts: FullGradient) -> Tensor:
    """(batch, *space), nowhere negative."""
    axes = parts.of_input.ndim
    placed = [part for part in parts.of_biases if part.ndim == axes]
    return torch.stack([_psi(part, parts.of_input.shape[2:]) for part in (parts.of_input, *placed)]).sum(
        dim=0
    )


def _psi(part: Tensor, space: torch.Size) -> Tensor:
    """Of one layer's part (batch, channel, *grid): (batch, *space)."""
    size = part.abs().flatten(1)
    low, high = size.amin(dim=1, keepdim=True), size.amax(dim=1, keepdim=True)
    spread = torch.where(high > low, high - low, 1)
    channels = ((size - low) / spread).reshape(part.shape)
    return upsampled(channels.sum(dim=1, keepdim=True), space)[:, 0]


METHOD = Method(
    name="FullGrad",
    paper="Srinivas and Fleuret, NeurIPS 2019, arXiv 1905.00780",
    compute=fullgrad,
    unit=Unit.RELATIVE,
    passes="one inference, and one backward pass through the whole network for each finding",
    caution="Shows what matters, for or against; complete, before it is scaled, in networks of ReLUs only.",
    grid=Grid.PIXELS,
    at_input=True,
)
