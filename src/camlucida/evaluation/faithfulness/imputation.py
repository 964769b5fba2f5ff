"""Filling in removed pixels so that a network cannot see from the hole which pixels were removed.

Rong et al., A Consistent and Efficient Evaluation Strategy for Attribution Methods, ICML 2022, section 4.2:
each removed pixel is the weighted mean of its neighbours, those beside it counting twice those across, which
is one sparse system of linear equations for all of them; a little noise on top.
"""

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from camlucida.saliency.trust.infill import filled

NOISE = 0.01
"""Standard deviation of the noise, as a share of the image's own (the paper: 0.01 of normalised images)."""

WITHIN = 1e-8
"""The system is solved to this residual, relative to its right side."""

MOST_ROUNDS = 100  # about 20 are needed, whatever the size
COARSEST = 4  # cells along an axis
DAMPING = 0.8

_POOL = {2: functional.avg_pool2d, 3: functional.avg_pool3d}


def imputed(image: Tensor, removed: Tensor, *, noise: float = NOISE, seed: int = 0) -> Tensor:
    """The image (1, channel, *space) with each set of removed pixels (n, 1, *space; bool) filled in.

    Gives (n, channel, *space); pixels that were not removed are untouched; where all are, zeros. The paper
    has images only; in volumes a neighbour's weight halves with each further axis, as it does in images.

    Parameters
    ----------
    noise
        Standard deviation of the noise, as a share of the image's.
    seed
        Of the noise: the same image, removed pixels and seed give the same result.
    """
    spread = image.std() * noise
    exact = torch.cat([_solved(image[:, channel, None], removed) for channel in range(image.shape[1])], 1)
    grain = torch.from_numpy(np.random.default_rng(seed).standard_normal(exact.shape, np.float32)).to(image)
    return torch.where(removed, exact.to(image) + spread * grain, image)


def _solved(image: Tensor, removed: Tensor) -> Tensor:
    """One channel (1, 1, *space) filled in, in float64: conjugate gradients, each round by a multigrid."""
    image, unknown = image.double(), removed.double()
    system = _Level(unknown)
    wanted = unknown * _neighbours(image * (1 - unknown))
    values = filled(image, unknown) * unknown
    left = wanted - system.of(values)
    bound = WITHIN**2 * _dot(wanted, wanted)
    direction, before = torch.zeros_like(left), torch.ones_like(bound)
    for _ in range(MOST_ROUNDS):
        if (_dot(left, left) <= bound).all():
            break
        step = system.roughly(left)
        now = _dot(left, step)
        direction = step + now / before.clamp(min=_TINY) * direction
        along = system.of(direction)
        share = now / _dot(direction, along).clamp(min=_TINY)
        values, left, before = values + share * direction, left - share * along, now
    return values + image * (1 - unknown)


_TINY = 1e-300  # of a set that is solved already: 0 / 0


class _Level:
    """The system on one grid: each unknown cell less the weighted mean of its neighbours.

    The next coarser grid has cells of two along each axis, unknown where all of them are. Its equations are
    the same; as its steps are twice as long, what is left over counts four times (the second derivative).
    """

    def __init__(self, unknown: Tensor) -> None:
        self.unknown = unknown
        self.own = _neighbours(torch.ones_like(unknown[:1]))  # less than 1 at the edges
        self.coarser = self._coarser()

    def of(self, values: Tensor) -> Tensor:
        """The left side of the equations."""
        return self.unknown * (self.own * values - _neighbours(values))

    def roughly(self, left: Tensor) -> Tensor:
        """What solves for `left` roughly: one V-cycle, the same forth and back, as the gradients need it."""
        values = self._smoothed(torch.zeros_like(left), left)
        if self.coarser is None:
            for _ in range(COARSEST):
                values = self._smoothed(values, left)
            return values
        coarse = self.coarser.roughly(4 * self._halved(left - self.of(values)) * self.coarser.unknown)
        return self._smoothed(values + self._spread(coarse), left)

    def _smoothed(self, values: Tensor, left: Tensor) -> Tensor:
        return values + DAMPING * self.unknown * (left - self.of(values)) / self.own

    def _coarser(self) -> "_Level | None":
        if max(self.unknown.shape[2:]) <= COARSEST:
            return None
        known = self._halved(1 - self.unknown, outside=1.0)
        unknown = (known == 0).to(self.unknown)
        return _Level(unknown) if bool(unknown.any()) else None

    def _halved(self, values: Tensor, outside: float = 0.0) -> Tensor:
        """Means over cells of two along each axis; `outside` stands where an odd axis has no second."""
        space = values.shape[2:]
        odd = [size % 2 for size in reversed(space)]
        padded = functional.pad(values, [part for one in odd for part in (0, one)], value=outside)
        return _POOL[len(space)](padded, 2)

    def _spread(self, coarse: Tensor) -> Tensor:
        for axis, size in enumerate(self.unknown.shape[2:], 2):
            coarse = coarse.repeat_interleave(2, axis).narrow(axis, 0, size)
        return coarse * self.unknown


def _neighbours(values: Tensor) -> Tensor:
    """The weighted sum of each cell's neighbours (n, 1, *space), those beyond the edge left out.

    In images 1/6 for the four beside it and 1/12 for those across: (1/2, 1, 1/2) along each axis, the middle
    left out.
    """
    axes = values.ndim - 2
    total = values
    for axis in range(2, values.ndim):
        along = total.clone()
        size = values.shape[axis]
        along.narrow(axis, 1, size - 1).add_(total.narrow(axis, 0, size - 1), alpha=0.5)
        along.narrow(axis, 0, size - 1).add_(total.narrow(axis, 1, size - 1), alpha=0.5)
        total = along
    neighbours: Tensor = (total - values) / (2**axes - 1)
    return neighbours


def _dot(one: Tensor, other: Tensor) -> Tensor:
    return (one * other).flatten(1).sum(dim=1).reshape(-1, *[1] * (one.ndim - 1))
