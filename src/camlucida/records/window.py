"""How stored values become display values: DICOM's window and VOI LUT (PS3.3 C.11.2)."""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray


class VoiLutFunction(StrEnum):
    """VOI LUT Function (0028,1056)."""

    LINEAR = "LINEAR"
    LINEAR_EXACT = "LINEAR_EXACT"
    SIGMOID = "SIGMOID"


@dataclass(frozen=True, slots=True)
class Window:
    """Window center and window width in modality values (HU for CT), with the explanation the file gives."""

    center: float
    width: float
    function: VoiLutFunction = VoiLutFunction.LINEAR
    explanation: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class VoiLut:
    """A VOI LUT: `table[i]` is the display value of modality value `first_mapped + i` (PS3.3 C.11.2.1.1)."""

    first_mapped: int
    table: NDArray[np.uint16]
    bits: int
    explanation: str = ""
