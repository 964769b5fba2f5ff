"""Gradients of all targets by the network's input, in bounded memory.

One forward pass serves all targets; each costs one backward pass. Captum, the library to which the pixel
attributions are held in the tests, runs forward again for every target.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from camlucida.saliency.batches import batches
from camlucida.saliency.method import Progress, of_image
from camlucida.saliency.recording import Recording

GRAPH_VALUES = 2**20
"""Values of images that a graph is built for at a time: the graph itself is some hundred times larger."""

GRADIENT_VALUES = 2**25
"""Values of all targets' gradients that are held at a time: 128 MB of float32, and as much while stacked."""

SCORED_VALUES = 2**22
"""Values of images that are scored at a time without a graph: 16 MB of float32."""

MOST_AT_ONCE = 16
"""Images in a batch; more gain nothing."""


def input_gradients(recording: Recording, images: Tensor, sample: int) -> Tensor:
    """Of each target by images (n, channel, *space): (n, target, channel, *space).

    `sample` is the image of the recording that these are varieties of.
    """
    # Whatever mode the caller is in: what is made in inference mode can be no leaf.
    with torch.inference_mode(mode=False), torch.enable_grad(), recording.differentiable() as network:
        leaf = images.detach().clone().requires_grad_()
        scores = recording.scores(network(leaf.clone()), sample)  # a copy: networks may work in place
        return torch.stack([_gradient(score, leaf) for score in scores.unbind(dim=1)], dim=1)


def _gradient(score: Tensor, leaf: Tensor) -> Tensor:
    """The images do not meet in the network, so the sum over them gives each its own gradient."""
    if not score.requires_grad:  # the target is a constant
        return torch.zeros_like(leaf)
    (gradient,) = torch.autograd.grad(score.sum(), leaf, retain_graph=True, allow_unused=True)
    return torch.zeros_like(leaf) if gradient is None else gradient


def each_image(recording: Recording, compute: Callable[[Tensor, int], Tensor]) -> Tensor:
    """Maps (batch, target, *space) of a function that takes one image (1, channel, *space) and its number."""
    images = recording.images
    return torch.stack([compute(images[sample : sample + 1], sample) for sample in range(len(images))])


def summed_gradients(
    recording: Recording,
    sample: int,
    points: Callable[[int], tuple[Tensor, Tensor]],
    count: int,
    progress: Progress | None,
) -> Tensor:
    """The sum of weighted gradients at `count` points: (target, channel, *space), in float32 or wider.

    `points(i)` gives the i-th point (1, channel, *space) and its weight, a tensor that multiplies its
    gradient; it is called once for each i, in order.
    """
    total: Tensor | None = None
    tell = of_image(progress, sample, len(recording.images))
    each, targets = recording.images[0].numel(), recording.targets.shape[1]
    most = min(MOST_AT_ONCE, max(1, GRADIENT_VALUES // (each * targets)))
    for batch in batches(count, each, GRAPH_VALUES, most):
        images, weights = zip(*(points(number) for number in batch), strict=True)
        gradients = input_gradients(recording, torch.cat(images), sample)
        for gradient, weight in zip(gradients.to(wide(gradients)), weights, strict=True):
            total = gradient * weight if total is None else total + gradient * weight
        tell(batch.stop, count)
    if total is None:
        raise ValueError(f"There must be at least one point, not {count}.")
    return total


def wide(tensor: Tensor) -> torch.dtype:
    """The type in which values of this one are summed: float32 at least."""
    return torch.promote_types(tensor.dtype, torch.float32)


def noise(image: Tensor, share: float, generator: torch.Generator) -> Tensor:
    """Gaussian noise for an image (1, channel, *space); σ is a share of the range of the image's values.

    Drawn on the CPU by its own generator, so it is the same on every device, and nobody else's draws change.
    """
    low, high = image.aminmax()
    drawn = torch.randn(image.shape, generator=generator, dtype=torch.float32)
    return drawn.to(image) * (share * (high - low))
