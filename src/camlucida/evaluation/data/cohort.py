"""What was seen of many cases: small enough to hold a cohort of thousands in memory."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from camlucida.evaluation.data.case import Case
from camlucida.records import Measurement, Prediction, SaliencyMap


@dataclass(frozen=True, slots=True, eq=False)
class Observed:
    """One case: what the model says, where its evidence lies, and what was measured of it.

    `maps` by the key of their method, on the native grid. `thumbnail` is the image as it is looked at, uint8
    (row, column) or (row, column, 3), at most 256 pixels along each side; of a volume the slice with the most
    evidence, and `slice_index`, counted from 0, says which. `embedding` (channel,) float32 are the pooled
    activations of the target layer, for probes. `notes` say what of the case could not be used.
    """

    case: Case
    prediction: Prediction
    maps: Mapping[str, SaliencyMap]
    measurements: tuple[Measurement, ...]
    thumbnail: NDArray[np.uint8]
    embedding: NDArray[np.float32]
    slice_index: int | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Refused:
    """A case that could not be used, and why."""

    case: str
    reason: str


@dataclass(frozen=True, slots=True, eq=False)
class Cohort:
    """All cases that a model was shown, in the order of the table."""

    model: str
    digest: str
    observed: tuple[Observed, ...]
    refused: tuple[Refused, ...]
