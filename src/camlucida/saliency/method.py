"""What is known of a method, beside its mathematics."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from torch import Tensor

from camlucida.records.saliency_map import Unit
from camlucida.saliency.recording import Recording

Progress = Callable[[int, int], None]
"""Told how many steps are done, of how many."""


class Compute(Protocol):
    """The mathematics of a method: signed maps (batch, finding, *grid) of a recording."""

    def __call__(self, recording: Recording, *, variant: str, progress: Progress | None) -> Tensor: ...


@dataclass(frozen=True, slots=True)
class Method:
    """A method by its paper's name.

    `unit` is LOGIT where a cell's value is a share of the logit (its sum is compared with the logit),
    RELATIVE where only the pattern within one map has a meaning. `passes` says what it costs beside
    one inference. The first of `variants` is the default.
    """

    name: str
    paper: str
    compute: Compute
    unit: Unit
    passes: str
    caution: str = ""
    variants: tuple[str, ...] = ("",)
