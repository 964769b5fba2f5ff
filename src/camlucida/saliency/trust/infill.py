"""Filling a removed region smoothly from what surrounds it, in 2D and 3D by the same code.

Push and pull (Gortler et al., The Lumigraph, SIGGRAPH 1996, section 3.4): the known pixels are averaged down
to coarser and coarser grids until nothing is unknown; on the way back up, each unknown pixel takes the
coarser grid's value. There is no hard edge that a network could see as one, and nothing random.
"""

import torch
from torch import Tensor
from torch.nn import functional

from camlucida.saliency.upsampling import upsampled

_HALVE = {2: functional.avg_pool2d, 3: functional.avg_pool3d}


def filled(image: Tensor, regions: Tensor) -> Tensor:
    """The image (1, channel, *space) with each region (n, 1, *space; 1 inside, 0 outside) filled in.

    Gives (n, channel, *space); pixels outside the region are untouched. A region that is the whole image is
    filled with zeros.
    """
    known = 1 - regions
    smooth = _pull(image * known, known)
    return torch.where(regions.bool(), smooth, image.expand_as(smooth))


def _pull(weighted: Tensor, weight: Tensor) -> Tensor:
    """Values times weight (n, channel, *space), weight (n, 1, *space), to values everywhere."""
    here = weighted / weight.clamp(min=1e-12)
    if max(weight.shape[2:]) == 1:
        return here
    axes = weight.ndim - 2
    coarser = _pull(*(_halved(part, axes) for part in (weighted, weight)))
    grown = upsampled(coarser, weight.shape[2:])
    share = weight.clamp(max=1)
    return share * here + (1 - share) * grown


def _halved(part: Tensor, axes: int) -> Tensor:
    """Means of pairs along each axis; an odd last one stands alone, an axis of one stays."""
    kernel = [2 if size > 1 else 1 for size in part.shape[2:]]
    return _HALVE[axes](part, kernel, kernel, ceil_mode=True, count_include_pad=False)
