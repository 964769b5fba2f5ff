"""Where the body is on an image: a coarse mask, made from the grey values alone, in about half a millisecond.

Air, collimator leaves and padding are the darkest values of a radiograph, a CT or an MR, and they reach the
image's edge. So the surroundings are what is dark and connected with the edge; the body is the rest, without
pieces that are small beside the largest (letters, markers, a table), and with its holes filled. Lungs are
dark too, but enclosed. Where an image is coloured, or has no such surroundings, no body is told.
"""

from dataclasses import dataclass
from functools import cached_property
from math import ceil
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from camlucida.records import Geometry, Image, Photometric
from camlucida.records.geometry import scaling
from camlucida.rendering.upsample import inside, resample
from camlucida.rendering.window import is_padding

LONGEST = {2: 64, 3: 48}
"""Samples along the longest edge of the mask, for images and for volumes."""

DARK = 0.15
"""Share of the range from the 0.5th to the 99th percentile that counts as dark."""

SMALL = 0.1
"""Pieces smaller than this share of the largest piece are no body: letters, markers, a table."""

LEAST_SURROUNDINGS = 0.02
LEAST_BODY = 0.05
"""Shares of the image below which nothing is told: the body fills the frame, or there is none."""

COLOURED = "No body is told apart on a colour picture."
FILLED = "The body fills the frame: nothing lies outside it."
NOTHING = "No body can be told from its surroundings."
FOUND = "The body covers {share:.0%} of the field."


@dataclass(frozen=True, eq=False)
class Body:
    """The body on one image.

    `mask` (*space) is bool on a coarse grid, or None where no body is told; `why` says why not.
    `mask_to_pixel` is the homogeneous matrix from the mask's indices to pixel indices.
    """

    mask: NDArray[np.bool_] | None
    mask_to_pixel: NDArray[np.float64]
    why: str = ""

    @cached_property
    def _share(self) -> dict[tuple[object, ...], NDArray[np.float32]]:
        return {}

    def share_of_cells(self, geometry: Geometry) -> NDArray[np.float32] | None:
        """How much of each native cell lies in the body, (*native), 0..1; None where no body is told.

        A map is drawn by linear interpolation between its cells; what a cell spreads over the image is
        weighed by the mask (the triangle of the interpolation). What lies beyond the image is not body.
        """
        if self.mask is None:
            return None
        key = (geometry.native_shape, geometry.native_to_pixel.tobytes())
        if key not in self._share:
            self._share[key] = self._on_cells(self.mask, geometry)
        return self._share[key]

    def _on_cells(self, mask: NDArray[np.bool_], geometry: Geometry) -> NDArray[np.float32]:
        cell_to_mask = np.linalg.inv(self.mask_to_pixel) @ geometry.native_to_pixel
        share = _averaged(mask, cell_to_mask, geometry.native_shape)
        return share * inside(cell_to_mask, geometry.native_shape, mask.shape)


_KNOWN: WeakKeyDictionary[Image, Body] = WeakKeyDictionary()


def body(image: Image) -> Body:
    """The body on this image; found once and remembered as long as the image lives."""
    if image not in _KNOWN:
        _KNOWN[image] = find_body(image)
    return _KNOWN[image]


def outline(
    found: Body, grid_to_pixel: NDArray[np.float64], shape: tuple[int, ...], thickness: int = 1
) -> NDArray[np.bool_]:
    """Which pixels of a drawing lie on the body's edge, bool (*shape); none where no body is told.

    `grid_to_pixel` is the homogeneous matrix from the drawing's indices to pixel indices.
    """
    from scipy.ndimage import binary_erosion  # noqa: PLC0415 - a tenth of a second that few need

    if found.mask is None:
        return np.zeros(shape, np.bool_)
    on_drawing = resample(found.mask, np.linalg.inv(found.mask_to_pixel) @ grid_to_pixel, shape) > 0.5
    flat = np.zeros((3,) * len(shape), np.bool_)
    flat[(1,) * (len(shape) - 2)] = True  # an edge within the drawn slice, not across slices
    inner = binary_erosion(on_drawing, flat, iterations=thickness, border_value=1)
    edge: NDArray[np.bool_] = on_drawing & ~inner
    return edge


def find_body(image: Image) -> Body:
    """The body on this image, looked for anew."""
    steps = _steps(image)
    to_pixel = scaling(steps, [0.0] * len(steps))
    if image.colour:
        return Body(None, to_pixel, COLOURED)
    sampled = image.values[tuple(slice(None, None, step) for step in steps)]
    mask = _mask(_brightness(sampled, image))
    covered = float(mask.mean())
    if covered > 1 - LEAST_SURROUNDINGS:
        return Body(None, to_pixel, FILLED)
    if covered < LEAST_BODY:
        return Body(None, to_pixel, NOTHING)
    return Body(mask, to_pixel)


def _steps(image: Image) -> tuple[int, ...]:
    longest = LONGEST[len(image.space)]
    return tuple(max(1, ceil(size / longest)) for size in image.space)


def _brightness(sampled: NDArray[np.generic], image: Image) -> NDArray[np.float32]:
    """0 for the darkest and 1 for the brightest values as they are seen; padding is dark."""
    values = np.asarray(sampled, np.float32)
    if image.photometric is Photometric.MONOCHROME1:
        values = -values
    padded = is_padding(sampled, image.padding)
    seen = values[~padded]
    low, high = _percentiles(seen) if seen.size else (0.0, 1.0)
    scaled = (values - np.float32(low)) / np.float32((high - low) or np.inf)
    scaled[padded] = 0
    return scaled


def _percentiles(values: NDArray[np.float32]) -> tuple[float, float]:
    """The 0.5th and the 99th (the lower value of two); a partition is quicker than np.percentile."""
    ranks = int(0.005 * (values.size - 1)), int(0.99 * (values.size - 1))
    ordered = np.partition(values.ravel(), ranks)
    return float(ordered[ranks[0]]), float(ordered[ranks[1]])


def _averaged(
    mask: NDArray[np.bool_], cell_to_mask: NDArray[np.float64], cells: tuple[int, ...]
) -> NDArray[np.float32]:
    """As `resample(..., antialias=True)`, by matrix products: for a mask that is ten times quicker."""
    sources = np.abs(cell_to_mask[:-1, :-1]).argmax(axis=0)  # the mask's axis of each of the grid's
    share = mask.transpose(sources).astype(np.float32)
    for axis, source in enumerate(sources):
        scale, offset = cell_to_mask[source, axis], cell_to_mask[source, -1]
        at = np.clip(scale * np.arange(cells[axis]) + offset, -0.5, mask.shape[source] - 0.5)
        distance = np.abs(np.arange(mask.shape[source]) - at[:, np.newaxis])
        triangle = np.maximum(0, 1 - distance / max(1.0, abs(scale)))
        weights = (triangle / triangle.sum(axis=1, keepdims=True)).astype(np.float32)
        share = np.moveaxis(np.tensordot(weights, share, (1, axis)), 0, axis)
    return share


def _mask(brightness: NDArray[np.float32]) -> NDArray[np.bool_]:
    from scipy import ndimage  # noqa: PLC0415 - a tenth of a second that a drawing without zones spares

    dark = brightness <= DARK
    # A lung that comes near the shoulder's skin is not let out through a gap of one sample.
    wide = ndimage.binary_erosion(dark, border_value=1)
    surroundings = ndimage.binary_dilation(_connected_with_edge(wide), mask=dark)
    rest = ndimage.binary_opening(~surroundings)  # thin lines and single samples are no body
    pieces, count = ndimage.label(rest)
    if not count:
        return np.zeros(brightness.shape, np.bool_)
    sizes = np.bincount(pieces.ravel())
    sizes[0] = 0
    large: NDArray[np.bool_] = (sizes >= SMALL * sizes.max())[pieces] & rest
    return _filled(large)


def _connected_with_edge(dark: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The dark places that reach the edge of the rows or columns (a volume's first slice may be all body)."""
    from scipy import ndimage  # noqa: PLC0415

    pieces, count = ndimage.label(dark)
    touching = np.zeros(count + 1, np.bool_)
    for axis in (-2, -1):
        ends = np.take(pieces, [0, -1], axis=axis)
        touching[ends.ravel()] = True
    touching[0] = False
    reaching: NDArray[np.bool_] = touching[pieces]
    return reaching


def _filled(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Holes that do not reach the edge belong to the body."""
    return ~_connected_with_edge(~mask)
