"""How alike two maps look: the structural similarity index (SSIM)."""

import numpy as np
from numpy.typing import NDArray

SIGMA = 1.5  # of the Gaussian window, in pixels
REACH = 5  # of the window on each side: it is 11 wide
K1, K2 = 0.01, 0.03


def ssim(one: NDArray[np.floating], other: NDArray[np.floating], data_range: float = 1.0) -> float:
    """Mean structural similarity of two images or volumes of one shape: 1 for the same, near 0 for unlike.

    Wang et al., IEEE Transactions on Image Processing 2004, eq. 13, with their Gaussian window; the mean is
    over the places where the whole window lies inside, or over all where there are none.
    """
    from scipy.ndimage import gaussian_filter  # noqa: PLC0415 - a tenth of a second that few need

    def blurred(values: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(gaussian_filter(values, SIGMA, truncate=REACH / SIGMA))

    x, y = one.astype(np.float64), other.astype(np.float64)
    mean_x, mean_y = blurred(x), blurred(y)
    variance_x, variance_y = blurred(x * x) - mean_x**2, blurred(y * y) - mean_y**2
    covariance = blurred(x * y) - mean_x * mean_y
    c1, c2 = (K1 * data_range) ** 2, (K2 * data_range) ** 2
    similar = ((2 * mean_x * mean_y + c1) * (2 * covariance + c2)) / (
        (mean_x**2 + mean_y**2 + c1) * (variance_x + variance_y + c2)
    )
    inner = tuple(slice(REACH, -REACH) if size > 2 * REACH else slice(None) for size in similar.shape)
    return float(similar[inner].mean())
