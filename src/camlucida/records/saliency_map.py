"""Signed values in logits on the grid on which the network computed them."""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from camlucida.records.geometry import Geometry


class Unit(StrEnum):
    """What a map's values mean."""

    LOGIT = "logit"  # a cell's value is what it adds to, or takes from, the finding's logit
    RELATIVE = "relative"  # only the pattern within one map has a meaning (Score-CAM, Grad-CAM++)


@dataclass(frozen=True, slots=True, eq=False)
class SaliencyMap:
    """Maps of several findings for one image, never a picture.

    `values` has shape `(finding, *space)`, float32, signed, unnormalised, on the native grid.
    For each finding, `residual = logit - bias - sum(values)`: the part of the logit that the map does not
    explain. `bias` is the finding's logit when the target layer is silent (all activations zero); that of the
    baseline image for pixel attributions that start from one.
    `contrasts` are the findings that they are held against (Finer-CAM), one each, or none: the logits are
    then those of the finding less a share of the other's.
    """

    findings: tuple[str, ...]
    values: NDArray[np.float32]
    logits: tuple[float, ...]
    bias: tuple[float, ...]
    residual: tuple[float, ...]
    method: str
    target_layer: str
    geometry: Geometry
    unit: Unit = Unit.LOGIT
    contrasts: tuple[str, ...] = ()

    def label(self, index: int) -> str:
        """What a map is of: the finding, and what it is held against."""
        return (
            f"{self.findings[index]} rather than {self.contrasts[index]}"
            if self.contrasts
            else self.findings[index]
        )

    def evidence_for(self, index: int) -> float:
        """Sum of the values that argue for the finding (≥ 0)."""
        values = self.values[index]
        return float(values[values > 0].sum(dtype=np.float64))

    def evidence_against(self, index: int) -> float:
        """Sum of the values that argue against the finding (≤ 0)."""
        values = self.values[index]
        return float(values[values < 0].sum(dtype=np.float64))

    def supported(self, index: int) -> bool:
        """False is the state "no supporting evidence": no cell argues for the finding."""
        return bool((self.values[index] > 0).any())
