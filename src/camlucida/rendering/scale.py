"""How many logits a cell must hold for full colour: one number for all findings and studies of a model.

A scale that depends on the map makes every map look equally hot; this one depends on the native grid only.
"""

import math
from collections.abc import Sequence

from camlucida.records import SaliencyMap, Unit

SMALLEST = 1e-3  # logits


def fixed_scale(native_shape: Sequence[int]) -> float:
    """Logits per cell at full colour: 5 / sqrt(number of cells), rounded to 1, 2, 3, 5, 10, …, ≥ 1e-3.

    A finding whose evidence of 5 logits lies in the square root of all cells is shown in full colour there.
    """
    return max(SMALLEST, rounded(5 / math.sqrt(math.prod(native_shape))))


def scale_of(saliency_map: SaliencyMap, index: int) -> float:
    """The scale that one finding's map is shown on, in its own unit per cell.

    Logits are shown on the model's fixed scale. A relative map has no unit, so its own peak is full colour.
    """
    if saliency_map.unit is Unit.LOGIT:
        return fixed_scale(saliency_map.geometry.native_shape)
    peak = float(saliency_map.values[index].max(initial=0.0))
    return peak if peak > 0 else 1.0


def rounded(value: float) -> float:
    """The nearest, in ratio, of …, 0.1, 0.2, 0.3, 0.5, 1, 2, 3, 5, 10, …"""
    exponent = math.floor(math.log10(value))
    series = [float(f"{mantissa}e{power}") for power in (exponent, exponent + 1) for mantissa in (1, 2, 3, 5)]
    return min(series, key=lambda candidate: abs(math.log(candidate / value)))
