"""An image as it is looked at, small: what a contact sheet shows."""

import numpy as np
from numpy.typing import NDArray

from camlucida.records import Image
from camlucida.records.geometry import resizing
from camlucida.rendering.upsample import resample
from camlucida.rendering.window import default_display, display

MOST = 256  # pixels along each side


def thumbnail(image: Image, slice_index: int | None = None, most: int = MOST) -> NDArray[np.uint8]:
    """The image, or one slice of a volume, as uint8 (row, column) or (row, column, 3); never enlarged.

    It covers the same field as the image, with pixels in the proportion of the image's own.
    """
    values = image.values if slice_index is None else image.values[slice_index]
    rows, columns = image.space[-2:]
    shrink = min(1.0, most / max(rows, columns))
    size = (max(1, round(rows * shrink)), max(1, round(columns * shrink)))
    seen = display(values, image, default_display(image))
    if shrink == 1:
        return np.ascontiguousarray(seen)
    channels = np.moveaxis(seen, -1, 0) if image.colour else seen
    drawn = resample(channels, resizing((rows, columns), size), size, antialias=True)
    levels = np.floor(np.clip(drawn, 0, 255) + 0.5).astype(np.uint8)
    return np.ascontiguousarray(np.moveaxis(levels, 0, -1)) if image.colour else levels
