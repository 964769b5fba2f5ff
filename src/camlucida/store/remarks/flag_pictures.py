"""A small picture of what a flag is about: the image, the flagged map as it was looked at, the outline."""

from io import BytesIO

import numpy as np
import PIL.Image
import PIL.ImageDraw
from numpy.typing import NDArray

from camlucida.errors import InputError, StoreError
from camlucida.records.geometry import resizing
from camlucida.rendering.look import Look, look
from camlucida.rendering.overlay import overlay
from camlucida.rendering.seen import Evidence, evidence
from camlucida.rendering.upsample import on_grid
from camlucida.store import explanations, thumbnails
from camlucida.store.home import Home
from camlucida.store.tables import FlagRow

OUTLINE = (0x6C, 0xD0, 0xFF)
QUALITY = 90


def small(home: Home, flag: FlagRow) -> bytes:
    """A JPEG as large as the image's thumbnail; of a volume, the slice that was looked at or outlined on.

    The flag comes with its explanation, image and files.

    Raises
    ------
    DamagedBlob
        A kept file is missing or damaged.
    """
    image = flag.explanation.image
    space = tuple(image.header["space"])
    seen = _look(flag)
    region = flag.region if flag.region and flag.region["axis"] == 0 else None
    at = 0 if len(space) == 2 else int(region["at"]) if region else seen.place(space)
    greys = np.asarray(PIL.Image.open(BytesIO(thumbnails.get(home, image, at))))
    drawn = _with_map(home, flag, seen, greys, at)
    canvas = PIL.Image.fromarray(drawn).convert("RGB")
    if region:
        _outline(canvas, region["places"], space)
    written = BytesIO()
    canvas.save(written, "JPEG", quality=QUALITY)
    return written.getvalue()


def _look(flag: FlagRow) -> Look:
    """How it was looked at; in another viewer, or by one that is not understood: as a study opens."""
    try:
        return look(flag.view, axis=0)
    except InputError:
        return Look()


def _with_map(home: Home, flag: FlagRow, seen: Look, greys: NDArray[np.uint8], at: int) -> NDArray[np.uint8]:
    own = explanations.load(home, flag.digest).saliency_map
    if flag.finding not in own.findings:
        raise StoreError("The flagged finding has no map in the kept explanation.")
    index = own.findings.index(flag.finding)
    shown = evidence(Look(map=True, finding=index, scale=seen.scale, colour_map=seen.colour_map), own)
    if shown is None:  # never: a map and a finding are asked for
        return greys
    values = _on_thumbnail(shown, greys.shape[:2], at)
    return overlay(greys, values, shown.scale, seen.opacity, shown.colour_map)


def _on_thumbnail(shown: Evidence, shape: tuple[int, ...], at: int) -> NDArray[np.float32]:
    pixels = shown.geometry.pixel_shape
    plane = resizing(pixels[-2:], shape)
    if len(pixels) == 2:
        return on_grid(shown.values, shown.geometry, plane, shape)
    grid = np.eye(4)
    grid[1:, 1:] = plane
    grid[0, -1] = at
    return on_grid(shown.values, shown.geometry, grid, (1, *shape)).reshape(shape)


def _outline(canvas: PIL.Image.Image, places: list[list[float]], space: tuple[int, ...]) -> None:
    across, down = canvas.width / space[-1], canvas.height / space[-2]
    line = [((column + 0.5) * across - 0.5, (row + 0.5) * down - 0.5) for row, column in places]
    PIL.ImageDraw.Draw(canvas).line([*line, line[0]], fill=OUTLINE, width=2)
