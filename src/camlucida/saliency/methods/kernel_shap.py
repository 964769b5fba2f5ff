"""Kernel SHAP: Shapley values of superpixels."""

from itertools import product
from math import comb

import torch
from torch import Tensor

from camlucida.records.saliency_map import Unit
from camlucida.saliency.baseline import FILLINGS, baseline_scores
from camlucida.saliency.input_gradients import each_image
from camlucida.saliency.method import Grid, Method, Progress
from camlucida.saliency.recording import Recording
from camlucida.saliency.superpixels import REGIONS, region_scores, spread, superpixels

COALITIONS = 512
"""Sets of regions that are asked about; where there are no more, all of them, and the values are exact."""


def kernel_shap(recording: Recording, *, variant: str = "blur", progress: Progress | None = None) -> Tensor:
    """The Shapley kernel's weighted linear fit (theorem 2), each region's value spread over its pixels.

    The constraint of the theorem, that the values add up to y(x) - y(all covered), is kept exactly. One sweep
    of coalitions serves all targets.
    """

    def one(image: Tensor, sample: int) -> Tensor:
        regions = superpixels(image[0])
        kept, weights = coalitions(int(regions.max()) + 1)
        scores = region_scores(recording, sample, regions, kept, variant, progress)
        return spread(shapley_values(kept, weights, scores), regions, image)

    return each_image(recording, one)


def coalitions(players: int) -> tuple[Tensor, Tensor]:
    """Sets of regions (n, region), bool: nobody, everybody, then others; and the Shapley kernel's weights.

    Too many are drawn from, with the kernel's odds, each with its complement; they then weigh the same.
    """
    ends = torch.tensor([[False], [True]]).expand(2, players)
    if players == 1:
        return ends, torch.zeros(2, dtype=torch.float64)
    if 2**players <= COALITIONS:
        others = torch.tensor(list(product([False, True], repeat=players)))[1:-1]
        sizes = others.sum(dim=1).tolist()
        kernel = [(players - 1) / (comb(players, size) * size * (players - size)) for size in sizes]
        weights = torch.tensor(kernel, dtype=torch.float64)
    else:
        others = _drawn(players)
        weights = torch.ones(len(others), dtype=torch.float64)
    return torch.cat([ends, others]), torch.cat([torch.zeros(2, dtype=torch.float64), weights])


def _drawn(players: int) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    sizes = torch.arange(1, players, dtype=torch.float64)
    odds = 1 / (sizes * (players - sizes))
    drawn = 1 + torch.multinomial(odds, COALITIONS // 2 - 1, replacement=True, generator=generator)
    order = torch.rand(len(drawn), players, generator=generator).argsort(dim=1)
    chosen = order.argsort(dim=1) < drawn[:, None]
    return torch.stack([chosen, ~chosen], dim=1).flatten(0, 1)


def shapley_values(kept: Tensor, weights: Tensor, scores: Tensor) -> Tensor:
    """The fit (region, target) to scores (n, target), of which the first two are of nobody and everybody."""
    nobody, total = scores[0], scores[1] - scores[0]
    present = kept[2:].double()
    if kept.shape[1] == 1:
        return total[None]
    # The last region's value is what the others leave of the total.
    free = present[:, :-1] - present[:, -1:]
    gained = scores[2:] - nobody - present[:, -1:] * total
    root = weights[2:, None].sqrt()
    values = torch.linalg.lstsq(root * free, root * gained, driver="gelsd").solution
    return torch.cat([values, (total - values.sum(dim=0))[None]])


METHOD = Method(
    name="KernelSHAP",
    paper="Lundberg and Lee, NeurIPS 2017, arXiv 1705.07874",
    compute=kernel_shap,
    unit=Unit.LOGIT,
    passes=f"{COALITIONS} inferences for all findings together, on about {REGIONS} superpixels",
    caution="Asks the network about images with covered regions, which it has never seen the like of.",
    variants=FILLINGS,
    grid=Grid.PIXELS,
    at_input=True,
    start=baseline_scores,
)
