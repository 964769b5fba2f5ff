"""Recipro-CAM: what the head makes of the activations at one place alone."""

from functools import reduce

import numpy as np
import torch
from torch import Tensor

from camlucida.records.saliency_map import Unit
from camlucida.saliency.method import Method, Progress
from camlucida.saliency.recording import Recording
from camlucida.saliency.sweep import sweep_head


def recipro_cam(
    recording: Recording, *, variant: str = "gaussian", progress: Progress | None = None
) -> Tensor:
    """y(A · M_i) - y(0) of every cell i, where the mask M_i lets only that place through.

    The mask is the paper's Gaussian of three cells, (1 2 1)/4 along each axis (variant "gaussian"), or the
    one cell (variant "cell"). The paper passes the scores through softmax and min-max, which would hide how
    much each place counts; here they are logits, and nothing of the mask is lost at the edge: with a linear
    head the map adds up to the logit, and "cell" is HiResCAM's.
    """
    grid = recording.activations.shape[2:]
    each = [_kernel(size) if variant == "gaussian" else torch.eye(size) for size in grid]
    kernels = [kernel.to(recording.activations) for kernel in each]

    def seen_through(sample: int, cells: range) -> Tensor:
        activations = recording.activations[sample]
        if recording.cut.pooled:  # the means of what is seen, without making it
            means = _smoothed(activations, kernels).flatten(1).T[cells.start : cells.stop] / grid.numel()
            return means.reshape(*means.shape, *[1] * len(grid))
        return torch.stack([_mask(kernels, cell, grid) for cell in cells])[:, None] * activations

    scores = sweep_head(recording, grid.numel(), seen_through, progress)
    silent = (recording.targets @ recording.bias[:, :, None])[:, None, :, 0]
    return (scores - silent).transpose(1, 2).reshape(*recording.targets.shape[:2], *grid)


def _mask(kernels: list[Tensor], cell: int, grid: torch.Size) -> Tensor:
    """M_i of one cell: (*grid). All of them at once would be as large as the grid squared."""
    place = np.unravel_index(cell, grid)
    rows = (kernel[int(index)] for kernel, index in zip(kernels, place, strict=True))
    return reduce(lambda mask, row: mask[..., None] * row, rows)


def _smoothed(activations: Tensor, kernels: list[Tensor]) -> Tensor:
    """The sum of A · M_i at every cell i, axis by axis: (channel, *grid)."""
    for axis, kernel in enumerate(kernels, start=1):
        activations = (activations.movedim(axis, -1) @ kernel.T).movedim(-1, axis)
    return activations


def _kernel(size: int) -> Tensor:
    """(1 2 1)/4 about each cell of an axis, (cell, cell); what would fall beyond an edge stays there."""
    neighbours = torch.ones(size - 1) / 4
    kernel = torch.eye(size) / 2 + torch.diag(neighbours, 1) + torch.diag(neighbours, -1)
    kernel[0, 0] += 1 / 4
    kernel[-1, -1] += 1 / 4
    return kernel


METHOD = Method(
    name="Recipro-CAM",
    paper="Byun and Lee, arXiv 2209.14074",
    compute=recipro_cam,
    unit=Unit.LOGIT,
    passes="the head once per cell (one more inference, where the head takes all at once); no gradient",
    caution="Each place is judged alone: what counts only together with another place is not on the map.",
    variants=("gaussian", "cell"),
)
