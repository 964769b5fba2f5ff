"""Do map and logit stay what they are when the image changes in a way that should not matter?

A map that jumps at a change that the logit does not notice explains something else than the logit; one that
stays while the logit jumps explains nothing. Both are measured, and how they go together (Zhang et al.,
Revisiting the Trustworthiness of Saliency Methods in Radiology AI, Radiology: Artificial Intelligence 2024).
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from camlucida.evaluation.data.cohort import Observed
from camlucida.evaluation.data.interest import findings_of_interest
from camlucida.evaluation.data.seen import Measuring, Seen
from camlucida.evaluation.estimates import Estimated
from camlucida.evaluation.intervals import Statistic, Weights, estimate
from camlucida.evaluation.measures import Better, Measure, Topic
from camlucida.evaluation.robustness.small_changes import Family, small_changes
from camlucida.evaluation.sanity.similarity import ssim
from camlucida.models.card import Task
from camlucida.models.classifier import Classifier
from camlucida.records import Geometry, Image, Measurement, SaliencyMap
from camlucida.records.geometry import resizing
from camlucida.saliency.explain import explain_batch
from camlucida.saliency.ranks import spearman

SIDE = {2: 64, 3: 24}
"""Cells along each axis of the grid over the whole image on which two maps are compared, at most."""

TOGETHER = {2: 4, 3: 1}
"""How many changed images or volumes are in memory at once."""

CORRELATION = "robustness.prediction-saliency-correlation"

_SAYS = {
    Family.WINDOW: "its window is a fifth narrower or wider, or the image a tenth darker or brighter",
    Family.NOISE: "the image gets noise of 2 % of its range of values",
    Family.COMPRESSION: "the image goes through JPEG of quality 75 or 40 with 8 bits",
    Family.SHIFT: "the image is shifted by 2 % of its sides, the map put back",
    Family.TURN: "the image is turned by 3 degrees, the map put back",
}
_SAME_IMAGE = "a network trained with another seed is asked"
_OURS = "changes of every day, chosen by camlucida; SSIM: Wang et al., IEEE TIP 2004, eq. 13"
_ZHANG = "Zhang et al., Radiology: Artificial Intelligence 2024;6(1):e220221"
_ARUN = "Arun et al., Radiology: Artificial Intelligence 2021;3(6):e200267"


def _three(key: str, title: str, when: str, source: str) -> tuple[Measure, ...]:
    return (
        Measure(
            f"robustness.{key}-logit",
            f"{title}: change of the logit",
            Topic.ROBUSTNESS,
            Better.LOWER,
            f"How far the logit moves, up or down, when {when}.",
            source,
            "logits",
        ),
        Measure(
            f"robustness.{key}-ssim",
            f"{title}: SSIM of the maps",
            Topic.ROBUSTNESS,
            Better.HIGHER,
            "How alike the maps look (their support, each from 0 to its own largest value); 1 is the same. "
            "Coarse maps are alike by their coarseness: compare methods of one grid.",
            source,
        ),
        Measure(
            f"robustness.{key}-rank",
            f"{title}: rank correlation of the maps",
            Topic.ROBUSTNESS,
            Better.HIGHER,
            "Whether the maps order the places alike (Spearman); 1 is the same order.",
            source,
        ),
    )


MEASURES = (
    *(row for family, says in _SAYS.items() for row in _three(family, family.capitalize(), says, _OURS)),
    *_three("repeatability", "Repeatability", _SAME_IMAGE, _ARUN),
    Measure(
        CORRELATION,
        "Prediction-saliency correlation",
        Topic.ROBUSTNESS,
        Better.HIGHER,
        "Over all images and small changes: does the map change (1 - SSIM) where the logit does? Pearson's "
        "correlation. Near 0 the map moves without the prediction, or stays while that moves. The paper "
        "searches for the worst changes; these are everyday ones, so the figures are not its own.",
        _ZHANG,
    ),
)


@dataclass(frozen=True, slots=True)
class Changes:
    """Which small changes are tried: each image of them is explained by each method.

    Attributes
    ----------
    families
        Kinds of changes; all together are 12 images.
    findings
        How many of the image's findings are looked at: those that are there, or are reported, first.
    """

    families: tuple[Family, ...] = tuple(Family)
    findings: int = 1


def measuring(changes: Changes | None = None, others: tuple[Classifier, ...] = ()) -> Measuring:
    """What measures a case as `changes` says.

    Parameters
    ----------
    others
        The same network trained with other seeds, for repeatability; they take the same images.
    """
    return partial(measure, changes=changes or Changes(), others=others)


def measure(
    seen: Seen, changes: Changes | None = None, others: tuple[Classifier, ...] = ()
) -> Iterator[Measurement]:
    """By family: mean change of the logit, mean SSIM and mean rank correlation of each method's map.

    Where a map has no support, or is the same everywhere, it has no SSIM or no order: None.
    """
    changes = changes or Changes()
    findings = findings_of_interest(seen, changes.findings)
    rows: dict[tuple[str, str, str], list[Likeness]] = defaultdict(list)
    for kind, moved, maps in _again(seen, findings, changes, others):
        for method, there in maps.items():
            for finding in findings:
                rows[finding, method, kind].append(likeness(seen.maps[method], there, finding, moved))
    for (finding, method, kind), some in rows.items():
        for name in Likeness._fields:
            value = _mean(getattr(one, name) for one in some)
            yield Measurement(seen.name, finding, method, f"robustness.{kind}-{name}", value)


class Likeness(NamedTuple):
    """How alike two maps of a finding are, and how far apart their logits; None where it is not defined."""

    logit: float
    ssim: float | None
    rank: float | None


def likeness(before: SaliencyMap, after: SaliencyMap, finding: str, moved: NDArray[np.float64]) -> Likeness:
    """Two maps of a finding, compared where both images show the same.

    Parameters
    ----------
    moved
        A homogeneous matrix from a pixel of the image before to where what it shows is in the one after.
    """
    one, other = before.findings.index(finding), after.findings.index(finding)
    there, seen_there = carried(before.values[one], before.geometry, np.eye(len(moved)))
    back, seen_back = carried(after.values[other], after.geometry, moved)
    both = seen_there & seen_back
    return Likeness(
        logit=abs(after.logits[other] - before.logits[one]),
        ssim=_look_alike(there * both, back * both),
        rank=spearman(there[both], back[both]) if both.any() else None,
    )


def carried(
    values: NDArray[np.float32], geometry: Geometry, moved: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """A map (*native) on a grid over the whole image before, and which of the grid's cells it knows of."""
    from scipy.ndimage import map_coordinates  # noqa: PLC0415 - a tenth of a second that few need

    pixels = geometry.pixel_shape
    grid = tuple(min(SIDE[len(pixels)], side) for side in pixels)
    to_native = np.linalg.inv(geometry.native_to_pixel) @ moved @ resizing(pixels, grid)
    places = np.indices(grid).reshape(len(grid), -1)
    cells = to_native[:-1, :-1] @ places + to_native[:-1, -1:]
    field = np.array(values.shape)[:, np.newaxis] - 0.5
    known = ((cells >= -0.5) & (cells <= field)).all(axis=0)
    read = map_coordinates(values.astype(np.float64), cells, order=1, mode="nearest")
    return read.reshape(grid), known.reshape(grid)


def prediction_saliency_correlation(
    observed: Iterable[Observed], group: str = "", *, seed: int = 0
) -> tuple[Estimated, ...]:
    """How the change of the logit and that of the map (1 - SSIM) go together, by finding and method.

    Pearson's correlation over all cases and families of small changes, with its interval by patient.
    """
    pairs: dict[tuple[str, str], dict[str, list[tuple[float, float]]]] = defaultdict(dict)
    patients: dict[str, str] = {}
    for one in observed:
        patients[one.case.name] = one.case.patient
        for (finding, method), some in _pairs(one.measurements).items():
            pairs[finding, method][one.case.name] = some
    return tuple(
        Estimated(
            CORRELATION,
            finding,
            method,
            group,
            estimate(_pearson(list(cases.values())), [patients[name] for name in cases], seed=seed),
        )
        for (finding, method), cases in pairs.items()
    )


_Again: TypeAlias = tuple[str, NDArray[np.float64], Mapping[str, SaliencyMap]]
"""What was changed, where pixels went, and the maps after it by their method."""


def _again(
    seen: Seen, findings: Sequence[str], changes: Changes, others: Sequence[Classifier]
) -> Iterator[_Again]:
    """The maps of every changed image, then those that other networks give of the image itself."""
    if not findings:
        return
    wanted = (one for one in small_changes(seen.image) if one.family in changes.families)
    while group := list(islice(wanted, TOGETHER[len(seen.image.space)])):
        images = [one.image for one in group]
        maps = {method: _maps(seen.model, images, method, findings) for method in seen.maps}
        for number, one in enumerate(group):
            yield one.family, one.moved, {method: some[number] for method, some in maps.items()}
    still = np.eye(len(seen.image.space) + 1)
    for other in others:
        yield (
            "repeatability",
            still,
            {method: _maps(other, [seen.image], method, findings)[0] for method in seen.maps},
        )


def _maps(
    model: Classifier, images: Sequence[Image], method: str, findings: Sequence[str]
) -> list[SaliencyMap]:
    scalar = model.card.task is Task.REGRESSION
    explained = explain_batch(model, images, method=method, finding=list(findings), scalar=scalar)
    return [one.explanation.saliency_map for one in explained]


def _look_alike(one: NDArray[np.float64], other: NDArray[np.float64]) -> float | None:
    """SSIM of the support of two maps, each from 0 to its largest value; None where one has no support."""
    supports = [np.clip(values, 0, None) for values in (one, other)]
    if not all(support.any() for support in supports):
        return None
    return ssim(*(support / support.max() for support in supports))


def _mean(values: Iterable[float | None]) -> float | None:
    present = [value for value in values if value is not None]
    return float(np.mean(present)) if present else None


def _pairs(rows: Iterable[Measurement]) -> Mapping[tuple[str, str], list[tuple[float, float]]]:
    """Of one case, by finding and method: change of the logit and of the map, for each family."""
    values = {(row.finding, row.method, row.measure): row.value for row in rows}
    pairs = defaultdict(list)
    for (finding, method, measure), logit in values.items():
        kind, _, what = measure.removeprefix("robustness.").partition("-")
        alike = values.get((finding, method, f"robustness.{kind}-ssim"))
        if what == "logit" and kind in _SAYS and logit is not None and alike is not None:
            pairs[finding, method].append((logit, 1 - alike))
    return pairs


def _pearson(cases: Sequence[Sequence[tuple[float, float]]]) -> Statistic:
    """The correlation of all pairs, each counted as often as its case is drawn."""
    sums = np.array([_moments(np.array(pairs)) for pairs in cases])

    def of(weights: Weights) -> NDArray[np.float64]:
        count, x, y, xx, yy, xy = (weights @ sums).T
        with np.errstate(invalid="ignore", divide="ignore"):
            spread = (xx - x * x / count) * (yy - y * y / count)
            return np.asarray((xy - x * y / count) / np.sqrt(np.where(spread > 0, spread, np.nan)))

    return of


def _moments(pairs: NDArray[np.float64]) -> tuple[float, ...]:
    x, y = pairs.T
    return len(pairs), x.sum(), y.sum(), (x * x).sum(), (y * y).sum(), (x * y).sum()
