"""Watched cases as a picture: a row for each case, the image and then its map after every epoch."""

from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np
import PIL.Image
import PIL.ImageDraw
import PIL.ImageFont
from numpy.typing import NDArray

from camlucida.records import Unit
from camlucida.records.geometry import resizing
from camlucida.records.method_name import spelling
from camlucida.rendering.legend import legible
from camlucida.rendering.overlay import overlay
from camlucida.rendering.scale import rounded
from camlucida.rendering.upsample import resample
from camlucida.training.watched import Epoch, Watched

TILE, GAP, LEFT, TOP, BELOW = 112, 8, 170, 66, 36  # pixels
BACKGROUND, INK, QUIET = (18, 18, 20), (235, 235, 235), (165, 165, 165)

MOST_EPOCHS = 16
"""Columns: the first and the last epoch, and others evenly between them."""

MOST_CASES = 12
"""Rows; the table has all."""

LONGEST_NAME = 22  # letters

FAINTEST = 1e-3
"""Evidence in a cell at full colour is no less: what is nothing stays dark."""


def film_strip(watched: Watched, finding: int, images: NDArray[np.float32]) -> PIL.Image.Image:
    """One finding's maps of all cases over the epochs (RGB).

    Each row has one scale for all its epochs, the largest value that was ever met in it, so that evidence is
    seen to grow and to go. Beneath each map stand the logit and the share of the support in the first zone.

    Parameters
    ----------
    images
        What is drawn beneath the maps: (case, *space), in any unit.
    """
    epochs = thinned(watched.epochs)
    cases = range(min(len(watched.cases), MOST_CASES))
    size = (LEFT + (1 + len(epochs)) * (TILE + GAP), TOP + len(cases) * (TILE + BELOW))
    canvas = PIL.Image.new("RGB", size, BACKGROUND)
    draw = PIL.ImageDraw.Draw(canvas)
    _head(draw, watched, finding, epochs)
    zone = next(iter(watched.zones), "")
    for case in cases:
        top = TOP + case * (TILE + BELOW)
        scale = full_colour(watched, case, finding)
        maps = [epoch.maps[case, finding] for epoch in epochs]
        grey, maps = _plane(images[case], maps)
        _label(draw, watched, case, scale, top)
        _paste(canvas, grey, 0, top)
        for column, (epoch, values) in enumerate(zip(epochs, maps, strict=True), 1):
            shown = resample(np.nan_to_num(values), resizing(values.shape, grey.shape), grey.shape)
            _paste(canvas, overlay(grey, shown, scale), column, top)
            _figures(draw, watched.row(epoch, case, finding), zone, (_left(column), top + TILE + 2))
    return canvas


def thinned(epochs: Sequence[Epoch]) -> list[Epoch]:
    """At most as many as there is room for, evenly over the training, with the first and the last."""
    if len(epochs) <= MOST_EPOCHS:
        return list(epochs)
    places = np.linspace(0, len(epochs) - 1, MOST_EPOCHS).round().astype(int)
    return [epochs[place] for place in places]


def full_colour(watched: Watched, case: int, finding: int) -> float:
    """Evidence in a cell at full colour: the largest of all epochs, rounded to 1, 2, 3, 5, …"""
    peaks = [float(np.nan_to_num(epoch.maps[case, finding]).max()) for epoch in watched.epochs]
    return max(FAINTEST, rounded(max(*peaks, FAINTEST)))


def _plane(
    image: NDArray[np.float32], maps: Sequence[NDArray[np.float32]]
) -> tuple[NDArray[np.uint8], list[NDArray[np.float32]]]:
    """The image as greys, no larger than a tile, and the maps (row, column); of a volume one slice.

    It is the slice in which the last map has its largest value.
    """
    if image.ndim == 3:
        last = np.nan_to_num(maps[-1])
        cell = int(last.reshape(len(last), -1).max(axis=1).argmax())
        image = image[min(len(image) - 1, int((cell + 0.5) * len(image) / len(last)))]
        maps = [values[cell] for values in maps]
    size = tuple(max(1, round(side * TILE / max(image.shape))) for side in image.shape)
    small = resample(image, resizing(image.shape, size), size, antialias=True)
    low, high = float(small.min()), float(small.max())
    return np.round((small - low) * (255 / ((high - low) or 1.0))).astype(np.uint8), list(maps)


def _paste(canvas: PIL.Image.Image, picture: NDArray[np.uint8], column: int, top: int) -> None:
    across, down = ((TILE - side) // 2 for side in (picture.shape[1], picture.shape[0]))
    canvas.paste(PIL.Image.fromarray(picture).convert("RGB"), (_left(column) + across, top + down))


def _head(draw: PIL.ImageDraw.ImageDraw, watched: Watched, finding: int, epochs: Sequence[Epoch]) -> None:
    zone = next(iter(watched.zones), "")
    beneath = f"Beneath: the logit; the share of the support in “{zone}”" if zone else "Beneath: the logit"
    more = len(watched.cases) - MOST_CASES
    left_out = f"; {more} more cases are in the table" if more > 0 else ""
    method = f"{spelling(watched.method)} at {watched.target_layer}"
    title = f"{watched.findings[finding]}: {method}, epoch by epoch"
    draw.text((GAP, 8), legible(title), INK, _font(15))
    draw.text((GAP, 28), legible(f"{beneath}. Each row has one scale{left_out}."), QUIET, _font(12))
    for column, name in enumerate(["image", *(f"epoch {epoch.number}" for epoch in epochs)]):
        draw.text((_left(column), TOP - 18), name, QUIET, _font(12))


def _label(draw: PIL.ImageDraw.ImageDraw, watched: Watched, case: int, scale: float, top: int) -> None:
    name = legible(watched.cases[case])
    shown = name if len(name) <= LONGEST_NAME else f"{name[: LONGEST_NAME - 1]}…"
    draw.text((GAP, top), shown, INK, _font(13))
    unit = "logits per cell" if watched.unit == Unit.LOGIT else "without a unit"
    draw.text((GAP, top + 20), f"full colour {scale:g}", QUIET, _font(12))
    draw.text((GAP, top + 36), unit, QUIET, _font(12))


def _figures(draw: PIL.ImageDraw.ImageDraw, row: dict[str, Any], zone: str, place: tuple[int, int]) -> None:
    share = row.get(f"{zone}: share")
    logit = "not finite" if row["logit"] is None else f"{row['logit']:+.2f}"
    draw.text(place, logit if share is None else f"{logit}; {share:.0%}", QUIET, _font(12))


def _left(column: int) -> int:
    return LEFT + column * (TILE + GAP)


@cache
def _font(size: int) -> PIL.ImageFont.FreeTypeFont | PIL.ImageFont.ImageFont:
    return PIL.ImageFont.load_default(size)
