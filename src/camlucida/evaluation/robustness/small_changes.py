"""An image as another department might have sent it: small changes that leave every finding where it is."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from io import BytesIO
from typing import Any

import numpy as np
import PIL.Image
from numpy.typing import NDArray

from camlucida.records import Image
from camlucida.rendering.window import is_padding, stored_percentiles

WINDOW = 0.2  # narrower or wider by this share
LEVEL = 0.1  # of the range of values
NOISE = 0.02  # standard deviation, of the range of values
QUALITIES = (75, 40)  # of JPEG, from 0 to 100
SHIFT = 0.02  # of each of an image's sides
TURN = 3.0  # degrees

RANGE = (0.5, 99.5)
"""Percentiles of the stored values between which the range of values lies."""


class Family(StrEnum):
    """Changes of one kind."""

    WINDOW = "window"  # exported with other window settings
    NOISE = "noise"  # another dose
    COMPRESSION = "compression"  # JPEG, 8 bits
    SHIFT = "shift"  # another position
    TURN = "turn"


@dataclass(frozen=True, slots=True, eq=False)
class Changed:
    """An image after one small change.

    `moved` is a homogeneous matrix (axes + 1, axes + 1) from a pixel of the image before to where what it
    shows is now.
    """

    family: Family
    image: Image
    moved: NDArray[np.float64]


def small_changes(image: Image) -> Iterator[Changed]:
    """Twelve changes, two of each family and four of the window; the same ones each time.

    In volumes, slices are moved and compressed one by one, and not across each other.
    """
    low, high = stored_percentiles(image, *RANGE)
    still = np.eye(len(image.space) + 1)
    for family, change in _of_values(low, high):
        yield Changed(family, _with_values(image, change(image.values.astype(np.float64))), still)
    for seed in range(2):
        grain = np.random.default_rng(seed).normal(0, NOISE * (high - low), image.values.shape)
        yield Changed(Family.NOISE, _with_values(image, image.values + grain), still)
    for quality in QUALITIES:
        values = _compressed(image.values.astype(np.float64), low, high, quality, colour=image.colour)
        yield Changed(Family.COMPRESSION, _with_values(image, values), still)
    for sign in (1, -1):
        steps = [max(1, round(SHIFT * side)) * sign for side in image.space[-2:]]
        yield _moved(Family.SHIFT, image, _shifting(image, steps))
    for degrees in (TURN, -TURN):
        yield _moved(Family.TURN, image, _turning(image, degrees))


def _of_values(
    low: float, high: float
) -> Iterator[tuple[Family, Callable[[NDArray[np.float64]], NDArray[np.float64]]]]:
    """Windows narrower, wider, darker and brighter: what is beyond their ends is lost."""
    middle, width = (low + high) / 2, high - low
    for gain in (1 / (1 - WINDOW), 1 / (1 + WINDOW)):
        yield (
            Family.WINDOW,
            lambda values, gain=gain: np.clip((values - middle) * gain + middle, low, high),  # type: ignore[misc]
        )
    for sign in (-1, 1):
        yield Family.WINDOW, lambda values, sign=sign: np.clip(values + sign * LEVEL * width, low, high)  # type: ignore[misc]


def _with_values(image: Image, values: NDArray[np.float64]) -> Image:
    """The same image with other stored values, rounded to what its type holds; padding stays padding."""
    stored = image.values
    if stored.dtype.kind in "iu":
        kinds = np.iinfo(stored.dtype)
        values = np.clip(np.rint(values), kinds.min, kinds.max)
    kept = np.where(is_padding(stored, image.padding), stored, values).astype(stored.dtype)
    return replace(image, values=kept)


def _compressed(
    values: NDArray[np.float64], low: float, high: float, quality: int, *, colour: bool
) -> NDArray[np.float64]:
    if high <= low:
        return values
    eight = np.clip((values - low) * (255 / (high - low)), 0, 255).round().astype(np.uint8)
    pictures = eight.reshape(-1, *eight.shape[-3 if colour else -2 :])
    read = np.stack([_through_jpeg(picture, quality) for picture in pictures]).reshape(eight.shape)
    return read * ((high - low) / 255) + low


def _through_jpeg(picture: NDArray[np.uint8], quality: int) -> NDArray[np.float64]:
    file = BytesIO()
    PIL.Image.fromarray(picture).save(file, "JPEG", quality=quality)
    return np.asarray(PIL.Image.open(file), np.float64)


def _shifting(image: Image, steps: list[int]) -> NDArray[np.float64]:
    matrix = np.eye(len(image.space) + 1)
    matrix[-3:-1, -1] = steps
    return matrix


def _turning(image: Image, degrees: float) -> NDArray[np.float64]:
    """In the plane of rows and columns, around its middle."""
    matrix = np.eye(len(image.space) + 1)
    angle = np.deg2rad(degrees)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    middle = (np.array(image.space[-2:]) - 1) / 2
    matrix[-3:-1, -3:-1] = turn
    matrix[-3:-1, -1] = middle - turn @ middle
    return matrix


def _moved(family: Family, image: Image, moved: NDArray[np.float64]) -> Changed:
    """What comes in at the edge repeats the edge."""
    from scipy.ndimage import affine_transform  # noqa: PLC0415 - a tenth of a second that few need

    back = np.linalg.inv(moved)[-3:, -3:]  # rows and columns only: they are the last two axes
    stored: NDArray[Any] = np.moveaxis(image.values, -1, 0) if image.colour else image.values
    planes = stored.reshape(-1, *stored.shape[-2:]).astype(np.float64)
    new = np.stack([affine_transform(plane, back, order=1, mode="nearest") for plane in planes])
    values = new.reshape(stored.shape)
    return Changed(family, _with_values(image, np.moveaxis(values, 0, -1) if image.colour else values), moved)
