"""Does the network see what the map shows? Pixels are taken away or given back in the map's order.

- insertion and deletion: Petsiuk et al., RISE, BMVC 2018, section 4.2
- ROAD: Rong et al., ICML 2022: as deletion, but filled in so that the hole itself gives nothing away
- average drop and increase in confidence: Chattopadhay et al., Grad-CAM++, WACV 2018, section 4.1

The map of a method stands beside "chance": random cells, which is what a map that knows nothing gives.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from math import isnan
from typing import TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from camlucida.evaluation.data.interest import findings_of_interest
from camlucida.evaluation.data.seen import Measuring, Seen
from camlucida.evaluation.faithfulness.imputation import imputed
from camlucida.evaluation.measures import Better, Measure, Topic
from camlucida.images.prepare import Preparation
from camlucida.records import Measurement
from camlucida.records.geometry import resizing
from camlucida.records.method_name import OPPOSING
from camlucida.rendering.upsample import resample

Scoring: TypeAlias = Callable[[Tensor], NDArray[np.float64]]
"""Gives logits (n, finding) of inputs (n, channel, *space), as `Seen.score` does."""

CHANCE = "chance"
"""The pseudo-method: a map of random cells."""

CHANCE_CELLS = 8
"""Cells of it along an axis at most: those of a class activation map, so that it is no more jagged."""

BLUR = 1 / 20
"""Standard deviation of the blur that insertion begins with, as a share of the shorter side."""

_RISE = "Petsiuk et al., RISE, BMVC 2018, section 4.2"
_ROAD = "Rong et al., ROAD, ICML 2022, sections 3 and 4"
_DROP = "Chattopadhay et al., Grad-CAM++, WACV 2018, section 4.1"

MEASURES = (
    Measure(
        "faithfulness.insertion",
        "Insertion AUC",
        Topic.FAITHFULNESS,
        Better.HIGHER,
        "Mean probability while a blurred image gets its pixels back, those with the most evidence first. "
        "Read it beside chance: a network that is sure of a blurred image scores high with any map.",
        f"{_RISE}; blurred with a standard deviation of a twentieth of the shorter side",
    ),
    Measure(
        "faithfulness.deletion",
        "Deletion AUC",
        Topic.FAITHFULNESS,
        Better.LOWER,
        "Mean probability while the image's pixels become its mean, those with the most evidence first. "
        "A jagged order falls fast too, because its holes look like nothing the network has seen.",
        _RISE,
    ),
    Measure(
        "faithfulness.insertion-logit",
        "Insertion by logit",
        Topic.FAITHFULNESS,
        Better.HIGHER,
        "As insertion, with the logit in place of the probability, which hides all change near 0 and 1.",
        _RISE,
        "logits",
    ),
    Measure(
        "faithfulness.deletion-logit",
        "Deletion by logit",
        Topic.FAITHFULNESS,
        Better.LOWER,
        "As deletion, with the logit in place of the probability.",
        _RISE,
        "logits",
    ),
    Measure(
        "faithfulness.road",
        "ROAD",
        Topic.FAITHFULNESS,
        Better.HIGHER,
        "Half of how much lower the probability is with the strongest pixels filled in than with as many of "
        "the weakest. 0 is what a random order gives; below 0 the order is the wrong way round.",
        f"{_ROAD}; (LeRF - MoRF) / 2, mean over the shares removed",
    ),
    Measure(
        "faithfulness.beyond-chance",
        "ROAD beyond chance",
        Topic.FAITHFULNESS,
        Better.HIGHER,
        "ROAD in logits: half of how much lower the logit is with the strongest pixels filled in than with "
        "as many of the weakest. Chance is 0, as a random order and its reverse are equally likely. An "
        "interval that holds 0: on these images the map's order may be no better than any.",
        f"{_ROAD}; (LeRF - MoRF) / 2, mean over the shares removed",
        "logits",
    ),
    Measure(
        "faithfulness.road-strongest",
        "ROAD, strongest removed",
        Topic.FAITHFULNESS,
        Better.LOWER,
        "The logit left with the strongest pixels filled in (MoRF), less that of the whole image.",
        _ROAD,
        "logits",
    ),
    Measure(
        "faithfulness.road-weakest",
        "ROAD, weakest removed",
        Topic.FAITHFULNESS,
        Better.HIGHER,
        "The logit left with the weakest pixels filled in (LeRF), less that of the whole image.",
        _ROAD,
        "logits",
    ),
    Measure(
        "faithfulness.average-drop",
        "Average drop",
        Topic.FAITHFULNESS,
        Better.LOWER,
        "By how much of itself the probability falls when the image is darkened by the map. A map that is 1 "
        "everywhere scores a perfect 0: read it only beside the share of the image that the map keeps.",
        _DROP,
        "%",
        0,
    ),
    Measure(
        "faithfulness.drop-logit",
        "Drop of the logit",
        Topic.FAITHFULNESS,
        Better.LOWER,
        "By how much the logit falls when the image is darkened by the map; below 0 it rises. A map that is "
        "1 everywhere scores 0 here too.",
        _DROP,
        "logits",
    ),
    Measure(
        "faithfulness.increase",
        "Increase in confidence",
        Topic.FAITHFULNESS,
        Better.HIGHER,
        "In how many images the probability rises when the image is darkened by the map. A network that "
        "takes darkness for the finding rises with any map.",
        _DROP,
        "%",
        0,
    ),
    Measure(
        "faithfulness.kept",
        "Share of the image kept",
        Topic.FAITHFULNESS,
        Better.NEITHER,
        "Mean of the map from 0 to 1, as average drop darkens the image by it. Near 100 % the average drop "
        "says nothing.",
        "Poppi et al., Revisiting the Evaluation of Class Activation Mapping, CVPRW 2021, section 3.2 "
        "(complexity)",
        "%",
        0,
    ),
)


@dataclass(frozen=True, slots=True)
class Removal:
    """How finely pixels are taken away: it decides what a case costs.

    A map costs 2 · (`steps` + 1) + 2 · len(`shares`) + 1 inferences: 21, and as many for chance.

    Attributes
    ----------
    steps
        Equal parts of the image, one after the other, in insertion and in deletion.
    shares
        Of the pixels, that ROAD fills in at once.
    findings
        How many of the image's findings are tried: those that are there, or are reported, first.
    chance
        Whether a map of random order is measured as well.
    """

    steps: int = 6
    shares: tuple[float, ...] = (0.2, 0.5, 0.8)
    findings: int = 1
    chance: bool = True


def measuring(removal: Removal | None = None) -> Measuring:
    """What measures a case as `removal` says."""
    return partial(measure, removal=removal or Removal())


def measure(seen: Seen, removal: Removal | None = None) -> Iterator[Measurement]:
    """All measures of each method's map of the findings that matter in this image.

    Values are None where the map has no order (it is the same everywhere), and probabilities are None for a
    regression, which has none.
    """
    removal = removal or Removal()
    for finding in findings_of_interest(seen, removal.findings):
        for method, values in _maps(seen, finding, chance=removal.chance):
            for key, value in _measured(seen, finding, values, removal):
                yield Measurement(seen.name, finding, method, f"faithfulness.{key}", value)


def insertion(score: Scoring, image: Tensor, order: NDArray[np.intp], steps: int) -> NDArray[np.float64]:
    """Logits (step + 1, finding) while the blurred image gets its pixels back in this order."""
    return exchanged(score, blurred(image), image, order, steps)


def deletion(score: Scoring, image: Tensor, order: NDArray[np.intp], steps: int) -> NDArray[np.float64]:
    """Logits (step + 1, finding) while pixels become the image's mean in this order."""
    axes = tuple(range(2, image.ndim))
    return exchanged(score, image, image.mean(dim=axes, keepdim=True).expand_as(image), order, steps)


def exchanged(
    score: Scoring, first: Tensor, last: Tensor, order: NDArray[np.intp], steps: int
) -> NDArray[np.float64]:
    """Logits (step + 1, finding) of images in which the first pixels of `order` come from `last`.

    Parameters
    ----------
    score
        Gives logits (n, finding) of images (n, channel, *space), such as `Seen.score`.
    first, last
        (1, channel, *space): without any pixel exchanged, and with all.
    order
        The pixels, flat, as they are exchanged.
    """
    counts = [round(len(order) * step / steps) for step in range(steps + 1)]
    return score(torch.where(_taken(order, counts, first), last, first))


def area(curve: NDArray[np.float64]) -> NDArray[np.float64]:
    """Area below a curve (step, …) of which the whole is 1 wide: trapezoids, as RISE takes it."""
    return np.asarray(((curve[:-1] + curve[1:]) / 2).mean(axis=0))


def road(
    score: Scoring, image: Tensor, order: NDArray[np.intp], shares: Sequence[float], seed: int = 0
) -> NDArray[np.float64]:
    """Logits (share, finding) with the first pixels of `order` filled in, a share of them each time."""
    counts = [int(len(order) * share) for share in shares]
    return score(imputed(image, _taken(order, counts, image), seed=seed))


def strongest_first(values: NDArray[np.floating]) -> NDArray[np.intp]:
    """The places of a map (*space), flat, from its largest value to its smallest."""
    return np.argsort(-values, axis=None, kind="stable")


def blurred(image: Tensor) -> Tensor:
    """What insertion begins with: (1, channel, *space).

    RISE blurs by 5 pixels of 224 in a window of 11, which leaves most of a radiograph's findings in place;
    here it is more than twice as much, with the whole window.
    """
    from scipy.ndimage import gaussian_filter  # noqa: PLC0415 - a tenth of a second that few need

    sigma = BLUR * min(image.shape[2:])
    values = image.cpu().numpy()
    smooth = np.stack([gaussian_filter(channel, sigma, mode="nearest") for channel in values[0]])
    return torch.from_numpy(smooth[np.newaxis]).to(image)


def darkened(image: Tensor, weights: NDArray[np.floating], preparation: Preparation) -> Tensor:
    """The image (1, channel, *space) times weights (*space) from 0 to 1: where they are 0 it becomes black.

    Black is 0 before the normalisation by mean and std, which the network was given the image after.
    """
    mean, std = (
        torch.tensor(values, dtype=image.dtype, device=image.device).reshape(-1, *[1] * weights.ndim)
        for values in (preparation.mean, preparation.std)
    )
    return ((image * std + mean) * torch.from_numpy(weights).to(image) - mean) / std


def _maps(seen: Seen, finding: str, *, chance: bool) -> Iterator[tuple[str, NDArray[np.float32]]]:
    """Each method's map of the finding on the network's input, and one of chance.

    Positive is what argues for the finding, also where the method's own map has it the other way round.
    """
    for method in seen.maps:
        values = seen.on_input(method, finding)
        yield method, -values if method in OPPOSING else values
    if chance:
        size = tuple(seen.inputs.shape[2:])
        cells = tuple(min(CHANCE_CELLS, side) for side in size)
        random = np.random.default_rng(_seed(seen)).random(cells, np.float32)
        yield CHANCE, resample(random, resizing(cells, size), size)


def _seed(seen: Seen) -> int:
    return int(seen.image.digest[:8], 16)


def _measured(
    seen: Seen, finding: str, values: NDArray[np.float32], removal: Removal
) -> Iterator[tuple[str, float | None]]:
    yield from _by_order(seen, finding, values, removal)
    yield from _by_darkening(seen, finding, values)


def _by_order(
    seen: Seen, finding: str, values: NDArray[np.float32], removal: Removal
) -> Iterator[tuple[str, float | None]]:
    if values.min() == values.max():
        yield from dict.fromkeys(_BY_ORDER).items()
        return
    index, order, image = seen.finding(finding), strongest_first(values), seen.inputs
    for key, curve in (("insertion", insertion), ("deletion", deletion)):
        logits = curve(seen.score, image, order, removal.steps)
        yield key, _known(area(_probabilities(seen, logits))[index])
        yield f"{key}-logit", float(area(logits)[index])
    strongest, weakest = (
        road(seen.score, image, each, removal.shares, _seed(seen)) for each in (order, order[::-1])
    )
    yield (
        "road",
        _known((_probabilities(seen, weakest) - _probabilities(seen, strongest))[:, index].mean() / 2),
    )
    yield "beyond-chance", float((weakest - strongest)[:, index].mean() / 2)
    for key, logits in (("road-strongest", strongest), ("road-weakest", weakest)):
        yield key, float(logits[:, index].mean() - seen.prediction.logits[index])


_BY_ORDER = (
    "insertion",
    "insertion-logit",
    "deletion",
    "deletion-logit",
    "road",
    "beyond-chance",
    "road-strongest",
    "road-weakest",
)


def _by_darkening(
    seen: Seen, finding: str, values: NDArray[np.float32]
) -> Iterator[tuple[str, float | None]]:
    """Only what argues for the finding lights the image up; without any the measures are not defined."""
    support = np.clip(values, 0, None)
    if not support.any():
        yield from dict.fromkeys(("average-drop", "drop-logit", "increase", "kept")).items()
        return
    weights = support / support.max()
    index, before = seen.finding(finding), seen.prediction
    logits = seen.score(darkened(seen.inputs, weights, seen.model.card.preparation))
    left, whole = _probabilities(seen, logits)[0, index], before.probabilities[index]
    yield "average-drop", _known(100 * max(0.0, whole - left) / whole) if whole else None
    yield "drop-logit", float(before.logits[index] - logits[0, index])
    yield "increase", _known(100 * (left > whole)) if not isnan(whole) else None
    yield "kept", float(100 * weights.mean())


def _probabilities(seen: Seen, logits: NDArray[np.float64]) -> NDArray[np.float64]:
    """Of logits (n, finding), the same shape; NaN for a regression."""
    return np.array([seen.model.prediction(row.tolist()).probabilities for row in logits])


def _known(value: float) -> float | None:
    return None if isnan(value) else float(value)


def _taken(order: NDArray[np.intp], counts: Sequence[int], like: Tensor) -> Tensor:
    """Which pixels are among the first of an order: bool (count, 1, *space)."""
    rank = np.empty(len(order), np.intp)
    rank[order] = np.arange(len(order))
    taken = rank < np.array(counts)[:, np.newaxis]
    return torch.from_numpy(taken.reshape(-1, 1, *like.shape[2:])).to(like.device)
