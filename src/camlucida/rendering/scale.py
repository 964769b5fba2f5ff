"""How many logits a cell must hold for full colour: one number for all findings and studies of a model.

A scale that depends on the map makes every map look equally hot; this one depends on the native grid only.
"""

import math
from collections.abc import Sequence

import numpy as np

from camlucida.records import SaliencyMap, Unit

SMALLEST = 1e-3  # logits

REGIONS = {"lime": 48, "kernelshap": 48, "occlusion": 256}
"""Methods whose values belong to regions of many cells, spread evenly over them; about how many there are."""

BRIGHTEST = 0.01
"""Share of the supporting cells of a map without a unit that may be beyond full colour."""


def fixed_scale(native_shape: Sequence[int]) -> float:
    """Logits per cell at full colour: 5 / sqrt(number of cells), rounded to 1, 2, 3, 5, 10, …, ≥ 1e-3.

    A finding whose evidence of 5 logits lies in the square root of all cells is shown in full colour there.
    """
    return max(SMALLEST, rounded(5 / math.sqrt(math.prod(native_shape))))


def fixed_scale_of_regions(native_shape: Sequence[int], regions: int) -> float:
    """The same for values that are spread over regions: 5 / sqrt(regions) logits in each, per cell of it."""
    cells = math.prod(native_shape)
    if regions >= cells:
        return fixed_scale(native_shape)
    return rounded(5 / math.sqrt(regions) * regions / cells)


def scale_of(saliency_map: SaliencyMap, index: int) -> float:
    """The scale that one finding's map is shown on, in its own unit per cell.

    Logits are shown on the model's fixed scale. A relative map has no unit, so what all but its brightest
    hundredth of supporting cells stay below is full colour: on a grid of cells its peak, on fine grids not
    the one pixel that outshines all others.
    """
    if saliency_map.unit is Unit.LOGIT:
        native_shape = saliency_map.geometry.native_shape
        regions = REGIONS.get(saliency_map.method)
        return fixed_scale_of_regions(native_shape, regions) if regions else fixed_scale(native_shape)
    supporting = saliency_map.values[index][saliency_map.values[index] > 0]
    if not supporting.size:
        return 1.0
    beyond = int(BRIGHTEST * supporting.size)
    return float(np.partition(supporting, -1 - beyond)[-1 - beyond])


def scales_of(saliency_map: SaliencyMap) -> list[float]:
    """`scale_of` each finding: one for all where the unit is "logit", each map's own where there is none."""
    return [scale_of(saliency_map, index) for index in range(len(saliency_map.findings))]


def rounded(value: float) -> float:
    """The nearest, in ratio, of …, 0.1, 0.2, 0.3, 0.5, 1, 2, 3, 5, 10, …"""
    exponent = math.floor(math.log10(value))
    series = [float(f"{mantissa}e{power}") for power in (exponent, exponent + 1) for mantissa in (1, 2, 3, 5)]
    return min(series, key=lambda candidate: abs(math.log(candidate / value)))
