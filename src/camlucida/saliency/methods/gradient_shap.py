"""GradientSHAP: expected gradients between baselines and noisy copies of the image."""

import torch
from torch import Tensor

from camlucida.records.saliency_map import Unit
from camlucida.saliency.baseline import BASELINES, baseline, baseline_scores
from camlucida.saliency.input_gradients import each_image, noise, summed_gradients
from camlucida.saliency.method import Grid, Method, Progress
from camlucida.saliency.recording import Recording

DRAWS, SIGMA = 48, 0.05
"""Draws: as many from each baseline, and each noise once with either sign; σ is a share of the range."""


def gradient_shap(recording: Recording, *, variant: str = "", progress: Progress | None = None) -> Tensor:
    """Mean of (x + n - x') · dy/dx at a random place between x' and x + n, summed over the channels.

    The baselines x' are zero, the channels' means and a blur, in turn. Adds up, as far as the draws suffice,
    to y(x) less the mean logit of the baselines.
    """
    del variant

    def one(image: Tensor, sample: int) -> Tensor:
        generator = torch.Generator().manual_seed(0)
        starts = [baseline(image, kind) for kind in BASELINES]
        drawn = torch.zeros_like(image)

        def point(number: int) -> tuple[Tensor, Tensor]:
            nonlocal drawn
            drawn = noise(image, SIGMA, generator) if number % 2 == 0 else -drawn
            start, end = starts[number // 2 % len(starts)], image + drawn
            place = torch.rand((), generator=generator).to(image)
            return torch.lerp(start, end, place), (end - start)[0] / DRAWS

        return summed_gradients(recording, sample, point, DRAWS, progress).sum(dim=1)

    return each_image(recording, one)


def _start(recording: Recording, _variant: str, sample: int) -> Tensor:
    return torch.stack([baseline_scores(recording, kind, sample) for kind in BASELINES]).mean(dim=0)


METHOD = Method(
    name="GradientSHAP",
    paper="Lundberg and Lee, NeurIPS 2017, arXiv 1705.07874; Erion et al., 2021, arXiv 1906.10670",
    compute=gradient_shap,
    unit=Unit.LOGIT,
    passes=(
        f"{DRAWS} draws (σ = {SIGMA:.0%} of the range): each one inference with a graph, and one backward "
        "pass through the whole network per finding"
    ),
    caution="Its baselines are made of the image itself (zero, mean, blur), not of other patients' images.",
    grid=Grid.PIXELS,
    at_input=True,
    start=_start,
)
