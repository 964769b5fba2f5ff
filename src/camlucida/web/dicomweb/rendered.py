"""WADO-RS rendered: a frame as a picture, and as a small one (PS3.18 10.4.1.1.3 and 10.4.1.1.5)."""

import re
from io import BytesIO
from threading import BoundedSemaphore
from typing import TYPE_CHECKING, NamedTuple

import PIL.Image
from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import Response

from camlucida.dicom.retrieving.frame_image import read_frame, representative_frame
from camlucida.errors import InputError
from camlucida.records import VoiLutFunction, Window
from camlucida.rendering.window import display
from camlucida.web.dicomweb import media_types
from camlucida.web.dicomweb.retrieve import (
    INSTANCE,
    SERIES,
    STUDY,
    Kept,
    found,
    frame_numbers,
    one,
    open_pixels,
)

if TYPE_CHECKING:
    from collections.abc import Callable

router = APIRouter()

JPEG, PNG = "image/jpeg", "image/png"
LARGEST_SIDE = 8192  # of a viewport
THUMBNAIL_SIDE = 200
QUALITY = 90
AT_ONCE = BoundedSemaphore(4)  # a large frame takes hundreds of megabytes while it is drawn
NUMBER = re.compile(r"[+-]?\d{1,12}(\.\d{1,12})?([eE][+-]?\d{1,2})?")
FUNCTIONS = {
    "linear": VoiLutFunction.LINEAR,
    "linear-exact": VoiLutFunction.LINEAR_EXACT,
    "sigmoid": VoiLutFunction.SIGMOID,
}

Box = tuple[float, float, float, float]


class Viewport(NamedTuple):
    """How large the picture may be, and which part of the frame is shown: left, top, width, height."""

    width: int
    height: int
    source: Box | None


@router.get(INSTANCE + "/rendered")
def instance(request: Request, study: str, series: str, instance: str) -> Response:
    """The frame that stands for the instance, as a picture."""
    return _drawn(request, one(request, study, series, instance), "")


@router.get(INSTANCE + "/frames/{number}/rendered")
def frame(request: Request, study: str, series: str, instance: str, number: str) -> Response:
    """A frame as a picture."""
    return _drawn(request, one(request, study, series, instance), number)


@router.get(STUDY + "/thumbnail")
@router.get(SERIES + "/thumbnail")
@router.get(INSTANCE + "/thumbnail")
@router.get(INSTANCE + "/frames/{number}/thumbnail")
def thumbnail(
    request: Request, study: str, series: str = "", instance: str = "", number: str = ""
) -> Response:
    """A small picture of the middle one of the instances that have pixels."""
    kept = found(request, study, series, instance)
    with_pixels = [one for one in kept if "00280010" in one.row.header] or kept
    middle = with_pixels[(len(with_pixels) - 1) // 2]
    return _drawn(request, middle, number, Viewport(THUMBNAIL_SIDE, THUMBNAIL_SIDE, None))


def _drawn(request: Request, kept: Kept, number: str, smallest: Viewport | None = None) -> Response:
    media_type = _media_type(request)
    window, viewport, quality = _window(request), _viewport(request) or smallest, _quality(request)
    opened = open_pixels(kept)
    try:
        chosen = frame_numbers(opened, number)[0] if number else representative_frame(kept.path, opened)
        with AT_ONCE:
            image = read_frame(kept.path, opened, chosen)
            picture = PIL.Image.fromarray(display(image.values, image, None if image.colour else window))
            if viewport is not None:
                picture = _fitted(picture, viewport)
            content = _encoded(picture, media_type, quality)
    except InputError as error:
        raise media_types.refuse(f"{error} The whole instance can be retrieved.") from None
    return Response(content, media_type=media_type)


def _media_type(request: Request) -> str:
    for one_range in media_types.accepted(request):
        for media_type in (JPEG, PNG):
            if not one_range.multipart and one_range.covers(media_type):
                return media_type
    raise media_types.refuse(f"Frames are drawn as {JPEG} or {PNG}.")


def _window(request: Request) -> Window | None:
    """`window=center,width,function` (PS3.18 8.3.5.1.4)."""
    text = request.query_params.get("window")
    if text is None:
        return None
    center, width, function = _split(text, 3, "window", "center,width,function")
    if function.casefold() not in FUNCTIONS:
        raise HTTPException(400, "The function of a window is linear, linear-exact or sigmoid.")
    chosen = FUNCTIONS[function.casefold()]
    if _number(width) <= 0 or (chosen is VoiLutFunction.LINEAR and _number(width) < 1):
        raise HTTPException(400, "The width of a window is at least 1; of linear-exact and sigmoid, above 0.")
    return Window(_number(center), _number(width), chosen)


def _viewport(request: Request) -> Viewport | None:
    """`viewport=width,height` or with the part of the frame: `…,left,top,width,height` (8.3.5.1.3)."""
    text = request.query_params.get("viewport")
    if text is None:
        return None
    words = text.split(",")
    if len(words) not in (2, 6):
        raise HTTPException(400, "The viewport is width,height or width,height,left,top,width,height.")
    width, height = (_number(word) for word in words[:2])
    if not (1 <= width <= LARGEST_SIDE and 1 <= height <= LARGEST_SIDE):
        raise HTTPException(400, f"A viewport's sides are from 1 to {LARGEST_SIDE} pixels.")
    if len(words) == 2:
        return Viewport(int(width), int(height), None)
    left, top = (_number(word or "0") for word in words[2:4])
    across, down = (_number(word or "0") for word in words[4:])
    return Viewport(int(width), int(height), (left, top, across, down))


def _quality(request: Request) -> int:
    text = request.query_params.get("quality")
    if text is None:
        return QUALITY
    if not re.fullmatch(r"\d{1,3}", text) or not 1 <= int(text) <= 100:
        raise HTTPException(400, "The quality is a whole number from 1 to 100.")
    return int(text)


def _split(text: str, count: int, name: str, form: str) -> list[str]:
    words = text.split(",")
    if len(words) != count:
        raise HTTPException(400, f"The parameter {name} is {form}.")
    return words


def _number(text: str) -> float:
    if not NUMBER.fullmatch(text.strip()):
        raise HTTPException(400, "A parameter is no number.")
    return float(text)


def _fitted(picture: PIL.Image.Image, viewport: Viewport) -> PIL.Image.Image:
    """The wanted part, as large as the viewport allows without another aspect ratio."""
    if viewport.source is not None:
        left, top, across, down = viewport.source
        across, down = across or picture.width - left, down or picture.height - top
        box = (max(0, round(left)), max(0, round(top)), round(left + abs(across)), round(top + abs(down)))
        box = (*box[:2], min(picture.width, box[2]), min(picture.height, box[3]))
        if box[0] >= box[2] or box[1] >= box[3]:
            raise HTTPException(400, "The part that the viewport shows lies outside of the frame.")
        picture = picture.crop(box)
        flips: list[tuple[bool, Callable[[PIL.Image.Image], PIL.Image.Image]]] = [
            (across < 0, lambda one: one.transpose(PIL.Image.Transpose.FLIP_LEFT_RIGHT)),
            (down < 0, lambda one: one.transpose(PIL.Image.Transpose.FLIP_TOP_BOTTOM)),
        ]
        for wanted, flip in flips:
            picture = flip(picture) if wanted else picture
    scale = min(viewport.width / picture.width, viewport.height / picture.height)
    size = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
    return picture.resize(size, PIL.Image.Resampling.LANCZOS)


def _encoded(picture: PIL.Image.Image, media_type: str, quality: int) -> bytes:
    file = BytesIO()
    if media_type == PNG:
        picture.save(file, "PNG")
    else:
        picture.save(file, "JPEG", quality=quality)
    return file.getvalue()
