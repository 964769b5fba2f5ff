"""An image in regions that are there or not: what LIME and Kernel SHAP ask the network about."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from camlucida.errors import MissingExtra
from camlucida.saliency.baseline import baseline
from camlucida.saliency.batches import batches
from camlucida.saliency.input_gradients import MOST_AT_ONCE, SCORED_VALUES, wide
from camlucida.saliency.method import Progress, of_image
from camlucida.saliency.recording import Recording

REGIONS = 48
"""About so many superpixels; SLIC makes somewhat fewer or more."""

COMPACTNESS = (0.1, 1.0, 10.0)
"""How much nearness counts beside likeness, for values between 0 and 1; more, where likeness alone leaves
fewer than half as many regions as were asked for (noise has no edges)."""


def superpixels(image: Tensor, count: int = REGIONS) -> Tensor:
    """The region's number of each place of an image (channel, *space): (*space), from 0, without gaps.

    SLIC (Achanta et al., 2012) of scikit-image, on the values scaled to 0..1, in two or three dimensions.

    Raises
    ------
    MissingExtra
        scikit-image is not installed.
    """
    slic = _slic()
    values = _picture(image)
    for compactness in COMPACTNESS:
        regions = slic(
            values,
            n_segments=count,
            compactness=compactness,
            channel_axis=-1,
            convert2lab=False,
            start_label=0,
        )
        found, numbers = np.unique(regions, return_inverse=True)
        if len(found) >= count / 2:
            break
    return torch.from_numpy(numbers).reshape(image.shape[1:]).to(image.device)


def _picture(image: Tensor) -> NDArray[np.float64]:
    """Values from 0 to 1, the channel last.

    A volume of one slice is a picture, or SLIC would seed its regions otherwise.
    """
    values = image.detach().double().cpu()
    low, high = (float(bound) for bound in values.aminmax())
    thick = [size for size in image.shape[1:] if size > 1]
    shape = [1] * (2 - len(thick)) + thick
    scaled = (values - low) / ((high - low) or 1.0)
    return scaled.reshape(len(image), *shape).movedim(0, -1).contiguous().numpy()


def region_scores(
    recording: Recording,
    sample: int,
    regions: Tensor,
    kept: Tensor,
    filling: str,
    progress: Progress | None,
) -> Tensor:
    """The targets' values (n, target), in float64, of the image with some regions covered.

    Parameters
    ----------
    regions
        Of `superpixels`: (*space).
    kept
        Which regions are there, (n, region), bool. One sweep serves all targets.
    filling
        One of FILLINGS: what the others are covered with.
    """
    image = recording.images[sample : sample + 1]
    cover = baseline(image, filling)
    scores, tell = [], of_image(progress, sample, len(recording.images))
    for batch in batches(len(kept), image.numel(), SCORED_VALUES, MOST_AT_ONCE):
        there = kept[batch.start : batch.stop].to(image.device)[:, regions][:, None]
        scores.append(recording.rescore(torch.where(there, image, cover), sample).double().cpu())
        tell(batch.stop, len(kept))
    return torch.cat(scores)


def spread(shares: Tensor, regions: Tensor, like: Tensor) -> Tensor:
    """Each region's share (region, target) spread evenly over its places: (target, *space)."""
    sizes = regions.flatten().bincount(minlength=len(shares)).cpu()
    return (shares / sizes[:, None]).T.to(regions.device)[:, regions].to(wide(like))


def _slic() -> Any:
    try:
        from skimage.segmentation import slic  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise MissingExtra(
            "Superpixels need scikit-image. Install with `pip install 'camlucida[attributions]'`."
        ) from error
    return slic
