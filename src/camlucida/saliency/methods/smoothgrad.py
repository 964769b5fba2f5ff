"""SmoothGrad: the gradient's mean over noisy copies of the image."""

import torch
from torch import Tensor

from camlucida.records.saliency_map import Unit
from camlucida.saliency.input_gradients import each_image, noise, summed_gradients
from camlucida.saliency.method import Grid, Method, Progress
from camlucida.saliency.recording import Recording

COPIES, SIGMA = 50, 0.15
"""The paper's numbers: n = 50 copies, and noise of σ = 10 to 20 % of the image's range (section 3.1)."""


def smoothgrad(recording: Recording, *, variant: str = "", progress: Progress | None = None) -> Tensor:
    """Mean of dy/dx over x + N(0, σ²), signed, summed over the channels; the same noise for all targets."""
    del variant

    def one(image: Tensor, sample: int) -> Tensor:
        generator = torch.Generator().manual_seed(0)
        share = torch.tensor(1 / COPIES, device=image.device)

        def point(_number: int) -> tuple[Tensor, Tensor]:
            return image + noise(image, SIGMA, generator), share

        return summed_gradients(recording, sample, point, COPIES, progress).sum(dim=1)

    return each_image(recording, one)


METHOD = Method(
    name="SmoothGrad",
    paper="Smilkov et al., 2017, arXiv 1706.03825",
    compute=smoothgrad,
    unit=Unit.RELATIVE,
    passes=(
        f"{COPIES} noisy copies (σ = {SIGMA:.0%} of the range): each one inference with a graph, and one "
        "backward pass through the whole network per finding"
    ),
    caution="Says what a pixel would change, not what it contributed.",
    grid=Grid.PIXELS,
    at_input=True,
)
