"""Score-CAM: channels weighted by what the network says of the image seen through them."""

from collections.abc import Iterator

import torch
from torch import Tensor, einsum

from camlucida.records.saliency_map import Unit
from camlucida.saliency.batches import batches
from camlucida.saliency.method import Method, Progress, of_image
from camlucida.saliency.recording import Recording
from camlucida.saliency.upsampling import upsampled

MASKED_VALUES = 2**21
"""Values of masked images run at a time: 8 MB of float32, and some fifty times as much in the network."""

MOST_MASKED = 32
"""Masked images run at a time, however small they are: more of them are no faster."""


def score_cam(recording: Recording, *, variant: str = "increase", progress: Progress | None = None) -> Tensor:
    """Sum over k of C_k A^k, C_k = f(x · H_k) - f(0), H_k = min-max of A^k upsampled (eq. 6 to 8).

    The paper is not of one mind: Algorithm 1 passes the scores through a softmax over the channels (variant
    "softmax"), the text does not (variant "increase"). One sweep serves all findings. A constant channel has
    no min-max and scores 0: it weighs nothing, except in the softmax.
    """
    weights = [_channel_scores(recording, sample, progress) for sample in range(len(recording.images))]
    scores = torch.stack(weights)  # (batch, channel, target)
    if variant == "softmax":
        scores = scores.softmax(dim=1)
    return einsum("bkf,bk...->bf...", scores, recording.activations)


def _channel_scores(recording: Recording, sample: int, progress: Progress | None) -> Tensor:
    """C_k of every channel, (channel, target), in batches of bounded memory."""
    image = recording.images[sample : sample + 1]
    baseline = recording.rescore(torch.zeros_like(image), sample)
    samples, channels = recording.activations.shape[:2]
    scores, tell, done = [], of_image(progress, sample, samples), 0
    for masks, alive in _masks(recording.activations[sample], image):
        score = recording.rescore(image * masks, sample) - baseline
        scores.append(torch.where(alive[:, None], score, 0))
        done += len(masks)
        tell(done, channels)
    return torch.cat(scores)


def _masks(activations: Tensor, image: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
    """H_k (n, 1, *space) and whether the channel varies at all (n), some channels at a time."""
    for batch in batches(len(activations), image.numel(), MASKED_VALUES, MOST_MASKED):
        channels = activations[batch.start : batch.stop]
        masks = upsampled(channels[:, None], image.shape[2:])
        low, high = masks.flatten(1).amin(dim=1), masks.flatten(1).amax(dim=1)
        cells = channels.flatten(1)
        alive = (cells != cells[:, :1]).any(dim=1) & (high > low)  # upsampling a constant may round unevenly
        shape = (-1, *[1] * (masks.ndim - 1))
        spread = torch.where(alive, high - low, 1)
        yield (masks - low.reshape(shape)) / spread.reshape(shape), alive


METHOD = Method(
    name="Score-CAM",
    paper="Wang et al., CVPR Workshops 2020, arXiv 1910.01279",
    compute=score_cam,
    unit=Unit.RELATIVE,
    passes="one inference per channel, for all findings together",
    caution="Its values are no share of the logit: read the pattern, not the size.",
    variants=("increase", "softmax"),
)
