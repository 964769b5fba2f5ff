"""How somebody looked at an image and a map: the view state of the viewer, read as it is written there.

A view state is what a link of the viewer holds (`viewer/src/view.ts`), with what the trail of events adds:
which map lay over the image, and on which scale. What it lacks is as at the start.
"""

import math
from dataclasses import dataclass
from typing import Any

from camlucida.errors import InputError
from camlucida.records import Image, Photometric, ViewState, VoiLut, VoiLutFunction, Window
from camlucida.rendering import colour

CT_WINDOWS = (
    Window(-600, 1500, VoiLutFunction.LINEAR, "lung"),
    Window(40, 400, VoiLutFunction.LINEAR, "mediastinum"),
    Window(400, 1800, VoiLutFunction.LINEAR, "bone"),
)
"""Windows that the viewer has for CT (HU), beside those of the file."""

COLOURS = "inferno"
PLANES = ("slice", "row", "column")
"""The words for the index along each axis of a volume."""

NOT_DRAWN = {
    "marks": "what the reader had measured or marked",
    "disagreement": "the hatching where two methods disagree",
}
"""Parts of a view that lie over the picture and are not drawn again."""


@dataclass(frozen=True, slots=True)
class Look:
    """What of an image is seen, and how.

    `at` are the indices of the three planes, None in the middle; `axis` is perpendicular to the plane that is
    seen. `window` is a window in modality values, the number of a preset, or None: as the image opens.
    `finding` is its place in the map, `scale` the evidence of full colour per cell, in the map's unit.
    """

    axis: int = 0
    at: tuple[int | None, int | None, int | None] = (None, None, None)
    window: Window | int | None = None
    inverted: bool = False
    map: bool = False
    finding: int | None = None
    scale: float | None = None
    own_scale: bool = False
    opacity: float = 0.6
    colour_map: str = COLOURS
    cells: bool = False
    contours: bool = False
    slab: float = 0.0
    difference: bool = False

    def place(self, space: tuple[int, ...]) -> int:
        """The index of the plane that is seen, along `axis` of a grid of this shape."""
        size = (1, *space)[-3:][self.axis]
        at = self.at[self.axis]
        return min(size - 1, size // 2 if at is None else at)


def look(view: ViewState, axis: int | None = None) -> Look:
    """Read a view state; `axis` chooses one of the three planes of a volume, instead of the one seen alone.

    Raises
    ------
    InputError
        A word has a value that the viewer does not write.
    """
    try:
        return _look(view, axis)
    except (ValueError, TypeError, KeyError) as error:
        raise InputError(
            "This view state cannot be read: it is none that camlucida's viewer has written."
        ) from error


def not_drawn(view: ViewState) -> list[str]:
    """What of a view state is not in the picture, in words."""
    return [words for name, words in NOT_DRAWN.items() if view.get(name)]


def presets(image: Image) -> tuple[Window | VoiLut | None, ...]:
    """The windows and VOI LUTs that the viewer offers, in its order; None: its proposal for the image."""
    own: tuple[Window | VoiLut | None, ...] = (*image.windows, *image.voi_luts) or (None,)
    return (*own, *CT_WINDOWS) if image.modality == "CT" and image.unit == "HU" else own


def voi(seen: Look, image: Image) -> Window | VoiLut | None:
    """What the image is shown by; None: what it opens with."""
    if not isinstance(seen.window, int):
        return seen.window
    offered = presets(image)
    return offered[seen.window] if seen.window < len(offered) else None


def inverted(image: Image) -> Photometric:
    """The photometric interpretation as if dark and bright were exchanged in the file."""
    swapped = {
        Photometric.MONOCHROME1: Photometric.MONOCHROME2,
        Photometric.MONOCHROME2: Photometric.MONOCHROME1,
    }
    return swapped.get(image.photometric, image.photometric)


def _look(view: ViewState, axis: int | None) -> Look:
    colours = str(view.get("colours") or COLOURS)
    colour.table(colours)  # refuses what is none
    alone = _whole(view, "alone") if view.get("layout") == "planes" else None
    axis = axis if axis is not None else alone or 0
    if axis >= len(PLANES):
        raise ValueError("alone")
    return Look(
        axis=axis,
        at=(_whole(view, "slice"), _whole(view, "row"), _whole(view, "column")),
        window=_window(view.get("window")),
        inverted=_on(view, "inverted"),
        map=_on(view, "map") and not _on(view, "held"),
        finding=_whole(view, "finding"),
        scale=_at_least_zero(view, "scale"),
        own_scale=_on(view, "ownScale"),
        opacity=_share(60.0 if (percent := _number(view, "opacity")) is None else percent),
        colour_map=colours,
        cells=_on(view, "cells"),
        contours=_on(view, "contours"),
        slab=_at_least_zero(view, "slab") or 0.0,
        difference=_on(view, "difference"),
    )


def _on(view: ViewState, name: str) -> bool:
    return view.get(name) in {"1", True}


def _number(view: ViewState, name: str) -> float | None:
    said = view.get(name)
    if said in {None, ""}:
        return None
    number = float(said)
    if not math.isfinite(number):
        raise ValueError(name)
    return number


def _whole(view: ViewState, name: str) -> int | None:
    said = _number(view, name)
    if said is not None and (said != int(said) or said < 0):
        raise ValueError(name)
    return None if said is None else int(said)


def _at_least_zero(view: ViewState, name: str) -> float | None:
    said = _number(view, name)
    if said is not None and said < 0:
        raise ValueError(name)
    return said


def _share(percent: float) -> float:
    if not 0 <= percent <= 100:
        raise ValueError("opacity")
    return percent / 100


def _window(said: Any) -> Window | int | None:
    if said in {None, ""}:
        return None
    parts = str(said).split(",")
    if len(parts) == 1:
        preset = int(parts[0])
        if preset < 0:
            raise ValueError("window")
        return preset
    center, width, function = parts
    if not (math.isfinite(float(center)) and math.isfinite(float(width))):
        raise ValueError("window")
    return Window(float(center), float(width), VoiLutFunction(function))
