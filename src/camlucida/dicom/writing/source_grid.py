"""Evidence on the source's own pixels, a few slices at a time, so that no volume is held."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from camlucida.records import SaliencyMap, Unit
from camlucida.records.geometry import scaling
from camlucida.records.method_name import CLASS_AGNOSTIC
from camlucida.rendering.upsample import on_grid, to_pixel_grid

SHARE = 0.5
"""Of a finding's highest evidence: from here on a pixel belongs to the area that is drawn."""

AT_ONCE = 16  # slices: more would hold more memory, fewer would take longer


def evidence_slices(saliency_map: SaliencyMap, finding: int) -> Iterator[NDArray[np.float32]]:
    """A finding's map on each slice of the image (row, column), in order; on a 2D image once."""
    values, geometry = saliency_map.values[finding], saliency_map.geometry
    if len(geometry.pixel_shape) == 2:
        yield to_pixel_grid(values, geometry)
        return
    slices, rows, columns = geometry.pixel_shape
    for first in range(0, slices, AT_ONCE):
        count = min(AT_ONCE, slices - first)
        yield from on_grid(values, geometry, scaling([1, 1, 1], [first, 0, 0]), (count, rows, columns))


def level(saliency_map: SaliencyMap, finding: int) -> float | None:
    """Half of the highest evidence on any pixel of the source; None where no pixel has any.

    None also where the method's map is the same for all findings: it is evidence for none.
    """
    if saliency_map.method in CLASS_AGNOSTIC:
        return None
    highest = max(float(plane.max()) for plane in evidence_slices(saliency_map, finding))
    return SHARE * highest if highest > 0 else None


def unit_word(saliency_map: SaliencyMap) -> str:
    """What a value is counted in."""
    return "logits per cell" if saliency_map.unit is Unit.LOGIT else "without a unit"
