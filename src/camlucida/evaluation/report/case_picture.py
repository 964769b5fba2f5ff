"""An observed case as a picture: its thumbnail with the evidence over it, and where a reader marked it."""

import numpy as np
from numpy.typing import NDArray

from camlucida.evaluation.data.cohort import Observed
from camlucida.evaluation.report.document import Picture
from camlucida.records.geometry import resizing, scaling
from camlucida.records.method_name import spelling
from camlucida.rendering.overlay import overlay
from camlucida.rendering.scale import scale_of
from camlucida.rendering.upsample import on_grid, resample

MARK = (80, 220, 255)
"""Of a reader's outline: no colour map has it."""


def case_picture(
    observed: Observed,
    finding: str,
    method: str,
    caption: str = "",
    *,
    marked: NDArray[np.bool_] | None = None,
    opacity: float = 0.6,
) -> Picture:
    """The case with a finding's map over it, for a contact sheet.

    Colours are on the model's own scale, as in the viewer: pictures of one model may be compared.

    Parameters
    ----------
    caption
        What stands below; by default the case's name.
    marked
        What a reader marked: bool on any grid (row, column) that covers the image (of a volume, the slice
        shown). Its edge is drawn.

    Raises
    ------
    KeyError, ValueError
        There is no map of this method, or none of this finding.
    """
    one = observed.maps[method]
    index = one.findings.index(finding)
    shown = overlay(observed.thumbnail, evidence(observed, method, finding), scale_of(one, index), opacity)
    if marked is not None:
        shown[_edge(marked, shown.shape[:2])] = MARK
    name = observed.case.name
    return Picture(
        shown, caption or name, f"{name}: {spelling(method)}'s evidence for {finding} over the image"
    )


def evidence(observed: Observed, method: str, finding: str) -> NDArray[np.float32]:
    """A finding's map on the pixels of the thumbnail (row, column), its unit per native cell."""
    one = observed.maps[method]
    size = observed.thumbnail.shape[:2]
    pixels = one.geometry.pixel_shape
    steps = [old / new for old, new in zip(pixels[-2:], size, strict=True)]
    to_pixel = scaling(steps, [step / 2 - 0.5 for step in steps])
    values = one.values[one.findings.index(finding)]
    if len(pixels) == 2:
        return on_grid(values, one.geometry, to_pixel, size)
    volume = scaling([1.0] * 3, [float(observed.slice_index or 0), 0.0, 0.0])
    volume[1:, 1:] = to_pixel
    return np.asarray(on_grid(values, one.geometry, volume, (1, *size))[0])


def _edge(marked: NDArray[np.bool_], size: tuple[int, ...]) -> NDArray[np.bool_]:
    """The outermost pixels of what is marked, on another grid (row, column)."""
    inside = resample(marked, resizing(marked.shape, size), size, antialias=True) >= 0.5
    around = np.pad(inside, 1)
    inner = around[:-2, 1:-1] & around[2:, 1:-1] & around[1:-1, :-2] & around[1:-1, 2:]
    return np.asarray(inside & ~inner)
