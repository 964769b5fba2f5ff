"""What is known of a method, beside its mathematics."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from torch import Tensor

from camlucida.records.saliency_map import Unit
from camlucida.saliency.recording import Recording

Progress = Callable[[int, int], None]
"""Told how many steps are done, of how many."""


def of_image(progress: Progress | None, sample: int, images: int) -> Progress:
    """Takes the steps of one of several images, and tells them as steps of all."""

    def tell(done: int, whole: int) -> None:
        if progress is not None:
            progress(sample * whole + done, images * whole)

    return tell


class Grid(StrEnum):
    """On which grid a method's map is computed."""

    CELLS = "cells"  # of the target layer
    PIXELS = "pixels"  # of the network's input


class Compute(Protocol):
    """The mathematics of a method: signed maps (batch, target, *grid) of a recording."""

    def __call__(self, recording: Recording, *, variant: str, progress: Progress | None) -> Tensor: ...


Start = Callable[[Recording, str, int], Tensor]
"""Of a recording, a variant and the number of an image: the targets' values (target,) to which the map's sum
is added."""


@dataclass(frozen=True, slots=True)
class Method:
    """A method by its paper's name.

    `unit` is LOGIT where a cell's value is a share of the logit (its sum is compared with the logit),
    RELATIVE where only the pattern within one map has a meaning. `passes` says what it costs beside one
    inference, for all findings together if not said otherwise; `needs` what it asks of a network, beside a
    target layer. `opposing`: values above 0 are what argues against the finding. `sums_anyway`: the sum is
    the logit wherever the values are placed, so that it proves no place. The first of `variants` is the
    default. `class_agnostic`: the map is the same for every finding, so it explains none. `contrastive`: the
    method is about one finding against another. `aliases` are other papers' names for the same map. `start`
    gives what the map's sum is added to; the logit of a silent target layer, if None. `at_input`: no target
    layer has a part in the map.

    A method that does not take every network says so in `needs`, and raises UnsupportedNetwork with a
    sentence for those it does not take.
    """

    name: str
    paper: str
    compute: Compute
    unit: Unit
    passes: str
    needs: str = ""
    caution: str = ""
    variants: tuple[str, ...] = ("",)
    grid: Grid = Grid.CELLS
    class_agnostic: bool = False
    contrastive: bool = False
    opposing: bool = False
    sums_anyway: bool = False
    aliases: tuple[str, ...] = ()
    start: Start | None = None
    at_input: bool = False
