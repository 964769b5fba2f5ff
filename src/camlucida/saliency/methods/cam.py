"""CAM: channels weighted by the last layer's own weights."""

import torch
from torch import Tensor, einsum

from camlucida.errors import UnsupportedNetwork
from camlucida.models.head import LINEAR_WITHIN
from camlucida.records.saliency_map import Unit
from camlucida.saliency.method import Method, Progress
from camlucida.saliency.recording import Recording


def cam(recording: Recording, *, variant: str = "", progress: Progress | None = None) -> Tensor:
    """Sum over k of w_k A^k / Z (eq. 1 and 2): with Z cells it adds up to the logit less the bias.

    The weights are asked of the head itself, by one channel at a time, whatever its layers are called.

    Raises
    ------
    UnsupportedNetwork
        The head is not global average pooling and one linear layer.
    """
    del variant, progress
    if not recording.cut.pooled:
        raise UnsupportedNetwork(
            f"CAM needs a head that sees only the mean of each channel; after “{recording.cut.name}” this "
            "network sees more. Take hirescam, which needs no such head."
        )
    weights = [_weights(recording, sample) for sample in range(len(recording.images))]
    cells = recording.activations[0, 0].numel()
    return einsum("bkf,bk...->bf...", torch.stack(weights), recording.activations) / cells


def _weights(recording: Recording, sample: int) -> Tensor:
    """The linear layer's weights (channel, target), which a trial of the head must bear out."""
    means = recording.for_head(recording.activations[sample : sample + 1])
    channels = means.shape[1]
    silent = torch.zeros_like(means)
    single = torch.eye(channels).to(means).reshape(channels, *means.shape[1:])
    trials = torch.cat([means, _noise(means), -_noise(means)])
    scores = recording.rescore_head(torch.cat([silent, single, trials]), sample)
    bias, weights = scores[0], scores[1 : channels + 1] - scores[0]
    expected = bias + trials.flatten(1) @ weights
    allowed = max(LINEAR_WITHIN, 16 * torch.finfo(means.dtype).eps) * scores.abs().max().clamp(min=1)
    if not (expected - scores[channels + 1 :]).abs().max() <= allowed:
        raise UnsupportedNetwork(
            f"CAM needs one linear layer after the pooling; after “{recording.cut.name}” this network's head "
            "is not linear. Take grad-cam, and read its residual."
        )
    return weights


def _noise(means: Tensor) -> Tensor:
    """The same noise each time, of the activations' size: a head that bends does so here."""
    generator = torch.Generator().manual_seed(0)
    noise = torch.randn(means.shape, generator=generator, dtype=torch.float32).to(means)
    return noise * means.abs().mean().clamp(min=1)


METHOD = Method(
    name="CAM",
    paper="Zhou et al., CVPR 2016, arXiv 1512.04150",
    compute=cam,
    unit=Unit.LOGIT,
    passes="one more inference; no gradient",
    needs="a head of global average pooling and one linear layer",
)
