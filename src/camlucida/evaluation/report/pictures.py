"""Pictures inside a page: as data, in no more pixels than are looked at."""

import base64
import io

import numpy as np
import PIL.Image

from camlucida.evaluation.report.document import Picture

LARGEST = 1600
"""Pixels along the longer side of a picture that stands by itself: a page's width on a fine screen."""

QUALITY = 86  # of a JPEG


def as_data(block: Picture, side: int = LARGEST) -> str:
    """A picture as a `data:` address, with at most `side` pixels along its longer side.

    What is drawn (lines, letters, plain areas) is smaller and sharper as PNG, what is photographed as JPEG:
    the smaller of the two is taken.
    """
    picture = block.picture
    if isinstance(picture, np.ndarray):
        picture = PIL.Image.fromarray(picture)
    shown = picture.convert("L" if picture.mode in {"1", "L"} else "RGB")
    shown.thumbnail((side, side), PIL.Image.Resampling.LANCZOS)
    kind, content = min((_png(shown), _jpeg(shown)), key=lambda one: len(one[1]))
    return f"data:image/{kind};base64,{base64.b64encode(content).decode()}"


def _png(picture: PIL.Image.Image) -> tuple[str, bytes]:
    written = io.BytesIO()
    picture.save(written, "PNG", optimize=True)
    return "png", written.getvalue()


def _jpeg(picture: PIL.Image.Image) -> tuple[str, bytes]:
    written = io.BytesIO()
    picture.save(written, "JPEG", quality=QUALITY, subsampling=0, optimize=True)
    return "jpeg", written.getvalue()
