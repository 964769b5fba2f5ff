"""The same cases by every method, as one picture: a row a case, a column a method."""

from collections.abc import Sequence

import numpy as np
import PIL.Image
import PIL.ImageDraw
from numpy.typing import NDArray

from camlucida.evaluation.data.cohort import Observed
from camlucida.evaluation.localization.words import marked_area
from camlucida.evaluation.report.case_picture import case_picture
from camlucida.evaluation.sanity.film_strip import BACKGROUND, INK, QUIET, font
from camlucida.records.method_name import spelling

TILE, GAP, TOP, BELOW = 150, 6, 26, 20  # pixels
MOST_ROWS = 6


def contact_sheet(observed: Sequence[Observed], methods: Sequence[str]) -> PIL.Image.Image | None:
    """The cases with maps of the finding that was measured (RGB): six at most, those with marks first.

    The first column is the bare image. Each map is on its model's own scale, or on its own where it has no
    unit; a reader's mark is outlined. None where no finding of any case was measured.
    """
    rows = [(one, finding) for one in observed if (finding := _measured(one)) is not None]
    rows.sort(key=lambda row: not any(mark.finding == row[1] for mark in row[0].case.marks))
    rows = rows[:MOST_ROWS]
    if not rows:
        return None
    size = (GAP + (1 + len(methods)) * (TILE + GAP), TOP + len(rows) * (TILE + BELOW + GAP))
    canvas = PIL.Image.new("RGB", size, BACKGROUND)
    draw = PIL.ImageDraw.Draw(canvas)
    for column, name in enumerate(["image", *map(spelling, methods)]):
        draw.text((_left(column), 7), name, INK, font(12))
    for row, (one, finding) in enumerate(rows):
        top = TOP + row * (TILE + BELOW + GAP)
        area = marked_area(one, finding)
        canvas.paste(_tile(one.thumbnail), (_left(0), top))
        for column, method in enumerate(methods, 1):
            shown = case_picture(one, finding, method, marked=area).picture
            canvas.paste(_tile(np.asarray(shown)), (_left(column), top))
        draw.text((_left(0), top + TILE + 3), f"{one.case.name}: {finding}", QUIET, font(12))
    return canvas


def _measured(one: Observed) -> str | None:
    """The finding whose maps were measured: the one that is there, or is reported."""
    return next((row.finding for row in one.measurements if row.measure.startswith("coherence.")), None)


def _tile(pixels: NDArray[np.uint8]) -> PIL.Image.Image:
    """A picture of any shape in the middle of a square."""
    picture = PIL.Image.fromarray(pixels).convert("RGB")
    picture.thumbnail((TILE, TILE))
    tile = PIL.Image.new("RGB", (TILE, TILE), (0, 0, 0))
    tile.paste(picture, ((TILE - picture.width) // 2, (TILE - picture.height) // 2))
    return tile


def _left(column: int) -> int:
    return GAP + column * (TILE + GAP)
