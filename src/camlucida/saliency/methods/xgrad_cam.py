"""XGrad-CAM: channels weighted by their gradient where they are active."""

import torch
from torch import Tensor, einsum

from camlucida.records.saliency_map import Unit
from camlucida.saliency.method import Method, Progress
from camlucida.saliency.recording import Recording


def xgrad_cam(recording: Recording, *, variant: str = "", progress: Progress | None = None) -> Tensor:
    """Sum over k of a_k A^k with a_k = sum of (A^k / sum A^k) · dy/dA^k (eq. 8), kept signed.

    Without the final ReLU it is Respond-CAM (eq. 2 there), and its sum is that of gradients times
    activations. A channel whose activations sum to exactly 0 weighs nothing; there is no epsilon, which would
    outweigh faint channels.
    """
    del variant, progress
    activations = recording.activations
    total = activations.flatten(2).sum(dim=2)[:, None]
    response = einsum("bfk...,bk...->bfk", recording.gradients, activations)
    weights = torch.where(total != 0, response / torch.where(total != 0, total, 1), 0)
    return einsum("bfk,bk...->bf...", weights, activations)


METHOD = Method(
    name="XGrad-CAM",
    paper="Fu et al., BMVC 2020, arXiv 2008.02312; Zhao et al., MICCAI 2018, arXiv 1806.00102",
    compute=xgrad_cam,
    unit=Unit.LOGIT,
    passes="one backward pass through the head",
    sums_anyway=True,
    caution="Spreads each channel's evidence as its activation, and explodes where that sums to nearly 0.",
    aliases=("Respond-CAM",),
)
