"""The head, run again and again on changed activations: in batches of bounded memory, with progress."""

from collections.abc import Callable

import torch
from torch import Tensor

from camlucida.saliency.method import Progress, of_image
from camlucida.saliency.recording import Recording

Rows = Callable[[int, range], Tensor]
"""Of a sample and some numbers, the changed activations of those numbers, as the head takes them."""


def sweep_head(recording: Recording, count: int, rows: Rows, progress: Progress | None = None) -> Tensor:
    """The targets' values of `count` changes to each image's activations: (batch, count, target)."""
    samples = len(recording.images)
    scores = []
    for sample in range(samples):
        tell = of_image(progress, sample, samples)
        for numbers in recording.head_batches(count):
            scores.append(recording.rescore_head(rows(sample, numbers), sample))
            tell(numbers.stop, count)
    return torch.cat(scores).reshape(samples, count, -1)
