"""The cascade as a picture: one row a method, from the trained network to one that knows nothing."""

import numpy as np
import PIL.Image
import PIL.ImageDraw
import PIL.ImageFont
from numpy.typing import NDArray

from camlucida.evaluation.sanity import MethodResult, SanityReport
from camlucida.records.geometry import resizing
from camlucida.rendering import colour
from camlucida.rendering.upsample import resample

TILE, GAP, LEFT, TOP, BELOW = 112, 8, 190, 60, 22  # pixels
BACKGROUND, INK, QUIET = (18, 18, 20), (235, 235, 235), (165, 165, 165)
PASS, FAIL = (130, 210, 130), (255, 140, 110)


def film_strip(report: SanityReport) -> PIL.Image.Image:
    """All tested methods' maps across the cascade (RGB), each scaled to its own largest value.

    Beneath each map stands the mean SSIM over all images and findings. Of a volume the slice with the
    largest value is drawn.
    """
    tested = [method for method in report.methods if not method.error]
    columns = 1 + len(tested[0].steps) if tested else 1
    size = (LEFT + columns * (TILE + GAP), TOP + len(tested) * (TILE + BELOW + GAP))
    canvas = PIL.Image.new("RGB", size, BACKGROUND)
    draw = PIL.ImageDraw.Draw(canvas)
    _head(draw, columns)
    for row, method in enumerate(tested):
        top = TOP + row * (TILE + BELOW + GAP)
        _name(draw, method, top)
        _row(canvas, draw, report.strips[method.method], method, top)
    return canvas


def _head(draw: PIL.ImageDraw.ImageDraw, columns: int) -> None:
    names = ["trained", *(f"step {number}" for number in range(1, columns))]
    for column, name in enumerate(names):
        draw.text((_left(column), TOP - 22), name, QUIET, font(13))
    words = "Randomised from the head downwards; beneath: SSIM with the trained network's map"
    draw.text((GAP, 10), words, INK, font(15))


def _name(draw: PIL.ImageDraw.ImageDraw, method: MethodResult, top: int) -> None:
    draw.text((GAP, top), method.method, INK, font(15))
    verdict, ink = ("pass", PASS) if method.passed else ("fail", FAIL)
    draw.text((GAP, top + 24), verdict, ink, font(15))
    draw.text((GAP, top + 48), f"random pairs: {method.random_pairs:.2f}", QUIET, font(13))


def _row(
    canvas: PIL.Image.Image,
    draw: PIL.ImageDraw.ImageDraw,
    maps: NDArray[np.float32],
    method: MethodResult,
    top: int,
) -> None:
    for column, values in enumerate(maps):
        canvas.paste(PIL.Image.fromarray(_tile(values)), (_left(column), top))
    for column, step in enumerate(method.steps, 1):
        ink = QUIET if step.ssim < method.random_pairs else FAIL
        draw.text((_left(column), top + TILE + 3), f"{step.ssim:.2f}", ink, font(13))


def _tile(values: NDArray[np.float32]) -> NDArray[np.uint8]:
    if values.ndim == 3:
        values = values[int(values.reshape(len(values), -1).max(axis=1).argmax())]
    shown = resample(values, resizing(values.shape, (TILE, TILE)), (TILE, TILE), antialias=True)
    return colour.table("inferno")[colour.entries("inferno", shown, float(shown.max()) or 1.0)]


def _left(column: int) -> int:
    return LEFT + column * (TILE + GAP)


def font(size: int) -> PIL.ImageFont.FreeTypeFont | PIL.ImageFont.ImageFont:
    return PIL.ImageFont.load_default(size)
