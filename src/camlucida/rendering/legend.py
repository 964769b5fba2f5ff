"""The overlay with its legend: a picture that says what it shows, without anything of the patient."""

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
import PIL.Image
import PIL.ImageDraw
import PIL.ImageFont
from numpy.typing import NDArray

from camlucida.errors import InputError
from camlucida.records import Explanation, Image, SaliencyMap, Unit, VoiLut, Window
from camlucida.records.geometry import scaling
from camlucida.records.method_name import CLASS_AGNOSTIC, EXPLAINS_NO_FINDING, spelling
from camlucida.rendering import colour
from camlucida.rendering.body import body, outline
from camlucida.rendering.overlay import overlay
from camlucida.rendering.scale import scale_of
from camlucida.rendering.upsample import on_grid, resample
from camlucida.rendering.window import default_display, display

NOTICE = "Not for diagnosis: research software, not a medical device. It explains the model, not the disease."
NO_EVIDENCE = "No supporting evidence"

LARGEST, SMALLEST = 1024, 768  # pixels of the long edge of the image part
PANEL, MARGIN = 340, 20  # pixels
WIDTH = PANEL - 2 * MARGIN  # of a line in the legend
INK, QUIET, WARNING = (235, 235, 235), (165, 165, 165), (255, 190, 80)
OUTLINE = (80, 220, 255)  # of the body: no colour map has it
BACKGROUND = (18, 18, 20)
WRITTEN_OUT = str.maketrans(
    {"−": "-", "–": "-", "—": "-", "×": "x", "≥": ">=", "≤": "<=", "→": "->", "µ": "u", "μ": "u"}
    | {"ß": "ss", "ø": "o", "Ø": "O", "æ": "ae", "Æ": "Ae", "œ": "oe", "ł": "l", "Ł": "L", "đ": "d", "ı": "i"}
)


def picture(
    image: Image,
    explanation: Explanation,
    index: int,
    *,
    slice_index: int | None = None,
    window: Window | VoiLut | None = None,
    colour_map: str = "inferno",
    opacity: float = 0.6,
    zones: bool = False,
) -> PIL.Image.Image:
    """The image with the evidence for one finding over it, and a legend at its right (RGB).

    `index` counts the findings of the explanation's map. Of a volume it is the slice `slice_index` (counted
    from 0), or the one with most evidence for the finding. The long edge of the image part has 768 to 1024
    pixels; pixels that are not square are drawn in their true proportion. With `zones` the body's outline is
    drawn, and the legend says how much of the evidence lies outside it, in the corners and at the border.

    Raises
    ------
    InputError
        There is no such slice, or no such colour map.
    """
    shown = _slice(image, explanation, index, slice_index)
    grey = _grey(image, shown, window)
    scale = scale_of(explanation.saliency_map, index)
    evidence = _evidence(image, explanation, index, shown)
    over = overlay(grey, evidence, scale, opacity, colour_map)
    legend = _legend(explanation, index, shown, scale, colour_map, opacity)
    if zones:
        over[_body_outline(image, shown)] = OUTLINE
        legend[-1:-1] = _zone_lines(explanation, index)
    return _side_by_side(PIL.Image.fromarray(over), legend)


def overlaid(
    image: Image,
    explanation: Explanation,
    index: int,
    *,
    slice_index: int | None = None,
    scale: float | None = None,
    opacity: float = 0.6,
) -> PIL.Image.Image:
    """As `picture`, without the legend: who draws it beside others says what the colours mean.

    `scale` is the evidence in a cell at full colour; `opacity` 0 draws the image alone.
    """
    shown = _slice(image, explanation, index, slice_index)
    scale = scale_of(explanation.saliency_map, index) if scale is None else scale
    evidence = _evidence(image, explanation, index, shown)
    return PIL.Image.fromarray(overlay(_grey(image, shown, None), evidence, scale, opacity))


@dataclass(frozen=True, slots=True)
class _Shown:
    """Which slice (of how many; None for a 2D image) is drawn, and on how many rows and columns."""

    slice_index: int | None
    slices: int
    rows: int
    columns: int


def most_evidence(explanation: Explanation, index: int) -> int:
    """The slice of a volume, counted from 0, with most evidence for a finding; the middle one if none."""
    geometry = explanation.saliency_map.geometry
    coarse = (geometry.pixel_shape[0], *geometry.native_shape[1:])
    steps = [old / new for old, new in zip(geometry.pixel_shape, coarse, strict=True)]
    to_pixel = scaling(steps, [step / 2 - 0.5 for step in steps])
    supporting = np.maximum(explanation.saliency_map.values[index], 0)
    each = on_grid(supporting, geometry, to_pixel, coarse).sum(axis=(1, 2))
    return int(each.argmax()) if each.any() else coarse[0] // 2


def _slice(image: Image, explanation: Explanation, index: int, wanted: int | None) -> _Shown:
    *stack, rows, columns = image.space
    heights = image.spacing[-2:] if image.spacing else (1.0, 1.0)
    sizes = rows * heights[0], columns * heights[1]
    long_edge = min(max(rows, columns, SMALLEST), LARGEST)
    high, wide = (max(1, round(size * long_edge / max(sizes))) for size in sizes)
    if not stack:
        return _Shown(None, 1, high, wide)
    chosen = most_evidence(explanation, index) if wanted is None else wanted
    if not 0 <= chosen < stack[0]:
        raise InputError(f"There is no slice {chosen}; the volume has {stack[0]}, counted from 0.")
    return _Shown(chosen, stack[0], high, wide)


def _grey(image: Image, shown: _Shown, window: Window | VoiLut | None) -> NDArray[np.uint8]:
    """The drawn slice as it is seen, (row, column[, 3])."""
    window = window or default_display(image)  # of the whole volume, so that slices look alike
    values = image.values if shown.slice_index is None else image.values[shown.slice_index]
    seen = display(values, image, window)
    channels = np.moveaxis(seen, -1, 0) if image.colour else seen[np.newaxis]
    size = (shown.rows, shown.columns)
    drawn = resample(channels, _to_pixel(image, shown), size, antialias=True)
    levels = np.floor(np.clip(drawn, 0, 255) + 0.5).astype(np.uint8)
    return np.moveaxis(levels, 0, -1) if image.colour else levels[0]


def _evidence(image: Image, explanation: Explanation, index: int, shown: _Shown) -> NDArray[np.float32]:
    """The finding's map on the drawn pixels, (row, column)."""
    saliency_map = explanation.saliency_map
    on_pixels = on_grid(saliency_map.values[index], saliency_map.geometry, *_drawn_grid(image, shown))
    return on_pixels.reshape(shown.rows, shown.columns)


def _body_outline(image: Image, shown: _Shown) -> NDArray[np.bool_]:
    """Where the body's edge is drawn, (row, column); nowhere if no body can be told."""
    return outline(body(image), *_drawn_grid(image, shown), thickness=2).reshape(shown.rows, shown.columns)


def _drawn_grid(image: Image, shown: _Shown) -> tuple[NDArray[np.float64], tuple[int, ...]]:
    """From indices on the drawn slice to pixel indices, and the drawn shape."""
    to_pixel = _to_pixel(image, shown)
    if shown.slice_index is None:
        return to_pixel, (shown.rows, shown.columns)
    volume = scaling([1.0] * 3, [float(shown.slice_index), 0.0, 0.0])
    volume[1:, 1:] = to_pixel
    return volume, (1, shown.rows, shown.columns)


def _to_pixel(image: Image, shown: _Shown) -> NDArray[np.float64]:
    steps = [old / new for old, new in zip(image.space[-2:], (shown.rows, shown.columns), strict=True)]
    return scaling(steps, [step / 2 - 0.5 for step in steps])


# --- the legend ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Line:
    """One line of text: at the left, and a number at the right; `air` is the space above it in pixels."""

    text: str
    size: int = 15
    ink: tuple[int, int, int] = INK
    air: int = 7
    right: str = ""

    @property
    def height(self) -> int:
        return self.air + round(1.25 * self.size)

    def draw(self, draw: PIL.ImageDraw.ImageDraw, left: int, top: int) -> None:
        font, base = _font(self.size), top + self.air
        draw.text((left, base), self.text, self.ink, font)
        draw.text((left + WIDTH, base), self.right, self.ink, font, anchor="ra")


@dataclass(frozen=True, slots=True)
class _Bar:
    """The colour bar, as the colours look over a dark grey, and its ticks in the map's unit."""

    colour_map: str
    scale: float
    opacity: float

    height = 62

    def draw(self, draw: PIL.ImageDraw.ImageDraw, left: int, top: int) -> None:
        lowest = -self.scale if colour.kind(self.colour_map) is colour.Kind.DIVERGING else 0.0
        values = np.linspace(lowest, self.scale, WIDTH)
        over = overlay(
            np.full((1, WIDTH), 96, np.uint8), values[np.newaxis], self.scale, self.opacity, self.colour_map
        )
        for step, rgb in enumerate(over[0].tolist()):
            draw.line([(left + step, top + 14), (left + step, top + 32)], tuple(rgb))
        middle = (lowest + self.scale) / 2
        font, beneath = _font(13), top + 38
        draw.text((left, beneath), f"{'<= ' if lowest else ''}{lowest:.3g}", QUIET, font)
        draw.text((left + WIDTH / 2, beneath), f"{middle:.3g}", QUIET, font, anchor="ma")
        draw.text((left + WIDTH, beneath), f">= {self.scale:.3g}", QUIET, font, anchor="ra")


def _legend(
    explanation: Explanation, index: int, shown: _Shown, scale: float, colour_map: str, opacity: float
) -> list[_Line | _Bar]:
    """All that the legend says, from the top."""
    unit = "logits per cell" if explanation.saliency_map.unit is Unit.LOGIT else "relative: no unit"
    return [
        *_prediction_lines(explanation, index),
        *_evidence_lines(explanation, index),
        *_wrapped(f"Colour, {colour.label(colour_map)}: {unit}", 13, QUIET, 20),
        _Bar(colour_map, scale, opacity),
        *_origin_lines(explanation, index, shown),
        *_wrapped(NOTICE, 14, WARNING, 18),
    ]


def _prediction_lines(explanation: Explanation, index: int) -> list[_Line]:
    which = _place(explanation, index)
    lines = _wrapped(explanation.saliency_map.label(index), 25, INK, 0)
    if explanation.saliency_map.method in CLASS_AGNOSTIC:
        lines += _wrapped(EXPLAINS_NO_FINDING, 15, WARNING, 10)
    if which is None:
        return lines
    prediction = explanation.prediction
    lines.append(_Line("Probability", 19, INK, 12, f"{prediction.probabilities[which]:.3f}"))
    point, reported = prediction.findings[which].operating_point, prediction.reported(which)
    if point is None:
        return [*lines, *_wrapped("The model has no operating point for it.", 13, QUIET)]
    state = "reached: reported" if reported else "not reached"
    return [*lines, _Line(f"Operating point {state}", 13, QUIET, right=f"{point:.3f}")]


def _place(explanation: Explanation, index: int) -> int | None:
    """Where the finding stands in the prediction (None where it does not)."""
    name = explanation.saliency_map.findings[index]
    names = [finding.name for finding in explanation.prediction.findings]
    return names.index(name) if name in names else None


def _evidence_lines(explanation: Explanation, index: int) -> list[_Line]:
    saliency_map = explanation.saliency_map
    if saliency_map.unit is not Unit.LOGIT:
        pattern = "This method's map has no unit: only its pattern has a meaning."
        return [*_wrapped(pattern, 13, QUIET, 16), _number("Logit", saliency_map.logits[index])]
    none = [] if saliency_map.supported(index) else _wrapped(NO_EVIDENCE, 19, WARNING, 18)
    return [
        *none,
        _Line("Evidence in logits", 13, QUIET, 20),
        _number("for", saliency_map.evidence_for(index)),
        _number("against", saliency_map.evidence_against(index)),
        _number("bias", saliency_map.bias[index]),
        _number("residual (not explained)", saliency_map.residual[index]),
        _number(_whole(saliency_map), saliency_map.logits[index]),
    ]


def _whole(saliency_map: SaliencyMap) -> str:
    return "sum: the logits' difference" if saliency_map.contrasts else "sum: the finding's logit"


def _zone_lines(explanation: Explanation, index: int) -> list[_Line]:
    trust = explanation.trust.findings[index]
    shares = {
        "outside the body": trust.outside_share,
        "in the corners": trust.corner_share,
        "at the border": trust.border_share,
    }
    found = {where: share for where, share in shares.items() if share is not None}
    if not found:
        return []
    body_line = _wrapped(explanation.trust.body, 13, QUIET, 4) if explanation.trust.body else []
    return [
        _Line("Supporting evidence", 13, QUIET, 14),
        *(_Line(where, 15, INK, 5, f"{share:.0%}") for where, share in found.items()),
        *body_line,
    ]


def _origin_lines(explanation: Explanation, index: int, shown: _Shown) -> list[_Line]:
    provenance, saliency_map = explanation.provenance, explanation.saliency_map
    sentences = [
        f"Model: {provenance.model_name} {provenance.model_version}",
        f"Method: {spelling(saliency_map.method)}, layer {saliency_map.target_layer}",
        _grid_sentence(explanation),
        explanation.trust.findings[index].statement,
        *explanation.trust.cautions,
    ]
    if shown.slice_index is not None:
        sentences.insert(0, f"Slice {shown.slice_index + 1} of {shown.slices}")
    return [line for text in sentences if text for line in _wrapped(text, 13, QUIET, 8)]


def _grid_sentence(explanation: Explanation) -> str:
    geometry = explanation.saliency_map.geometry
    cells = " x ".join(str(n) for n in geometry.native_shape)
    sizes, unit = geometry.cell_size_mm(), "mm"
    if sizes is None:
        sizes, unit = geometry.cell_size_pixels(), "pixels"
    each = " x ".join(f"{size:.3g}" for size in sizes)
    return f"Native grid: {cells} cells of {each} {unit}"


def _number(text: str, value: float) -> _Line:
    return _Line(text, 15, INK, 5, _signed(value))


def _signed(value: float) -> str:
    rounded = f"{abs(value):.2f}"
    if float(rounded) == 0:
        return "0.00"
    return f"{'-' if value < 0 else '+'}{rounded}"


def legible(text: str) -> str:
    """The text in the letters that Pillow's own font has: accents are left out, other scripts become “?”."""
    plain = unicodedata.normalize("NFKD", text.translate(WRITTEN_OUT))
    return "".join(
        letter if _drawable(letter) else "?" for letter in plain if not unicodedata.combining(letter)
    )


@cache
def _drawable(letter: str) -> bool:
    missing = bytes(_font(16).getmask("\uffff"))
    return letter.isspace() or bytes(_font(16).getmask(letter)) != missing


def _wrapped(text: str, size: int, ink: tuple[int, int, int] = INK, air: int = 7) -> list[_Line]:
    """Lines that fit the panel; a word that is too long by itself (a layer's name) is broken."""
    font, lines, current = _font(size), [], ""
    for word in legible(text).split():
        longer = f"{current} {word}".strip()
        if font.getlength(longer) <= WIDTH:
            current = longer
            continue
        *full, current = [*([current] if current else []), *_broken(word, font)]
        lines += full
    lines.append(current)
    return [_Line(line, size, ink, 1 if number else air) for number, line in enumerate(lines)]


def _broken(word: str, font: PIL.ImageFont.FreeTypeFont | PIL.ImageFont.ImageFont) -> list[str]:
    pieces = [""]
    for letter in word:
        if font.getlength(pieces[-1] + letter) > WIDTH:
            pieces.append("")
        pieces[-1] += letter
    return pieces


@cache
def _font(size: int) -> PIL.ImageFont.FreeTypeFont | PIL.ImageFont.ImageFont:
    return PIL.ImageFont.load_default(size)


def _side_by_side(drawn: PIL.Image.Image, legend: Sequence[_Line | _Bar]) -> PIL.Image.Image:
    """The image at the left, the legend at the right, as high as the higher of both."""
    needed = sum(item.height for item in legend) + 2 * MARGIN
    height = max(drawn.height, needed)
    canvas = PIL.Image.new("RGB", (drawn.width + PANEL, height), BACKGROUND)
    canvas.paste(drawn, (0, (height - drawn.height) // 2))
    draw, top = PIL.ImageDraw.Draw(canvas), MARGIN
    for item in legend:
        item.draw(draw, drawn.width + MARGIN, top)
        top += item.height
    return canvas
