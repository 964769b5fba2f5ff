"""Occlusion: by how much the logit falls when a place is covered."""

from collections.abc import Iterator
from itertools import product

import torch
from torch import Tensor

from camlucida.records.saliency_map import Unit
from camlucida.saliency.baseline import FILLINGS, baseline, baseline_scores
from camlucida.saliency.batches import batches
from camlucida.saliency.input_gradients import MOST_AT_ONCE, SCORED_VALUES, each_image, wide
from camlucida.saliency.method import Grid, Method, Progress, of_image
from camlucida.saliency.recording import Recording

STEPS, STEPS_OF_A_VOLUME = 16, 8
"""Steps that a window takes along a side; it is two steps long."""

Window = tuple[slice, ...]


def occlusion(recording: Recording, *, variant: str = "blur", progress: Progress | None = None) -> Tensor:
    """Mean, over the windows that cover a pixel, of y(x) - y(window covered) per pixel of the window.

    Each window's fall in logits is shared out evenly among its pixels, and each pixel lies in the same number
    of windows, so that the map adds up to y(x) - y(all covered) where places act by themselves (a linear
    network). One sweep of windows serves all targets.
    """

    def one(image: Tensor, sample: int) -> Tensor:
        places = list(windows(image.shape[2:]))
        overlap = 2 ** sum(side > 1 for side in image.shape[2:])
        falls = _falls(recording, sample, places, variant, progress)
        result = falls.new_zeros(falls.shape[1], *image.shape[2:])
        for place, fall in zip(places, falls, strict=True):
            covered = result[:, *place]
            covered += fall.reshape(-1, *[1] * len(place)) / (covered[0].numel() * overlap)
        return result

    return each_image(recording, one)


def windows(space: tuple[int, ...]) -> Iterator[Window]:
    """Windows that cover each pixel twice along each axis; those at the border are cut off by it."""
    steps = STEPS_OF_A_VOLUME if sum(side > 1 for side in space) > 2 else STEPS
    return product(*(_along(side, max(1, round(side / steps))) for side in space))


def _along(side: int, step: int) -> list[slice]:
    if side == 1:
        return [slice(0, 1)]
    return [slice(max(0, start), min(side, start + 2 * step)) for start in range(-step, side, step)]


def _falls(
    recording: Recording, sample: int, places: list[Window], filling: str, progress: Progress | None
) -> Tensor:
    """By how much each target falls when each window is covered: (window, target)."""
    image = recording.images[sample : sample + 1]
    cover, whole = baseline(image, filling)[0], recording.rescore(image, sample)
    falls, tell = [], of_image(progress, sample, len(recording.images))
    for batch in batches(len(places), image.numel(), SCORED_VALUES, MOST_AT_ONCE):
        covered = image.repeat(len(batch), *[1] * (image.ndim - 1))
        for row, number in zip(covered, batch, strict=True):
            row[:, *places[number]] = cover[:, *places[number]]
        falls.append((whole - recording.rescore(covered, sample)).to(wide(whole)))
        tell(batch.stop, len(places))
    return torch.cat(falls)


METHOD = Method(
    name="Occlusion",
    paper="Zeiler and Fergus, ECCV 2014, arXiv 1311.2901",
    compute=occlusion,
    unit=Unit.LOGIT,
    passes=(
        "289 inferences for all findings together (volumes: 729): windows of 1/8 of each side (1/4), moved "
        "by half of it"
    ),
    caution="Sees what the windows' size allows; a finding that shows in two places at once can go unseen.",
    variants=FILLINGS,
    grid=Grid.PIXELS,
    at_input=True,
    start=baseline_scores,
)
