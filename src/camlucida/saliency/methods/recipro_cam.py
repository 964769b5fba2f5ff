"""Recipro-CAM: what the head makes of the activations at one place alone."""

from functools import reduce

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
    masks = _masks(grid, spread=variant == "gaussian").to(recording.activations)

    def seen_through(sample: int, cells: range) -> Tensor:
        activations, some = recording.activations[sample], masks[cells.start : cells.stop]
        if recording.cut.pooled:  # the means of what is seen, without making it
            means = some.flatten(1) @ activations.flatten(1).T / len(masks)
            return means.reshape(*means.shape, *[1] * len(grid))
        return some[:, None] * activations

    scores = sweep_head(recording, len(masks), seen_through, progress)
    silent = (recording.targets @ recording.bias[:, :, None])[:, None, :, 0]
    return (scores - silent).transpose(1, 2).reshape(*recording.targets.shape[:2], *grid)


def _masks(grid: torch.Size, *, spread: bool) -> Tensor:
    """M_i of every cell i: (cell, *grid)."""
    each = [_kernel(size) if spread else torch.eye(size) for size in grid]
    masks = reduce(torch.kron, each)  # rows and columns run over the cells of the grid
    return masks.reshape(-1, *grid)


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
