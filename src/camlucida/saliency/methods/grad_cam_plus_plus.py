"""Grad-CAM++: positive gradients weighted so that each instance of a finding counts."""

import torch
from torch import Tensor, einsum

from camlucida.records.saliency_map import Unit
from camlucida.saliency.method import Method, Progress
from camlucida.saliency.recording import Recording


def grad_cam_plus_plus(
    recording: Recording, *, variant: str = "", progress: Progress | None = None
) -> Tensor:
    """Sum over k of w_k A^k with w_k = sum of alpha · ReLU(g) (eq. 10 and 19 with Y = exp(S)).

    alpha = g² / (2 g² + (sum A) g³) = 1 / (2 + (sum A) g): the common factor exp(S) is dropped, because it
    overflows, and no epsilon is added, because it would outweigh g². Where g ≤ 0, ReLU(g) makes alpha moot.
    """
    del variant, progress
    activations, gradients = recording.activations, recording.gradients
    total = activations.sum(dim=recording.axes, keepdim=True)[:, None]
    denominator = 2 + total * gradients
    counts = (gradients > 0) & (denominator != 0)
    alpha = torch.where(counts, 1 / torch.where(counts, denominator, 1), 0)
    weights = (alpha * gradients.relu()).flatten(3).sum(dim=3)
    return einsum("bfk,bk...->bf...", weights, activations)


METHOD = Method(
    name="Grad-CAM++",
    paper="Chattopadhay et al., WACV 2018, arXiv 1710.11063",
    compute=grad_cam_plus_plus,
    unit=Unit.RELATIVE,
    passes="one backward pass through the head",
    caution="Its values are no share of the logit: read the pattern, not the size.",
)
