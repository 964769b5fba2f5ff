"""Stored values to modality values: rescale slope and intercept, modality LUT, pixel padding.

PS3.3 C.11.1 (Modality LUT), C.7.5.1.1.2 (Pixel Padding Value and Range Limit).
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from camlucida.dicom import elements
from camlucida.dicom.pixels import Layout
from camlucida.dicom.window import read_table
from camlucida.errors import UnreadableFile


@dataclass(frozen=True, slots=True, eq=False)
class ModalityLut:
    """`table[i]` is the modality value of stored value `first_mapped + i`, first and last entry go on."""

    first_mapped: int
    table: NDArray[np.uint16]
    bits: int


@dataclass(frozen=True, slots=True)
class Rescale:
    """How one frame's stored values become modality values, and which of them mean "no pixel here"."""

    slope: float = 1.0
    intercept: float = 0.0
    unit: str = ""
    padding: tuple[float, float] | None = None
    lut: ModalityLut | None = None

    def lowest(self, layout: Layout) -> float:
        """No modality value of the frame is below this one."""
        if self.lut is not None:
            return 0.0
        low = -(1 << (layout.bits_stored - 1)) if layout.signed else 0
        high = low + (1 << layout.bits_stored) - 1
        return min(low * self.slope, high * self.slope) + self.intercept

    def modality_values(self, frame: NDArray[Any], padded: float) -> NDArray[np.float32]:
        """Modality values of a frame, float32; pixels that are padding get the value `padded`."""
        if self.lut is not None:
            entries = np.clip(frame.astype(np.int64) - self.lut.first_mapped, 0, len(self.lut.table) - 1)
            values = self.lut.table[entries].astype(np.float32)
        else:
            values = (frame.astype(np.float64) * self.slope + self.intercept).astype(np.float32)
        if self.padding is not None:
            values[(frame >= self.padding[0]) & (frame <= self.padding[1])] = padded
        return values


def read_rescale(view: Dataset, layout: Layout, notes: list[str]) -> Rescale:
    """The rescale of one frame.

    Raises
    ------
    UnreadableFile
        Rescale Slope, Rescale Intercept or the modality LUT is damaged: all values would be wrong.
    """
    slope, intercept = (elements.number(view, f"Rescale{part}") for part in ("Slope", "Intercept"))
    table = elements.item(view, "ModalityLUTSequence")
    lut = None
    if table is not None and slope is None:
        first, entries, bits = read_table(table, layout.order)
        lut = ModalityLut(_signed(first, 16) if layout.signed else first, entries, bits)
    modality = elements.text(view, "Modality")
    if modality == "CT" and lut is None and (slope is None or intercept is None):
        notes.append("Rescale Slope or Rescale Intercept is missing, so the values are not known to be HU.")
    if slope == 0:
        raise UnreadableFile("Rescale Slope (0028,1053) is 0, so all pixels would have the same value.")
    return Rescale(
        slope=1.0 if slope is None else slope,
        intercept=intercept or 0.0,
        unit=_unit(view, table, modality, rescaled=slope is not None),
        padding=read_padding(view, layout),
        lut=lut,
    )


def _unit(view: Dataset, table: Dataset | None, modality: str, *, rescaled: bool) -> str:
    """HU for CT where the file is silent (PS3.3 C.8.2.1.1.2); "US" is DICOM's word for unspecified."""
    declared = elements.text(view, "RescaleType") or elements.text(table or Dataset(), "ModalityLUTType")
    if declared == "US":
        return ""
    return declared or elements.text(view, "Units") or ("HU" if modality == "CT" and rescaled else "")


def read_padding(view: Dataset, layout: Layout) -> tuple[float, float] | None:
    """Lowest and highest stored value that mean padding; None where the file declares none."""
    value = elements.integer(view, "PixelPaddingValue")
    if value is None:
        return None
    limit = elements.integer(view, "PixelPaddingRangeLimit")
    ends = [value, value if limit is None else limit]
    if layout.signed:
        ends = [_signed(end, layout.bits_allocated) for end in ends]
    elif min(ends) < 0:
        ends = [end & ((1 << layout.bits_allocated) - 1) for end in ends]
    return float(min(ends)), float(max(ends))


def _signed(value: int, bits: int) -> int:
    """A number that was written without its sign (US instead of SS)."""
    return value - (1 << bits) if value >= 1 << (bits - 1) else value


def padded_value(rescales: list[Rescale], layouts: list[Layout]) -> float:
    """A modality value below all others, to mark padding where stored values are given up."""
    return math.floor(min(r.lowest(layout) for r, layout in zip(rescales, layouts, strict=True))) - 1.0
