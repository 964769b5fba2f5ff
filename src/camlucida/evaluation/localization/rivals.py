"""Maps that know nothing of the network: what an explanation must do better than.

Both are drawn on the native grid of the map that they are held against, so that none is punished for its
coarseness.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from camlucida.records import Geometry
from camlucida.records.geometry import resizing
from camlucida.rendering.upsample import resample

CENTRE_GAUSSIAN = "centre-gaussian"
SOBEL = "sobel"
RIVALS = (CENTRE_GAUSSIAN, SOBEL)
"""Pseudo-methods in measurements: the middle of the image, and its edges."""

SIGMA = 0.25  # of the image's length along each axis


def centre_gaussian(geometry: Geometry) -> NDArray[np.float32]:
    """A Gaussian in the middle of the image, (*native), σ a quarter of the image along each axis.

    The centre prior of saliency benchmarks (Judd, Durand and Torralba, MIT 2012), stretched to the image.
    """
    cells = np.indices(geometry.native_shape).reshape(len(geometry.native_shape), -1).T
    sizes = np.array(geometry.pixel_shape)
    away = (geometry.cell_to_pixel(cells) - (sizes - 1) / 2) / (SIGMA * sizes)
    values: NDArray[np.float32] = np.exp(-(away**2).sum(axis=1) / 2).astype(np.float32)
    return values.reshape(geometry.native_shape)


def sobel(inputs: NDArray[np.float32], native_shape: Sequence[int]) -> NDArray[np.float32]:
    """How steep the network's input (channel, *size) is, averaged over each cell: (*native).

    The edge detector to which Adebayo et al. (NeurIPS 2018, section 5) hold saliency maps.
    """
    from scipy import ndimage  # noqa: PLC0415 - a tenth of a second that few need

    grey = inputs.mean(axis=0, dtype=np.float64)
    steep = np.sqrt(sum(ndimage.sobel(grey, axis=axis) ** 2 for axis in range(grey.ndim)))
    return resample(steep, resizing(steep.shape, native_shape), native_shape, antialias=True)
