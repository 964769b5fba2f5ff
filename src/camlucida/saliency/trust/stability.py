"""Does the map stay where it is when the image changes in a way that should not matter?

Shifts by about two per cent, noise as faint as a detector's, and another window: the map is made again for
each, put back by the shift, and compared by rank correlation; the change of the logit stands beside it.
"""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from camlucida.records.trust_report import Change, StabilityCheck
from camlucida.saliency.ranks import median, spearman
from camlucida.saliency.trust.checks import Checking, Examined

SHIFT = 0.02  # of an axis's length, at least one pixel
NOISE = 0.05  # standard deviation, as a share of the input's
CONTRAST = 0.1
BRIGHTNESS = 0.1  # of the input's standard deviation


class _Changed(NamedTuple):
    name: str
    image: Tensor  # (1, channel, *space)
    shift: tuple[int, ...] = ()  # pixels along each axis of space


def check(examined: Examined, step: Callable[[], None]) -> list[StabilityCheck]:
    """One result a finding, over all changes."""
    before = examined.scores
    rows: list[list[Change]] = [[] for _ in examined.maps]
    for changed in changes(examined.image):
        maps, scores = _again(examined, changed)
        for index, row in enumerate(rows):
            correlation = spearman(examined.maps[index], maps[index])
            row.append(Change(changed.name, correlation, float(scores[index] - before[index])))
        step()
    return [_summary(tuple(row)) for row in rows]


STABILITY = Checking(check, lambda examined: sum(1 for _ in changes(examined.image)))


def changes(image: Tensor) -> Iterator[_Changed]:
    """The image (1, channel, *space) with each small change; the same ones each time."""
    axes, spread, middle = image.ndim - 2, image.std(), image.mean()
    for axis, (back, forth) in ((axes - 2, ("up", "down")), (axes - 1, ("to the left", "to the right"))):
        pixels = max(1, round(SHIFT * image.shape[2 + axis]))
        for name, amount in ((back, -pixels), (forth, pixels)):
            shift = tuple(amount if each == axis else 0 for each in range(axes))
            yield _Changed(f"a shift {name} by {pixels} px", shifted(image, shift), shift)
    for seed in (0, 1):
        generator = torch.Generator().manual_seed(seed)
        grain = torch.randn(image.shape, generator=generator, dtype=torch.float32).to(image)
        yield _Changed(f"noise ({NOISE:.0%}, {seed + 1})", image + NOISE * spread * grain)
    for sign, more in ((1, "more"), (-1, "less")):
        yield _Changed(f"{more} contrast", middle + (image - middle) * (1 + sign * CONTRAST))
        yield _Changed(f"{more} brightness", image + sign * BRIGHTNESS * spread)


def shifted(image: Tensor, shift: tuple[int, ...]) -> Tensor:
    """The image (…, *space) moved by whole pixels; what comes in at the edge repeats the edge."""
    first = image.ndim - len(shift)
    for axis, amount in enumerate(shift):
        size = image.shape[first + axis]
        source = (torch.arange(size, device=image.device) - amount).clamp(0, size - 1)
        image = image.index_select(first + axis, source)
    return image


def _again(examined: Examined, changed: _Changed) -> tuple[NDArray[np.float32], Tensor]:
    """Maps (target, *grid) of the changed image, put back, and its targets' values (target,)."""
    recording = examined.recording.again(changed.image, examined.sample)
    maps = examined.method.compute(recording, variant=examined.variant, progress=None)[0].detach().float()
    space, grid = changed.image.shape[2:], maps.shape[1:]
    # In whole cells of the map: a shift of less than half a cell moves nothing.
    cells = tuple(-round(amount * grid[axis] / space[axis]) for axis, amount in enumerate(changed.shift))
    return shifted(maps, cells).cpu().numpy(), recording.scores(recording.logits)[0]


def _summary(row: tuple[Change, ...]) -> StabilityCheck:
    correlations = [change.correlation for change in row]
    present = [one for one in correlations if one is not None]
    return StabilityCheck(
        worst=min(present, default=None),
        median=median(correlations),
        logit_change=max(abs(change.logit_change) for change in row),
        changes=row,
    )
