"""Where the supporting evidence lies, as shares: counted, never masked away. All of it in well under 1 ms."""

import numpy as np
from numpy.typing import NDArray

CORNER = 6
"""A corner reaches over a sixth of the rows and a sixth of the columns, at least one cell."""


def residual_share(residual: float, evidence_for: float, evidence_against: float) -> float:
    """|residual| / (|for| + |against| + |residual|): 0 when the map explains all, 1 when nothing."""
    whole = abs(residual) + abs(evidence_for) + abs(evidence_against)
    return abs(residual) / whole if whole else 0.0


def focality(support: NDArray[np.float64]) -> list[float | None]:
    """Share of the grid's cells that holds half of the support (finding, *space) ≥ 0; None without any."""
    falling = -np.sort(-support.reshape(len(support), -1), axis=1)
    total = falling.sum(axis=1, keepdims=True)
    cells = (np.cumsum(falling, axis=1) < total / 2).sum(axis=1) + 1
    return _where_supported(total, cells / falling.shape[1])


def border_share(support: NDArray[np.float64]) -> list[float | None]:
    """Share of the support (finding, *space) ≥ 0 in the outermost ring of cells; None without any."""
    # An axis of one or two cells is border all over, and says nothing about where the evidence is.
    inner = tuple(slice(1, -1) if size > 2 else slice(None) for size in support.shape[1:])
    return _share(support, 1 - _block(support.shape[1:], inner))


def corner_share(support: NDArray[np.float64]) -> list[float | None]:
    """Share of the support (finding, *space) ≥ 0 in the corners of rows and columns; None without any."""
    return _share(support, corners(support.shape[1:]))


def corners(shape: tuple[int, ...]) -> NDArray[np.float64]:
    """1 in the corners of the last two axes, 0 elsewhere: (*shape)."""
    rows, columns = (_ends(size) for size in shape[-2:])
    return np.broadcast_to(rows[:, np.newaxis] * columns, shape)


def outside_share(support: NDArray[np.float64], in_body: NDArray[np.float32] | None) -> list[float | None]:
    """Share of the support (finding, *space) ≥ 0 outside the body; None without any, and without a body.

    `in_body` (*space): how much of what each cell spreads over the image lies in the body, 0..1.
    """
    if in_body is None:
        return [None] * len(support)
    return _share(support, 1 - in_body.astype(np.float64))


def _ends(size: int) -> NDArray[np.float64]:
    """1 at both ends of an axis; an axis of one or two cells has no corner."""
    reach = max(1, size // CORNER) if size > 2 else 0
    at = np.arange(size)
    return ((at < reach) | (at >= size - reach)).astype(np.float64)


def _block(shape: tuple[int, ...], place: tuple[slice, ...]) -> NDArray[np.float64]:
    block = np.zeros(shape)
    block[place] = 1
    return block


def _share(support: NDArray[np.float64], weight: NDArray[np.float64]) -> list[float | None]:
    """What falls to the weights (*space), 0..1, as a share of the whole."""
    flat = support.reshape(len(support), -1)
    total = flat.sum(axis=1)
    return _where_supported(total, (flat @ weight.ravel()) / np.where(total > 0, total, 1))


def _where_supported(total: NDArray[np.float64], figures: NDArray[np.float64]) -> list[float | None]:
    supported = total.ravel() > 0
    return [float(figure) if has else None for figure, has in zip(figures, supported, strict=True)]
