"""What stands for "nothing there": the images that attributions start from, or cover places with.

No such image is neutral; which one was taken is in the provenance, as the method's variant.
"""

import torch
from torch import Tensor
from torch.nn.functional import conv1d, pad

from camlucida.saliency.recording import Recording

BASELINES = ("zero", "mean", "blur")
"""Zeros in the network's input (black, where black is prepared as 0), each channel's mean, or a blur."""

FILLINGS = ("blur", "mean", "zero")
"""The same, as covers of a region, the best first: a blur leaves the fewest new edges, which are findings to
some networks."""

BLUR = 1 / 16
"""σ of the blur, as a share of each side."""


def baseline(image: Tensor, kind: str) -> Tensor:
    """The baseline of an image (1, channel, *space), same shape; `kind` is one of BASELINES."""
    if kind == "zero":
        return torch.zeros_like(image)
    if kind == "mean":
        axes = tuple(range(2, image.ndim))
        return image.mean(dim=axes, keepdim=True).expand_as(image).contiguous()
    return blurred(image)


def blurred(image: Tensor) -> Tensor:
    """A Gaussian blur along each axis of space, the border values continued outside."""
    values = image.to(torch.promote_types(image.dtype, torch.float32))
    for axis in range(2, image.ndim):
        values = _blurred_along(values, axis)
    return values.to(image.dtype)


def _blurred_along(values: Tensor, axis: int) -> Tensor:
    sigma = BLUR * values.shape[axis]
    reach = int(3 * sigma) + 1
    steps = torch.arange(-reach, reach + 1, dtype=values.dtype, device=values.device)
    weights = (-0.5 * (steps / sigma) ** 2).exp()
    lines = values.movedim(axis, -1)
    rows = pad(lines.reshape(-1, 1, lines.shape[-1]), (reach, reach), mode="replicate")
    smooth = conv1d(rows, (weights / weights.sum())[None, None])
    return smooth.reshape(lines.shape).movedim(-1, axis)


def baseline_scores(recording: Recording, variant: str, sample: int) -> Tensor:
    """The targets' values (target,) of an image's baseline, to which a complete map is added.

    `variant` is one of BASELINES.
    """
    return recording.rescore(baseline(recording.images[sample : sample + 1], variant), sample)[0]
