"""Does the hottest region count? It is taken out of the image, and so are others of its size and shape.

The map names a region; an intervention says what it does. The region's cells are filled in from what
surrounds them, and the network is asked again. The same is done with the region shifted to other places.
If the logit falls no more than it does for those, the place says nothing. As every region has the same shape,
what the shape of the hole itself does to the network (Rong et al., ROAD, ICML 2022) is in both.
"""

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from camlucida.records.trust_report import CausalCheck
from camlucida.saliency.batches import batches
from camlucida.saliency.trust.checks import Checking, Examined
from camlucida.saliency.trust.infill import filled

REGIONS = 24
"""Other regions that each finding's hottest one is held against."""

HELD = 0.5
"""Share of the supporting evidence that the region's cells hold: the cells that focality counts."""

LARGEST = 0.2
"""Share of the grid's cells that the region has at most: a larger hole leaves no image to judge by."""

FINEST = 16
"""Cells along an axis at most; a finer map (an attribution) is averaged to these: a region has an extent."""

LEAST_SD = 0.01
"""Logits: a spread below this counts as this, so that z stays finite where other regions do nothing."""

BATCH_VALUES = 2**23
"""Input values of the images that are scored together: 32 MB of float32."""


def check(examined: Examined, step: Callable[[], None]) -> list[CausalCheck | None]:
    """One result a finding; None where there is no supporting evidence to remove."""
    return [_check_one(examined, index, step) for index in range(len(examined.maps))]


CAUSAL = Checking(check, lambda examined: len(examined.maps))


def _check_one(examined: Examined, index: int, step: Callable[[], None]) -> CausalCheck | None:
    cells = hottest(examined.maps[index])
    if not cells.any():
        step()
        return None
    image = examined.image
    region = on_input(cells, tuple(image.shape[2:]))
    masks = np.stack([region, *elsewhere(region, REGIONS)])
    before = float(examined.scores[index])
    after = [
        score
        for batch in batches(len(masks), image.numel(), BATCH_VALUES)
        for score in _scores(examined, image, masks[batch.start : batch.stop], index)
    ]
    effects = before - np.array(after)
    mean, sd = float(effects[1:].mean()), float(effects[1:].std(ddof=1))
    step()
    return CausalCheck(
        effect=float(effects[0]),
        random_mean=mean,
        random_sd=sd,
        z=(float(effects[0]) - mean) / max(sd, LEAST_SD),
        regions=REGIONS,
        as_strong=int((effects[1:] >= effects[0]).sum()),
        area=float(region.mean()),
    )


def hottest(values: NDArray[np.float32]) -> NDArray[np.bool_]:
    """The cells (*grid, at most 16 along an axis) that hold half of the support, the strongest first."""
    support = _coarse(np.clip(values, 0, None))
    order = np.argsort(-support, axis=None, kind="stable")
    held = np.cumsum(support.ravel()[order], dtype=np.float64)
    needed = int((held < HELD * held[-1]).sum()) + 1
    most = max(1, int(LARGEST * support.size))
    chosen = np.zeros(support.size, np.bool_)
    chosen[order[: min(needed, most)]] = True
    return (chosen & (support.ravel() > 0)).reshape(support.shape)


def on_input(cells: NDArray[np.bool_], shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """The cells' region on the network's input, bool (*shape), widened by half a cell on every side.

    So far the linear interpolation of the map reaches. The network's receptive field reaches further: the
    effect is of the region, and for one cell less than what its receptive field holds.
    """
    from scipy.ndimage import binary_dilation  # noqa: PLC0415 - a tenth of a second that few need

    # Each cell as 2 along each axis: half a cell is then one step.
    doubled = cells
    for axis in range(cells.ndim):
        doubled = np.repeat(doubled, 2, axis=axis)
    wide: NDArray[np.bool_] = binary_dilation(doubled, np.ones((3,) * cells.ndim, np.bool_))
    for axis, size in enumerate(shape):
        nearest = ((np.arange(size) + 0.5) * wide.shape[axis] / size).astype(np.intp)
        wide = np.take(wide, nearest, axis=axis)
    return wide


def elsewhere(region: NDArray[np.bool_], count: int) -> Iterator[NDArray[np.bool_]]:
    """The region shifted to `count` other places, wrapped at the edges; the same ones each time.

    Those that overlap least with the region itself are taken, of ten times as many drawn at random.
    """
    random = np.random.default_rng(0)
    shifts = random.integers(0, region.shape, (10 * count, region.ndim))
    moved = [np.roll(region, tuple(shift), tuple(range(region.ndim))) for shift in shifts]
    overlap = [int((one & region).sum()) for one in moved]
    least = np.argsort(overlap, kind="stable")[:count]
    return (moved[place] for place in least)


def _coarse(support: NDArray[np.float32]) -> NDArray[np.float32]:
    size = [min(side, FINEST) for side in support.shape]
    if size == list(support.shape):
        return support
    coarse = functional.interpolate(torch.from_numpy(support)[None, None], size=size, mode="area")
    return np.asarray(coarse[0, 0])


def _scores(examined: Examined, image: Tensor, masks: NDArray[np.bool_], index: int) -> Sequence[float]:
    regions = torch.from_numpy(masks[:, np.newaxis]).to(image)
    scores = examined.recording.rescore(filled(image, regions), examined.sample)
    return [float(score) for score in scores[:, index].double()]
