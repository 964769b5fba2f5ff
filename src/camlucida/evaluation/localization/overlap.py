"""How much of what a map shows lies on what was marked: intersection over union at a level.

As in CheXlocalize (Saporta et al., Nature Machine Intelligence 2022): the map is enlarged to the image,
scaled to 0..1 by its own lowest and highest value, and cut at Otsu's level of its 256 grey levels.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def grey_levels(support: NDArray[np.float32]) -> NDArray[np.uint8] | None:
    """A map (*grid) from its lowest to its highest value as 0..255, cut, not rounded; None if it is flat."""
    low, high = float(support.min()), float(support.max())
    if not high > low:
        return None
    scaled = (support - np.float32(low)) / np.float32(high - low)
    return np.asarray(np.minimum(255 * scaled, 255).astype(np.uint8))


def otsu(counts: NDArray[np.integer]) -> int:
    """Otsu's level of a histogram (256,): the first with the largest variance between the two sides.

    Otsu 1979, eq. 18: σ²_B(k) = (μ_T ω(k) - μ(k))² / (ω(k) (1 - ω(k))). What is above it is shown.
    """
    probabilities = counts / counts.sum()
    omega, mu = np.cumsum(probabilities), np.cumsum(probabilities * np.arange(len(counts)))
    beneath = omega * (1 - omega)
    possible = beneath > 1e-12
    between = np.zeros(len(counts))
    between[possible] = (mu[-1] * omega[possible] - mu[possible]) ** 2 / beneath[possible]
    return int(between.argmax())


def overlaps(grey: NDArray[np.uint8], area: NDArray[np.bool_], levels: Sequence[int]) -> list[float | None]:
    """IoU of a marked area (*grid) with what is brighter than each level; None where either is empty."""
    inside = _above(np.bincount(grey[area], minlength=256))
    everywhere = _above(np.bincount(grey.ravel(), minlength=256))
    marked = int(area.sum())
    return [
        float(inside[level] / (marked + everywhere[level] - inside[level]))
        if marked and everywhere[level]
        else None
        for level in levels
    ]


def _above(counts: NDArray[np.integer]) -> NDArray[np.integer]:
    """For each level how many are above it."""
    return np.asarray(counts[::-1].cumsum()[::-1] - counts)
