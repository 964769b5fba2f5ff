"""Maps of several layers in one: the fine detail of early layers within what late layers point at.

Jiang et al., IEEE Transactions on Image Processing 2021 (LayerCAM), section III-D. Only LayerCAM weights each
cell by itself, so that the maps of early layers are fit to be fused; its paper alone says how.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from camlucida.records.geometry import resizing
from camlucida.records.image import Image
from camlucida.records.saliency_map import SaliencyMap, Unit
from camlucida.rendering.upsample import resample
from camlucida.saliency import trust
from camlucida.saliency.method import Method
from camlucida.saliency.visual_explanation import VisualExplanation

GAMMA = 2.0
CAUTION = (
    "The layers' maps are fused by tanh(2·M/max M) and the largest of them: the map is a pattern, without a "
    "unit, and its faint places are lifted."
)


def fused(parts: Sequence[VisualExplanation], method: Method) -> VisualExplanation:
    """One explanation of the explanations by several layers of one image, on the finest of their grids."""
    finest = max(parts, key=lambda part: part.values[0].size).explanation.saliency_map
    saliency_map = _fused_map([part.explanation.saliency_map for part in parts], finest)
    last = parts[-1].explanation
    said = dict.fromkeys(caution for part in parts for caution in part.explanation.trust.cautions)
    cautions = [CAUTION, *(caution for caution in said if caution != method.caution)]
    explanation = replace(
        last,
        saliency_map=saliency_map,
        trust=trust.report(saliency_map, method, None, cautions, image=_image(parts[-1])),
        provenance=replace(
            last.provenance,
            target_layer=saliency_map.target_layer,
            seconds=round(sum(part.explanation.provenance.seconds for part in parts), 4),
        ),
    )
    return replace(parts[-1], explanation=explanation)


def _image(part: VisualExplanation) -> Image | None:
    """The image, unless it was only a tensor: a body is not sought on those."""
    return part.shown if isinstance(part.shown, Image) else None


def _fused_map(maps: Sequence[SaliencyMap], finest: SaliencyMap) -> SaliencyMap:
    grid = finest.geometry.native_shape
    values = np.maximum.reduce(
        [resample(scaled(one.values), resizing(one.geometry.native_shape, grid), grid) for one in maps]
    )
    rest = np.subtract(finest.logits, finest.bias) - values.reshape(len(values), -1).sum(axis=1)
    return replace(
        finest,
        values=values,
        residual=tuple(rest.tolist()),
        target_layer=" + ".join(one.target_layer for one in maps),
        unit=Unit.RELATIVE,
    )


def scaled(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """tanh(2·M / max M) of each finding's map (finding, *grid), what argues against it left out (eq. 9)."""
    support = np.maximum(values, 0)
    peaks = support.reshape(len(support), -1).max(axis=1).reshape(-1, *[1] * (support.ndim - 1))
    return np.tanh(np.float32(GAMMA) * support / np.where(peaks > 0, peaks, 1)).astype(np.float32)
