"""Integrated Gradients: the gradient along the way from a baseline to the image."""

import numpy as np
import torch
from torch import Tensor

from camlucida.records.saliency_map import Unit
from camlucida.saliency.baseline import BASELINES, baseline, baseline_scores
from camlucida.saliency.input_gradients import each_image, summed_gradients
from camlucida.saliency.method import Grid, Method, Progress
from camlucida.saliency.recording import Recording

STEPS = 50
"""Gauss-Legendre points on the way; what they miss is in the residual."""


def integrated_gradients(
    recording: Recording, *, variant: str = "zero", progress: Progress | None = None
) -> Tensor:
    """(x - x') · integral of dy/dx from x' to x (eq. 1), summed over the channels.

    Adds up to y(x) - y(x'), the logit less that of the baseline x', which the variant names.
    """
    places, weights = np.polynomial.legendre.leggauss(STEPS)  # on -1..1

    def one(image: Tensor, sample: int) -> Tensor:
        start = baseline(image, variant)

        def point(number: int) -> tuple[Tensor, Tensor]:
            way = torch.tensor((1 + places[number]) / 2).to(image)
            return torch.lerp(start, image, way), torch.tensor(weights[number] / 2).to(image)

        mean = summed_gradients(recording, sample, point, STEPS, progress)
        return ((image - start)[0] * mean).sum(dim=1)

    return each_image(recording, one)


METHOD = Method(
    name="Integrated Gradients",
    paper="Sundararajan et al., ICML 2017, arXiv 1703.01365",
    compute=integrated_gradients,
    unit=Unit.LOGIT,
    passes=(
        f"{STEPS} points: each one inference with a graph, and one backward pass through the whole network "
        "per finding"
    ),
    caution="Explains the difference to a baseline image, and pixels that are like the baseline get nothing.",
    variants=BASELINES,
    grid=Grid.PIXELS,
    at_input=True,
    start=baseline_scores,
)
