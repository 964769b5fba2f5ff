"""The heatmap over the image, by the formula that the viewer uses."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from camlucida.rendering import colour


def overlay(
    grey: NDArray[np.uint8],
    values: NDArray[Any],
    scale: float,
    opacity: float = 0.6,
    colour_map: str = "inferno",
) -> NDArray[np.uint8]:
    """The image (rows, columns) or (rows, columns, 3) with evidence (rows, columns) in logits over it, RGB.

    The colour's alpha rises from 0 at no evidence to `opacity` at `scale` (logits per cell), so that what has
    no evidence is untouched: alpha = opacity · clip(v/scale, 0, 1); rgb = image·(1 - alpha) + colour·alpha.
    A diverging colour map shows evidence against as well, by |v|.
    """
    image = grey if grey.ndim == 3 else np.repeat(grey[..., np.newaxis], 3, axis=-1)
    coloured = colour.strength(colour_map, values, scale) != 0
    shown = np.asarray(values)[coloured]
    alpha = opacity * np.abs(colour.strength(colour_map, shown, scale))[:, np.newaxis]
    over = colour.table(colour_map)[colour.entries(colour_map, shown, scale)]
    result = image.copy()
    result[coloured] = np.floor(image[coloured] * (1 - alpha) + over * alpha + 0.5).astype(np.uint8)
    return result
