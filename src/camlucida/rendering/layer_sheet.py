"""One row of maps per layer, early to late, so that a target layer can be chosen by eye."""

from collections.abc import Sequence
from functools import cache

import PIL.Image
import PIL.ImageDraw
import PIL.ImageFont

from camlucida.records import Explanation, Image, SaliencyMap, Unit
from camlucida.records.method_name import spelling
from camlucida.rendering.legend import (
    BACKGROUND,
    INK,
    MARGIN,
    NOTICE,
    QUIET,
    WARNING,
    legible,
    most_evidence,
    overlaid,
)
from camlucida.rendering.scale import fixed_scale, rounded, scale_of

TILE, PANEL = 256, 300  # pixels: the longest edge of a tile, and the width of the text beside a row
READING = (
    "Early layers are fine and noisy: they see edges, and much of the logit is made after them. Late layers "
    "are coarse and know what the model calls by its name. Each map is drawn up to its own peak, a faint one "
    "up to a hundredth of the usual scale: compare where, and read how much from the numbers."
)
FAINT = 0.01  # of the fixed scale: a map below it is not lifted to full colour
Colour = tuple[int, int, int]


def layer_sheet(
    image: Image, rows: Sequence[Explanation], indices: Sequence[int], chosen: int, why: str
) -> PIL.Image.Image:
    """The image and its maps of some findings (RGB), one row for each layer.

    Parameters
    ----------
    rows
        Explanations of the same image by the same method, one for each layer, early to late.
    indices
        Which findings of the maps are columns.
    chosen, why
        The row of the layer that is taken when none is named, and the reason.
    """
    slices = {index: _slice(image, rows[chosen], index) for index in indices}
    lines = [_row(image, row, slices, why if number == chosen else "") for number, row in enumerate(rows)]
    width = max(line.width for line in lines)
    heading = _heading(rows[chosen], indices, slices, width, lines[0].width - PANEL - 2 * MARGIN)
    sheet = PIL.Image.new("RGB", (width, heading.height + sum(line.height for line in lines)), BACKGROUND)
    top = 0
    for part in (heading, *lines):
        sheet.paste(part, (0, top))
        top += part.height
    return sheet


def full_colour(saliency_map: SaliencyMap, index: int) -> float:
    """Evidence per cell at full colour: the map's own peak, rounded to 1, 2, 3, 5, …, if not faint."""
    if saliency_map.unit is not Unit.LOGIT:
        return scale_of(saliency_map, index)
    peak = float(saliency_map.values[index].max(initial=0.0))
    least = rounded(FAINT * fixed_scale(saliency_map.geometry.native_shape))
    return max(least, rounded(peak)) if peak > 0 else least


def _slice(image: Image, explanation: Explanation, index: int) -> int | None:
    """Of a volume: the slice with most evidence by the chosen layer, so that all rows show the same."""
    return most_evidence(explanation, index) if len(image.space) == 3 else None


def _row(image: Image, explanation: Explanation, slices: dict[int, int | None], why: str) -> PIL.Image.Image:
    first = next(iter(slices))
    drawn = [overlaid(image, explanation, first, slice_index=slices[first], opacity=0)]
    drawn += [
        overlaid(
            image, explanation, index, slice_index=number, scale=full_colour(explanation.saliency_map, index)
        )
        for index, number in slices.items()
    ]
    for tile in drawn:
        tile.thumbnail((TILE, TILE))
    text = _beside(explanation, tuple(slices), why)
    wide = PANEL + 2 * MARGIN + sum(tile.width + MARGIN for tile in drawn)
    row = PIL.Image.new(
        "RGB", (wide, MARGIN + max(text.height, *(tile.height for tile in drawn))), BACKGROUND
    )
    row.paste(text, (MARGIN, 0))
    left = PANEL + 2 * MARGIN
    for tile in drawn:
        row.paste(tile, (left, 0))
        left += tile.width + MARGIN
    return row


def _beside(explanation: Explanation, indices: Sequence[int], why: str) -> PIL.Image.Image:
    saliency_map = explanation.saliency_map
    said: list[tuple[str, int, Colour]] = [(saliency_map.target_layer, 17, INK)]
    if why:
        said.append((f"Taken when none is named: {why}", 13, WARNING))
    said.append((grid_in_words(saliency_map), 13, QUIET))
    for index in indices:
        of = f"{saliency_map.findings[index]}: " if len(indices) > 1 else ""
        said.append((f"{of}{_figures(explanation, index)}", 13, QUIET))
    return _written(said, PANEL)


def grid_in_words(saliency_map: SaliencyMap) -> str:
    """How many cells the map has, and how large each is."""
    geometry = saliency_map.geometry
    cells = " x ".join(map(str, geometry.native_shape))
    sizes, unit = geometry.cell_size_mm(), "mm"
    if sizes is None:
        sizes, unit = geometry.cell_size_pixels(), "pixels"
    return f"{cells} cells of {' x '.join(f'{size:.3g}' for size in sizes)} {unit}"


def _figures(explanation: Explanation, index: int) -> str:
    saliency_map = explanation.saliency_map
    if not saliency_map.supported(index):
        return "no supporting evidence"
    peak = full_colour(saliency_map, index)
    if saliency_map.unit is not Unit.LOGIT:
        return "a pattern without a unit, full colour at its peak"
    share = explanation.trust.findings[index].residual_share
    return (
        f"{saliency_map.evidence_for(index):+.2f} / {saliency_map.evidence_against(index):+.2f} logits for / "
        f"against; {share:.0%} not on the map; full colour {peak:.2g} logits per cell"
    )


def _heading(
    explanation: Explanation, indices: Sequence[int], slices: dict[int, int | None], width: int, tiles: int
) -> PIL.Image.Image:
    provenance, saliency_map = explanation.provenance, explanation.saliency_map
    names = [saliency_map.label(index) for index in indices]
    where = [f"slice {number + 1}" for number in slices.values() if number is not None]
    model = f"{provenance.model_name} {provenance.model_version}".strip()
    columns = f"Columns: the image, {', '.join(names)}{f' ({where[0]})' if where else ''}."
    said = [
        (f"{model}: {spelling(saliency_map.method)}, layer by layer", 20, INK),
        (columns, 13, INK),
        (READING, 13, QUIET),
        (NOTICE, 13, WARNING),
    ]
    text = _written(said, max(PANEL + MARGIN + tiles, width) - 2 * MARGIN)
    heading = PIL.Image.new("RGB", (width, text.height + 2 * MARGIN), BACKGROUND)
    heading.paste(text, (MARGIN, MARGIN))
    return heading


def _written(said: Sequence[tuple[str, int, Colour]], width: int) -> PIL.Image.Image:
    """Lines of text, each wrapped to the width, one below the other."""
    lines = [(line, size, ink) for text, size, ink in said for line in _wrapped(legible(text), size, width)]
    picture = PIL.Image.new("RGB", (width, sum(round(1.4 * size) for _, size, _ in lines)), BACKGROUND)
    draw, top = PIL.ImageDraw.Draw(picture), 0
    for line, size, ink in lines:
        draw.text((0, top), line, ink, _font(size))
        top += round(1.4 * size)
    return picture


def _wrapped(text: str, size: int, width: int) -> list[str]:
    """Broken between words, and within a word that is too long by itself (a layer's name)."""
    lines = [""]
    for word in text.split():
        if lines[-1] and _font(size).getlength(f"{lines[-1]} {word}") > width:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".strip()
        while _font(size).getlength(lines[-1]) > width:
            fits = next(
                n for n in range(len(lines[-1]), 0, -1) if _font(size).getlength(lines[-1][:n]) <= width
            )
            lines[-1:] = [lines[-1][:fits], lines[-1][fits:]]
    return lines


@cache
def _font(size: int) -> PIL.ImageFont.FreeTypeFont | PIL.ImageFont.ImageFont:
    return PIL.ImageFont.load_default(size)
