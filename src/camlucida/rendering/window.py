"""Stored values to grey levels: window, VOI LUT, photometric interpretation (PS3.3 C.11.2, C.7.6.3.1)."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from camlucida.errors import InputError
from camlucida.records import Image, Photometric, VoiLut, VoiLutFunction, Window
from camlucida.rendering.look_up import mapped, percentiles


def display(values: NDArray[Any], image: Image, window: Window | VoiLut | None = None) -> NDArray[np.uint8]:
    """Grey levels 0..255 of stored values of this image, same shape; RGB (…, 3) stays RGB.

    `window` is in modality values (HU for CT). None takes the image's first window, else its first VOI LUT,
    else the middle 98 % of its values. MONOCHROME1 is inverted; padding is black in either.

    Raises
    ------
    InputError
        The window's width is smaller than its function allows (PS3.3 C.11.2.1.2).
    """
    if image.colour:
        return _eight_bits(values, image.bits_stored)
    shown_by = window or default_display(image)
    return mapped(values, lambda stored: _grey(stored, image, shown_by))


def default_window(image: Image) -> Window:
    """The image's own first window, else one that shows the middle 98 % of its values (modality values)."""
    if image.windows:
        return image.windows[0]
    low, high = (value * image.slope + image.intercept for value in stored_percentiles(image, 1, 99))
    width = abs(high - low) or 1.0
    return Window((low + high) / 2, width, VoiLutFunction.LINEAR_EXACT, "middle 98 % of the values")


def stored_percentiles(image: Image, low: float, high: float) -> tuple[float, float]:
    """Two percentiles of the stored values, padding left out (the "lower" rank: always a value that occurs).

    An image of nothing but padding has the percentiles of the padding.
    """
    lower, upper = percentiles(image.values, lambda stored: ~is_padding(stored, image.padding), [low, high])
    return lower, upper


def is_padding(values: NDArray[Any], padding: tuple[float, float] | None) -> NDArray[np.bool_]:
    """Where stored values mean "no pixel here" (PS3.3 C.7.5.1.1.2), same shape."""
    if padding is None:
        return np.zeros(values.shape, np.bool_)
    return (values >= padding[0]) & (values <= padding[1])


def default_display(image: Image) -> Window | VoiLut:
    """How the image is shown unless told: its first window, else its first VOI LUT, else `default_window`."""
    if image.voi_luts and not image.windows:
        return image.voi_luts[0]
    return default_window(image)


def _grey(stored: NDArray[Any], image: Image, window: Window | VoiLut) -> NDArray[np.uint8]:
    modality = stored.astype(np.float64) * image.slope + image.intercept
    shown = _voi_lut(modality, window) if isinstance(window, VoiLut) else _windowed(modality, window)
    if image.photometric is Photometric.MONOCHROME1:
        shown = 1 - shown
    grey = np.floor(255 * shown + 0.5).astype(np.uint8)
    return np.where(is_padding(stored, image.padding), np.uint8(0), grey)


def _windowed(x: NDArray[np.float64], window: Window) -> NDArray[np.float64]:
    """Display values 0..1 (PS3.3 C.11.2.1.2.1 linear, C.11.2.1.3.1 sigmoid, C.11.2.1.3.2 linear exact)."""
    center, width = window.center, window.width
    if window.function is VoiLutFunction.SIGMOID:
        _require_width(window, at_least=0.0, section="C.11.2.1.3.1")
        return 1 / (1 + np.exp(np.clip(-4 * (x - center) / width, -700, 700)))
    if window.function is VoiLutFunction.LINEAR_EXACT:
        _require_width(window, at_least=0.0, section="C.11.2.1.3.2")
    else:
        _require_width(window, at_least=1.0, section="C.11.2.1.2.1")
        center, width = center - 0.5, width - 1
    ramp = (x - center) / width + 0.5 if width else np.zeros_like(x)
    return np.where(x <= center - width / 2, 0.0, np.where(x > center + width / 2, 1.0, ramp))


def _require_width(window: Window, *, at_least: float, section: str) -> None:
    if window.width >= at_least and window.width > 0:
        return
    wanted = "at least 1" if at_least else "more than 0"
    raise InputError(
        f"Window Width is {window.width:g}; PS3.3 {section} wants {wanted} for {window.function}."
    )


def _voi_lut(x: NDArray[np.float64], lut: VoiLut) -> NDArray[np.float64]:
    """Display values 0..1; beyond the table its first or last entry holds (PS3.3 C.11.2.1.1)."""
    entry = np.clip(np.floor(x + 0.5) - lut.first_mapped, 0, len(lut.table) - 1).astype(np.intp)
    shown: NDArray[np.float64] = np.clip(lut.table[entry] / (2**lut.bits - 1), 0.0, 1.0)
    return shown


def _eight_bits(values: NDArray[Any], bits_stored: int) -> NDArray[np.uint8]:
    if values.dtype == np.uint8:
        return values
    shown: NDArray[np.float64] = np.clip(values / (2**bits_stored - 1), 0.0, 1.0)
    return np.floor(255 * shown + 0.5).astype(np.uint8)
