"""Zones taken out of the image, and the network asked again: what a zone does, in logits.

Removing is an intervention (do-operation) on the input, so its effect is causal for the network, unlike a
share of a map. What the hole itself does to the network is in the effect as well; as it is smooth (Gortler,
SIGGRAPH 1996) it does little, and what it does to clean networks is in the verdict's false-alarm rate.
"""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from camlucida.evaluation.data.seen import Seen
from camlucida.evaluation.shortcuts.zones import Filling
from camlucida.saliency.trust.infill import filled


def without(inputs: Tensor, region: NDArray[np.bool_], filling: Filling = Filling.SURROUNDINGS) -> Tensor:
    """The network's input (1, channel, *size) with a region (*size) filled in: the same shape."""
    inside = torch.from_numpy(region)[None, None].to(inputs.device)
    if not region.any():
        return inputs
    if filling is Filling.SURROUNDINGS and not region.all():
        return filled(inputs, inside.to(inputs.dtype))
    middle = inputs[0][:, inside[0, 0]].median(dim=1).values
    each = (1, -1, *[1] * region.ndim)
    return torch.where(inside, middle.view(each), inputs)


def effects(
    seen: Seen, regions: Sequence[NDArray[np.bool_]], fillings: Sequence[Filling]
) -> NDArray[np.float64]:
    """What each region (*size) adds to each logit, by taking it out: (region, finding) logits."""
    emptied = [without(seen.inputs, *pair) for pair in zip(regions, fillings, strict=True)]
    scores = seen.score(torch.cat([seen.inputs, *emptied]))
    added: NDArray[np.float64] = scores[:1] - scores[1:]
    return added
