"""The dear parts of a trust report, computed when they are asked for."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from camlucida.errors import UnknownCheck
from camlucida.saliency.method import Method, Progress
from camlucida.saliency.recording import Recording


class Check(StrEnum):
    """What can be asked for beside the cheap figures."""

    CAUSAL = "causal"
    STABILITY = "stability"
    AGREEMENT = "agreement"


@dataclass(frozen=True, slots=True, eq=False)
class Examined:
    """One image's maps (target, *grid), and how they were made."""

    recording: Recording
    sample: int
    key: str
    method: Method
    variant: str
    maps: NDArray[np.float32]

    @property
    def image(self) -> Tensor:
        """What the network was given: (1, channel, *space)."""
        return self.recording.images[self.sample : self.sample + 1]

    @property
    def scores(self) -> Tensor:
        """The targets' values of this image: (target,)."""
        return self.recording.scores(self.recording.logits, self.sample)[self.sample]


def asked(checks: str | Sequence[str]) -> tuple[Check, ...]:
    """Checks by their names, without repetition; "all" for every one.

    Raises
    ------
    UnknownCheck
        There is none of this name.
    """
    names = [checks] if isinstance(checks, str) else list(checks)
    if "all" in names:
        return tuple(Check)
    known = ", ".join(Check)
    for name in names:
        if name not in list(Check):
            raise UnknownCheck(f"There is no check “{name}”; there are {known}, and all.")
    return tuple(check for check in Check if check in names)


Run = Callable[[Examined, Callable[[], None]], Sequence[Any]]
"""Computes a check: one result (or None) a finding; calls the function given after each step."""


@dataclass(frozen=True, slots=True)
class Checking:
    """How a check is computed, and in how many steps."""

    run: Run
    steps: Callable[[Examined], int]


def run_checks(
    checks: Mapping[Check, Checking], examined: Examined, progress: Progress | None
) -> dict[str, Sequence[Any]]:
    """What the checks found, by their names, telling the progress over all of them."""
    whole, done = sum(check.steps(examined) for check in checks.values()), 0

    def step() -> None:
        nonlocal done
        done += 1
        if progress is not None:
            progress(done, whole)

    return {str(name): check.run(examined, step) for name, check in checks.items()}
