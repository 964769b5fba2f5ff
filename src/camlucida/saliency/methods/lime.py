"""LIME: a linear model of the network, valid around this image."""

import torch
from torch import Tensor

from camlucida.records.saliency_map import Unit
from camlucida.saliency.baseline import FILLINGS, baseline_scores
from camlucida.saliency.input_gradients import each_image
from camlucida.saliency.method import Grid, Method, Progress
from camlucida.saliency.recording import Recording
from camlucida.saliency.superpixels import REGIONS, region_scores, spread, superpixels

DRAWS, WIDTH = 512, 0.25
"""Images with random regions covered, and σ of the kernel on the cosine distance to the whole image."""


def lime(recording: Recording, *, variant: str = "blur", progress: Progress | None = None) -> Tensor:
    """Weighted least squares of y on which superpixels are there (eq. 1 and 2 of the paper).

    All superpixels stay in the model, without a penalty: choosing a few of them is for the eye. Each one's
    coefficient is spread evenly over its pixels. One sweep of draws serves all targets.
    """

    def one(image: Tensor, sample: int) -> Tensor:
        regions = superpixels(image[0])
        kept = draws(int(regions.max()) + 1)
        scores = region_scores(recording, sample, regions, kept, variant, progress)
        return spread(coefficients(kept, scores), regions, image)

    return each_image(recording, one)


def draws(regions: int) -> Tensor:
    """The whole image, then others of which each region is there with odds of one half: (n, region), bool."""
    generator = torch.Generator().manual_seed(0)
    kept = torch.rand(DRAWS, regions, generator=generator) < 0.5
    kept[0] = True
    return kept


def coefficients(kept: Tensor, scores: Tensor) -> Tensor:
    """The local linear model's coefficients (region, target), without its intercept."""
    there = kept.double()
    distance = 1 - there.mean(dim=1, keepdim=True).sqrt()  # 1 - cosine to the vector of ones
    root = (-((distance / WIDTH) ** 2) / 2).exp()  # of the weight exp(-D²/σ²)
    rows = torch.cat([there, torch.ones(len(there), 1, dtype=torch.float64)], dim=1)
    fit: Tensor = torch.linalg.lstsq(root * rows, root * scores, driver="gelsd").solution
    return fit[:-1]


METHOD = Method(
    name="LIME",
    paper="Ribeiro et al., KDD 2016, arXiv 1602.04938",
    compute=lime,
    unit=Unit.LOGIT,
    passes=f"{DRAWS} inferences for all findings together, on about {REGIONS} superpixels",
    caution="Asks the network about images with half of their regions covered; see the residual.",
    variants=FILLINGS,
    grid=Grid.PIXELS,
    at_input=True,
    start=baseline_scores,
)
