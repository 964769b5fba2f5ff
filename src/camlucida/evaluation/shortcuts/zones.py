"""Where disease cannot be: zones of an image in which evidence is no evidence for a disease.

A zone is found on each image anew, from its grey values alone, on a copy of at most 512 samples along an
edge. What is found by brightness (lettering, devices) is a guess and misses much; each zone says what it
misses. A zone that the user knows better is given as a mask.
"""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property, partial
from math import ceil
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from camlucida.errors import InputError
from camlucida.images.picture import read_picture
from camlucida.images.prepare import Prepared
from camlucida.records import Geometry, Image
from camlucida.records.geometry import resizing
from camlucida.rendering.body import body
from camlucida.rendering.upsample import resample
from camlucida.rendering.window import display

LONGEST = 512
"""Samples along the longest edge of the copy on which zones are looked for."""

BORDER = 0.06
"""Width of the border, as a share of each edge."""

CORNER = 1 / 6
"""Reach of a corner, as a share of each edge: the corners of the trust report."""

STROKE = 0.02
"""Strokes are narrower than this share of the image's height: a nodule is wider."""

LEAST_CONTRAST = 0.2
"""What a stroke is brighter than its surroundings by, as a share of the range from black to white."""

LONG = 0.15
"""A stroke that reaches over this share of the height is no letter: a tube, a wire, an edge."""

EDGE = 0.12
"""Step of brightness between neighbouring samples at the outline of a thing that is no tissue."""

WHITE = 0.8
"""Letters and things on the patient are at least this bright (share of the range); lesions seldom are."""

LARGEST_THING = 0.03
"""Share of the image that a thing on the patient covers at most."""

DARKEST = 0.12
"""A shutter is no brighter than this share of the range anywhere along the edge, but for 2 % of it."""

TOUCHED = 0.02
"""An input pixel of which a zone covers this share is removed with it."""


class Filling(StrEnum):
    """What stands in a zone's place when it is taken out of the image."""

    SURROUNDINGS = "surroundings"  # a smooth continuation of what is around it
    MEDIAN = "median"  # the zone's own median value: air, where the zone is air


@dataclass(frozen=True, eq=False)
class Plain:
    """The image as zones are looked for on it.

    `grey` (*grid) is float32, 0..1 from black to white as it is shown; `grid_to_pixel` is the homogeneous
    matrix from its indices to pixel indices; `body` (*grid) is bool, or None where no body is told.
    """

    grey: NDArray[np.float32]
    grid_to_pixel: NDArray[np.float64]
    body: NDArray[np.bool_] | None


Find: TypeAlias = Callable[[Plain], "NDArray[np.bool_] | None"]
"""Where the zone is, bool (*grid); None where it is not defined on this image."""


@dataclass(frozen=True, slots=True)
class Zone:
    """A zone: what it is called, how it is found, and what a reader must know of it.

    `digest` is that of the file with the user's mask; empty for a zone that is looked for.
    """

    key: str
    title: str
    sentence: str
    find: Find = field(repr=False)
    filling: Filling = Filling.SURROUNDINGS
    digest: str = ""


@dataclass(frozen=True, eq=False)
class Found:
    """A zone on one image: `inside` (*grid) is bool, `grid_to_pixel` as in `Plain`."""

    zone: Zone
    inside: NDArray[np.bool_]
    grid_to_pixel: NDArray[np.float64]

    @cached_property
    def area(self) -> float:
        """Share of the image that it covers, 0..1."""
        return float(self.inside.mean())

    def share_of_cells(self, geometry: Geometry) -> NDArray[np.float32]:
        """How much of each native cell lies in the zone, (*native), 0..1."""
        cell_to_grid = np.linalg.inv(self.grid_to_pixel) @ geometry.native_to_pixel
        return resample(self.inside, cell_to_grid, geometry.native_shape, antialias=True)

    def on_input(self, prepared: Prepared) -> NDArray[np.bool_]:
        """What of the network's input the zone touches: bool (*size)."""
        input_to_grid = np.linalg.inv(self.grid_to_pixel) @ prepared.input_to_pixel
        covered = resample(self.inside, input_to_grid, prepared.values.shape[1:], antialias=True)
        touched: NDArray[np.bool_] = covered > TOUCHED
        return touched


def plain(image: Image) -> Plain:
    """The copy of an image on which zones are looked for."""
    step = max(1, ceil(max(image.space) / LONGEST))
    shape = tuple(ceil(size / step) for size in image.space)
    grid_to_pixel = resizing(image.space, shape)
    shown = display(image.values, image).astype(np.float32) / 255
    grey = shown.mean(axis=-1) if image.colour else shown
    found = body(image)
    in_body = None
    if found.mask is not None:
        in_body = resample(found.mask, np.linalg.inv(found.mask_to_pixel) @ grid_to_pixel, shape) > 0.5
    return Plain(resample(grey, grid_to_pixel, shape, antialias=True), grid_to_pixel, in_body)


def found_on(image: Image, zones: Mapping[str, Zone]) -> list[Found]:
    """The zones that this image has; one that is not defined on it, or holds nothing, is left out."""
    copy = plain(image)
    places = [(zone, zone.find(copy)) for zone in zones.values()]
    return [
        Found(zone, inside, copy.grid_to_pixel)
        for zone, inside in places
        if inside is not None and inside.any() and not inside.all()
    ]


def outside_the_body(copy: Plain) -> NDArray[np.bool_] | None:
    """Everything but the body, which is widened by 2 % of the edge so that its skin is not cut off."""
    from scipy.ndimage import binary_dilation  # noqa: PLC0415 - a tenth of a second that few need

    if copy.body is None:
        return None
    widened: NDArray[np.bool_] = binary_dilation(copy.body, iterations=max(1, max(copy.body.shape) // 50))
    return ~widened


def border(copy: Plain) -> NDArray[np.bool_]:
    """The ends of the rows and columns."""
    return _near_ends(copy.grey.shape, BORDER, np.logical_or)


def corners(copy: Plain) -> NDArray[np.bool_]:
    """Where the ends of rows and columns meet."""
    return _near_ends(copy.grey.shape, CORNER, np.logical_and)


def lettering(copy: Plain) -> NDArray[np.bool_] | None:
    """Short strokes, what they enclose, and a sample around them."""
    return _strokes(copy, long=False)


def devices(copy: Plain) -> NDArray[np.bool_] | None:
    """Long strokes, and bright flat things with a sharp outline; what they enclose, a sample around them."""
    lines, things = _strokes(copy, long=True), _things(copy)
    return None if lines is None or things is None else lines | things


def shutters(copy: Plain) -> NDArray[np.bool_] | None:
    """Black bands along whole edges of the image, and a sample beside them."""
    if copy.grey.ndim != 2:
        return None
    inside = np.zeros(copy.grey.shape, np.bool_)
    for axis in (0, 1):
        black = np.quantile(copy.grey, 0.98, axis=1 - axis) <= DARKEST
        for line in (black, black[::-1]):
            wide = int(np.argmin(line)) if not line.all() else 0
            band = [slice(None), slice(None)]
            band[axis] = slice(0, wide + 1) if line is black else slice(len(line) - wide - 1, None)
            inside[tuple(band)] |= wide > 0
    return inside


BORDER_ZONE = Zone(
    "border",
    "the border of the image",
    "The outer 6 % of each edge: collimator, cassette, cropping. Disease there is taken for a shortcut too.",
    border,
)
CORNERS_ZONE = Zone(
    "corners",
    "the corners of the image",
    "A sixth of each edge at the four corners, where letters stand.",
    corners,
)
OUTSIDE_ZONE = Zone(
    "outside",
    "outside the body",
    "All but the body, as it is told from the dark around it; where the body fills the frame there is none.",
    outside_the_body,
    Filling.MEDIAN,
)
LETTERING_ZONE = Zone(
    "lettering",
    "burned-in letters and other short bright strokes",
    "Narrow, and brighter than what is around them. Missed: faint handwriting, black letters, letters on "
    "bright tissue. Taken for letters: clips, calcifications, crossing ribs.",
    lettering,
)
DEVICES_ZONE = Zone(
    "devices",
    "tubes, wires and devices",
    "Bright lines longer than 15 % of the height, and white things with a sharp outline. Missed: faint "
    "tubes, things on bright tissue; draw a mask for them. Taken for devices: sharp edges of dense bone.",
    devices,
)

SHUTTERS_ZONE = Zone(
    "shutters",
    "the collimator's shutters",
    "Black bands along whole edges of the image. Missed: shutters that lie askew, or are not black.",
    shutters,
)

ZONES: Mapping[str, Zone] = {
    zone.key: zone
    for zone in (OUTSIDE_ZONE, BORDER_ZONE, CORNERS_ZONE, LETTERING_ZONE, DEVICES_ZONE, SHUTTERS_ZONE)
}
"""The zones that are looked for by themselves, by their keys."""


def zone_of_mask(name: str, mask: Path) -> Zone:
    """A zone that is the same on every image, white on black in a PNG that is stretched over it.

    Raises
    ------
    InputError
        The name is taken or empty, or the mask is not there, empty or all white.
    """
    if name in ZONES or not name.isidentifier():
        raise InputError(
            f"A zone cannot be called “{name}”; take letters, digits and _, other than: {', '.join(ZONES)}."
        )
    if not mask.is_file():
        raise InputError(f"There is no mask {mask} for the zone “{name}”.")
    values = read_picture(mask).values
    inside = (values if values.ndim == 2 else values.max(axis=-1)) > 0
    if inside.all() or not inside.any():
        what = "all white" if inside.all() else "all black"
        raise InputError(
            f"The mask {mask.name} of the zone “{name}” is {what}; draw the zone white on black."
        )
    sentence = "A mask of yours, the same place on every image."
    digest = hashlib.sha256(mask.read_bytes()).hexdigest()
    return Zone(name, f"your zone “{name}”", sentence, partial(_stretched, inside), digest=digest)


def _stretched(mask: NDArray[np.bool_], copy: Plain) -> NDArray[np.bool_] | None:
    if copy.grey.ndim != mask.ndim:
        return None
    covered: NDArray[np.bool_] = resample(mask, resizing(mask.shape, copy.grey.shape), copy.grey.shape) >= 0.5
    return covered


def _near_ends(shape: tuple[int, ...], reach: float, join: np.ufunc) -> NDArray[np.bool_]:
    """Samples near the ends of the rows, of the columns, or of both; the same on each slice of a volume."""
    rows, columns = (_ends(size, reach) for size in shape[-2:])
    return np.broadcast_to(join(rows[:, np.newaxis], columns), shape).copy()


def _ends(size: int, reach: float) -> NDArray[np.bool_]:
    at, wide = np.arange(size), max(1, round(reach * size))
    near: NDArray[np.bool_] = (at < wide) | (at >= size - wide)
    return near


def _strokes(copy: Plain, *, long: bool) -> NDArray[np.bool_] | None:
    """Bright strokes by the white top-hat: an image less its opening.

    Serra, Image Analysis and Mathematical Morphology, 1982, chapter XII. None for volumes.
    """
    from scipy import ndimage  # noqa: PLC0415

    if copy.grey.ndim != 2:
        return None
    height = copy.grey.shape[0]
    side = max(3, 2 * round(STROKE * height / 2) + 1)
    hat = copy.grey - ndimage.grey_opening(copy.grey, (side, side))
    pieces, count = ndimage.label(hat > LEAST_CONTRAST, np.ones((3, 3)))
    kept = np.zeros(count + 1, np.bool_)
    brightest = ndimage.maximum(copy.grey, pieces, np.arange(count + 1))
    for piece, place in enumerate(ndimage.find_objects(pieces), start=1):
        reaches = max(along.stop - along.start for along in place) >= LONG * height
        kept[piece] = reaches if long else not reaches and brightest[piece] >= WHITE
    chosen = ndimage.binary_fill_holes(kept[pieces])
    widened: NDArray[np.bool_] = ndimage.binary_dilation(chosen, iterations=max(1, height // 128))
    return widened


def _things(copy: Plain) -> NDArray[np.bool_] | None:
    """What a closed sharp outline encloses, if it is small and brighter than what is around it."""
    from scipy import ndimage  # noqa: PLC0415

    if copy.grey.ndim != 2:
        return None
    edge = ndimage.morphological_gradient(copy.grey, (3, 3)) > EDGE
    pieces, count = ndimage.label(ndimage.binary_fill_holes(edge) & ~edge)
    sizes = np.bincount(pieces.ravel(), minlength=count + 1)
    levels = ndimage.mean(copy.grey, pieces, np.arange(count + 1))
    places = ndimage.find_objects(pieces)
    kept = np.zeros(count + 1, np.bool_)
    for piece in 1 + np.flatnonzero((levels[1:] >= WHITE) & (sizes[1:] <= LARGEST_THING * pieces.size)):
        near = tuple(slice(max(0, along.start - 5), along.stop + 5) for along in places[piece - 1])
        inside = pieces[near] == piece
        nearer, farther = (ndimage.binary_dilation(inside, iterations=reach) for reach in (2, 4))
        kept[piece] = levels[piece] - copy.grey[near][farther & ~nearer].mean() > LEAST_CONTRAST
    widened: NDArray[np.bool_] = ndimage.binary_dilation(kept[pieces], iterations=3)
    return widened
