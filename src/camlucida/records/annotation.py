"""A reader's mark: where a finding is on an image."""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray


class AnnotationKind(StrEnum):
    """How precisely a mark says where."""

    MASK = "mask"  # pixel by pixel
    BOX = "box"  # no tighter than its edges
    POINT = "point"  # a place without an extent


@dataclass(frozen=True, slots=True, eq=False)
class Annotation:
    """Where a finding is on an image, as a reader marked it or the reference standard says.

    `inside` is bool (*space) on the pixel grid of the image; of a point only its pixel is set.
    """

    finding: str
    kind: AnnotationKind
    inside: NDArray[np.bool_]
