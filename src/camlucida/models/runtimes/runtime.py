"""What a runtime is, and how one is asked for: “openvino”, or “openvino:bfloat16”."""

from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from typing import Protocol

from torch import Tensor, fx

from camlucida.errors import MissingExtra, UnsuitableRuntime

EAGER, AUTO, FLOAT32, BFLOAT16 = "eager", "auto", "float32", "bfloat16"

Trunk = Callable[[Tensor], Tensor]
"""Images (1, channel, *space), float32, to activations (1, channel, *grid), float32, on the CPU."""


class Exported(Protocol):
    """A trunk as runtimes take it; the form that is asked for is made then."""

    @property
    def onnx(self) -> bytes:
        """As an ONNX file."""

    @property
    def graph(self) -> fx.GraphModule:
        """As torch's graph."""


@dataclass(frozen=True, slots=True)
class Runtime:
    """A runtime: how it makes a trunk from an exported one and a precision.

    `package` is the one that has its version, `modules` are those that must be there, with those that write
    the ONNX file. `precisions` are those it can be asked for, the default first.
    """

    name: str
    package: str
    modules: tuple[str, ...]
    make: Callable[[Exported, str], Trunk]
    precisions: tuple[str, ...] = (FLOAT32,)

    @property
    def described(self) -> str:
        """Name and version, for the provenance."""
        return f"{self.name} {version(self.package).partition('+')[0]}"

    @property
    def missing(self) -> str:
        """The first package that is not installed, or nothing."""
        return next((module for module in self.modules if find_spec(module) is None), "")

    def refuse_if_missing(self) -> None:
        """Say what to install.

        Raises
        ------
        MissingExtra
            A package of this runtime is not installed.
        """
        if missing := self.missing:
            raise MissingExtra(
                f"runtime “{self.name}” needs “{missing}”, which is not installed. Install it with "
                "`pip install 'camlucida[runtimes]'`."
            )


def parse(asked: str, runtimes: dict[str, Runtime]) -> tuple[Runtime, str]:
    """The runtime and the precision of “name” or “name:precision”.

    Raises
    ------
    UnsuitableRuntime
        There is no such runtime, or it has no such precision.
    """
    name, _, precision = asked.strip().casefold().partition(":")
    if name not in runtimes:
        raise UnsuitableRuntime(
            f"There is no runtime “{asked}”; there are: {', '.join((EAGER, *runtimes, AUTO))}."
        )
    runtime = runtimes[name]
    chosen = precision or runtime.precisions[0]
    if chosen not in runtime.precisions:
        raise UnsuitableRuntime(
            f"runtime “{name}” has no precision “{precision}”; it has: {', '.join(runtime.precisions)}."
        )
    return runtime, chosen
