"""From an image to a network's input, and the way back: resize, crop or pad, intensity, normalisation."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from camlucida.errors import InvalidModelCard, MissingGeometry, UnsuitableImage
from camlucida.records import Geometry, Image, Photometric
from camlucida.records.geometry import resizing, scaling
from camlucida.rendering.look_up import mapped
from camlucida.rendering.upsample import inside, resample
from camlucida.rendering.window import is_padding, stored_percentiles

LUMINANCE = np.array([0.299, 0.587, 0.114], np.float32)  # ITU-R BT.601


class Fit(StrEnum):
    """How an image of another shape gets into the network's input."""

    STRETCH = "stretch"  # the whole image, its aspect changed
    PAD = "pad"  # the whole image, its aspect kept, black around it
    CROP = "crop"  # the largest centred part that fills the input, its aspect kept


class Intensity(StrEnum):
    """What becomes 0 and what becomes 1 before normalisation."""

    WINDOW = "window"  # window_center and window_width, in modality values, whatever window the file names
    RANGE = "range"  # low and high, in modality values
    PERCENTILE = "percentile"  # low and high percentiles of the image's values, padding left out
    FULL = "full"  # all that the stored bits can hold


@dataclass(frozen=True, slots=True)
class Preparation:
    """What a network wants to be given, as its model card says.

    `space` is 2 or 3 axes; `size` their lengths: (row, column) or (slice, row, column). `channels` is 1 or 3
    (grey repeated). Values are scaled by `intensity` to 0..1 (clipped), MONOCHROME1 is inverted, then
    `(value - mean) / std` a channel; one number of mean or std holds for all channels.
    `spacing` in mm along each axis fixes the size of an input voxel: the image is then cut or padded around
    its centre, and `fit` must be pad or crop.

    Raises
    ------
    InvalidModelCard
        The values contradict each other.
    """

    space: int
    channels: int
    size: tuple[int, ...]
    fit: Fit = Fit.STRETCH
    intensity: Intensity = Intensity.FULL
    low: float | None = None
    high: float | None = None
    window_center: float | None = None
    window_width: float | None = None
    mean: tuple[float, ...] = (0.0,)
    std: tuple[float, ...] = (1.0,)
    spacing: tuple[float, ...] | None = None

    def __post_init__(self) -> None:
        """Words become members of their Enum, sequences tuples; contradictions are refused."""
        for name, kind in (("fit", Fit), ("intensity", Intensity)):
            value = getattr(self, name)
            _require(value in list(kind), f"{name} is “{value}”; it is one of {', '.join(kind)}.")
            object.__setattr__(self, name, kind(value))
        for name in ("size", "mean", "std", "spacing"):
            if getattr(self, name) is not None:
                object.__setattr__(self, name, tuple(getattr(self, name)))
        self._check_shape()
        self._check_intensity()

    @property
    def digest(self) -> str:
        """SHA-256 of everything that determines the network's input."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()

    def _check_shape(self) -> None:
        _require(self.space in {2, 3}, f"space is {self.space}; it is 2 (images) or 3 (volumes).")
        _require(self.channels in {1, 3}, f"channels is {self.channels}; it is 1 (grey) or 3.")
        _require(
            len(self.size) == self.space and min(self.size) > 0,
            f"size is {list(self.size)}; a network of {self.space} axes needs {self.space} lengths above 0.",
        )
        if self.spacing is not None:
            _require(
                len(self.spacing) == self.space and min(self.spacing) > 0,
                f"spacing is {list(self.spacing)}; it needs {self.space} sizes in mm above 0.",
            )
            _require(
                self.fit is not Fit.STRETCH, "spacing fixes the size of a voxel; fit is pad or crop then."
            )

    def _check_intensity(self) -> None:
        for name in ("mean", "std"):
            count = len(getattr(self, name))
            _require(count in {1, self.channels}, f"{name} has {count} numbers for {self.channels} channels.")
        _require(min(self.std) > 0, f"std is {list(self.std)}; every one is above 0.")
        if self.intensity is Intensity.WINDOW:
            given = self.window_center is not None and (self.window_width or 0) > 0
            _require(given, "intensity “window” needs window_center, and window_width above 0.")
        if self.intensity in {Intensity.RANGE, Intensity.PERCENTILE}:
            given = self.low is not None and self.high is not None and self.low < self.high
            _require(given, f"intensity “{self.intensity}” needs low and high, low below high.")
        if self.intensity is Intensity.PERCENTILE:
            within = (self.low or 0) >= 0 and (self.high or 0) <= 100
            _require(within, f"percentiles {self.low} and {self.high} are not within 0 to 100.")


@dataclass(frozen=True, slots=True, eq=False)
class Prepared:
    """A network's input (channel, *size), float32, and where it lies on the image.

    `input_to_pixel` is a homogeneous matrix (axes + 1, axes + 1) from input indices to pixel indices.
    """

    values: NDArray[np.float32]
    input_to_pixel: NDArray[np.float64]
    pixel_shape: tuple[int, ...]
    spacing: tuple[float, ...] | None = None
    pixel_to_patient: NDArray[np.float64] | None = None

    def geometry(self, native_shape: Sequence[int]) -> Geometry:
        """The way back of a grid whose cells tile the input evenly, such as a layer's activations."""
        native_to_input = resizing(self.values.shape[1:], native_shape)
        return Geometry(
            native_shape=tuple(native_shape),
            pixel_shape=self.pixel_shape,
            native_to_pixel=self.input_to_pixel @ native_to_input,
            spacing=self.spacing,
            pixel_to_patient=self.pixel_to_patient,
        )


def prepare(image: Image, preparation: Preparation) -> Prepared:
    """The network's input of an image: float32 (channel, *size), the same bits for the same input.

    The image's window never matters here: it changes what is seen, never the map. Shrinking is antialiased.

    Raises
    ------
    UnsuitableImage
        A volume for a network of images, or the other way round; no stored range where it is asked for.
    MissingGeometry
        The network wants voxels of a size in mm and the image has no spacing.
    """
    _check_space(image, preparation)
    input_to_pixel = _input_to_pixel(image, preparation)
    scaled = _scaled(image, preparation)
    channels = np.moveaxis(scaled, -1, 0) if image.colour else scaled[np.newaxis]
    values = resample(channels, input_to_pixel, preparation.size, antialias=True)
    if preparation.fit is not Fit.STRETCH:
        values *= inside(input_to_pixel, preparation.size, image.space)
    values = _with_channels(values, preparation.channels)
    each = (-1, *[1] * preparation.space)
    values -= np.array(preparation.mean, np.float32).reshape(each)
    values /= np.array(preparation.std, np.float32).reshape(each)
    return Prepared(values, input_to_pixel, image.space, image.spacing, image.pixel_to_patient)


def _require(holds: bool, sentence: str) -> None:
    if not holds:
        raise InvalidModelCard(f"The model's input cannot be prepared: {sentence}")


def _check_space(image: Image, preparation: Preparation) -> None:
    if len(image.space) == preparation.space:
        return
    shape = " × ".join(str(n) for n in image.space)
    if preparation.space == 3:
        raise UnsuitableImage(
            f"The model takes volumes (slice, row, column) and this is a single image of {shape} pixels; "
            "give it the folder with the whole series."
        )
    raise UnsuitableImage(
        f"The model takes single images and this is a volume of {shape} voxels; give it one slice."
    )


def _input_to_pixel(image: Image, preparation: Preparation) -> NDArray[np.float64]:
    old, new = image.space, preparation.size
    if preparation.fit is Fit.STRETCH:
        return resizing(old, new)
    steps = [o / n for o, n in zip(old, new, strict=True)]
    if preparation.spacing is not None:
        scale = _steps_of(preparation.spacing, image)
    else:
        step = max(steps) if preparation.fit is Fit.PAD else min(steps)
        scale = [step] * len(old)
    centre = [(o - 1) / 2 - s * (n - 1) / 2 for o, n, s in zip(old, new, scale, strict=True)]
    return scaling(scale, centre)


def _steps_of(spacing: Sequence[float], image: Image) -> list[float]:
    if image.spacing is None:
        sizes = " × ".join(f"{mm:g}" for mm in spacing)
        raise MissingGeometry(
            f"The model takes voxels of {sizes} mm and the image does not say how large its own are; "
            "export it with Pixel Spacing and positions."
        )
    return [new / old for new, old in zip(spacing, image.spacing, strict=True)]


def _with_channels(values: NDArray[np.float32], wanted: int) -> NDArray[np.float32]:
    """(channel, *size) with as many channels as wanted: grey repeated, or the luminance of a colour."""
    if len(values) == wanted:
        return values
    if wanted == 3:
        return np.repeat(values, 3, axis=0)
    red, green, blue = LUMINANCE
    grey: NDArray[np.float32] = red * values[:1] + green * values[1:2] + blue * values[2:]
    return grey


def _scaled(image: Image, preparation: Preparation) -> NDArray[np.float32]:
    """Stored values to 0..1, same shape."""
    low, high = _bounds(image, preparation)
    return mapped(image.values, lambda stored: _unit(stored, image, low, high))


def _unit(stored: NDArray[Any], image: Image, low: float, high: float) -> NDArray[np.float32]:
    modality = stored.astype(np.float64) * image.slope + image.intercept
    width = (high - low) or np.inf  # a constant image is all 0
    unit: NDArray[np.float64] = np.clip((modality - low) / width, 0, 1)
    if image.photometric is Photometric.MONOCHROME1:
        unit = 1 - unit
    unit[is_padding(stored, image.padding)] = 0
    return unit.astype(np.float32)


def _bounds(image: Image, preparation: Preparation) -> tuple[float, float]:
    """The modality values that become 0 and 1."""
    low, high = preparation.low or 0.0, preparation.high or 0.0
    if preparation.intensity is Intensity.RANGE:
        return low, high
    if preparation.intensity is Intensity.WINDOW:
        center, width = preparation.window_center or 0.0, preparation.window_width or 0.0
        return center - width / 2, center + width / 2
    percentile = preparation.intensity is Intensity.PERCENTILE
    stored = stored_percentiles(image, low, high) if percentile else _stored_range(image)
    return stored[0] * image.slope + image.intercept, stored[1] * image.slope + image.intercept


def _stored_range(image: Image) -> tuple[float, float]:
    if image.values.dtype.kind not in "iu":
        raise UnsuitableImage(
            "The model takes the whole stored range of an integer image and this one has decimal values; "
            "a model for it needs intensity “range” or “percentile”."
        )
    if image.values.dtype.kind == "i":
        return -(2.0 ** (image.bits_stored - 1)), 2.0 ** (image.bits_stored - 1) - 1
    return 0.0, 2.0**image.bits_stored - 1
