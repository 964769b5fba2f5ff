"""The fast path: the part before the cut in another runtime, the head in torch, held against torch first."""

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial

import torch
from torch import Tensor, fx, nn

from camlucida.errors import MissingExtra, UnsuitableRuntime
from camlucida.models.cut import Cut, Logits, Output, mean_over_space, modules, run, within_unit_interval
from camlucida.models.runtimes import inductor, kept, onnx_runtime, open_vino
from camlucida.models.runtimes.onnx_file import onnx_file
from camlucida.models.runtimes.parity import NONE, Deviation, allowed, compare
from camlucida.models.runtimes.runtime import AUTO, EAGER, FLOAT32, Runtime, Trunk, parse
from camlucida.models.split import EAGER as CURE
from camlucida.models.split import Split, first_line, split

RUNTIMES: dict[str, Runtime] = {
    one.name: one for one in (onnx_runtime.RUNTIME, open_vino.RUNTIME, inductor.RUNTIME)
}
_TRIED_BY_AUTO = (open_vino.RUNTIME, onnx_runtime.RUNTIME)  # compiling would take a minute
_REPEATS = 3
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, eq=False)
class Fast:
    """A network of which the trunk runs in another runtime.

    `deviation` is how far it was from torch when it was loaded; `reason` why it was chosen, if it was.
    """

    runtime: str
    precision: str
    trunk: Trunk
    head: nn.Module
    activation: str | None
    pooled: bool
    deviation: Deviation = NONE
    reason: str = ""

    @property
    def caution(self) -> str:
        """What the reader of a map has to know of its precision; nothing for float32."""
        if self.precision == FLOAT32:
            return ""
        return (
            f"Computed in {self.precision} ({self.runtime}): against float32, {self.deviation.described} at "
            "most on two inputs."
        )

    def run(
        self,
        network: nn.Module,
        images: Tensor,
        at_cut: Callable[[Tensor], Tensor],
        training: tuple[nn.Module, ...] | None = None,
    ) -> Output:
        """As `cut.run`; of the network only the training flags are looked at, where they are not given."""
        if training is None:
            training = tuple(module for module in modules(network) if module.training)
        with torch.inference_mode(mode=False), torch.enable_grad():
            activations = torch.cat([self.trunk(image[None].contiguous()) for image in images.detach()])
            rows = at_cut(activations)
            with torch.set_grad_enabled(mode=rows.requires_grad):
                logits = self.head_logits(rows)
        unnamed = self.activation is None
        return Output(
            logits, self.activation, unnamed and within_unit_interval(logits.detach()), training=training
        )

    def head_logits(self, rows: Tensor) -> Tensor:
        """Logits (row, finding) of activations (row, channel, *grid), or of their means."""
        # A head that sees only means was exported for means.
        logits: Tensor = self.head(mean_over_space(rows) if self.pooled else rows)
        return logits


@dataclass(frozen=True, slots=True, eq=False)
class Eager:
    """The network as it is, in torch; `reason` is why that was chosen, if it was not asked for."""

    reason: str = ""
    runtime: str = EAGER
    caution: str = ""


def load(
    network: nn.Module,
    images: Tensor,
    cut: Cut,
    logits: Logits | None,
    runtime: str,
    model_digest: str = "",
) -> Fast | Eager:
    """The network in the runtime that is asked for: “eager”, “auto”, “openvino”, “openvino:bfloat16”, …

    Parameters
    ----------
    images
        (batch, channel, *space): of the size that is exported; parity is looked at with the first.
    model_digest
        Of a model whose exported form is kept in the home folder; of a bare network nothing is kept.

    Raises
    ------
    UnsuitableRuntime
        The network cannot be exported or run there, or gives other maps; the sentence has the numbers.
    MissingExtra
        The runtime is not installed.
    """
    asked = runtime.strip().casefold()
    if asked == EAGER:
        return Eager()
    image = images[:1]
    _refuse_what_runtimes_do_not_take(image)
    exporter = _Exporter(network, image, cut, logits, model_digest)
    return _fastest(exporter) if asked == AUTO else _checked(exporter, *parse(asked, RUNTIMES))


def _refuse_what_runtimes_do_not_take(image: Tensor) -> None:
    if image.device.type != "cpu" or image.dtype != torch.float32:
        raise UnsuitableRuntime(
            f"Other runtimes take float32 on the CPU, and this network computes in {image.dtype} on "
            f"{image.device.type}; {CURE}."
        )


def _checked(exporter: "_Exporter", runtime: Runtime, precision: str) -> Fast:
    """The network in this runtime, if it says there what it says in torch."""
    runtime.refuse_if_missing()
    fast = exporter.fast(runtime, precision)
    if not fast.deviation.within(precision) and exporter.from_disk:  # the architecture's code has changed
        exporter.discard()
        fast = exporter.fast(runtime, precision)
    if not fast.deviation.within(precision):
        raise UnsuitableRuntime(
            f"In {fast.runtime} ({precision}) this network's values are not those of torch: "
            f"{fast.deviation.described}, and {allowed(precision):.0e} is allowed; {CURE}."
        )
    return fast


def _fastest(exporter: "_Exporter") -> Fast | Eager:
    """The quickest of the runtimes that are installed and agree with torch; torch itself among them."""
    reasons, candidates = [], []
    for runtime in _TRIED_BY_AUTO:
        try:
            fast = _checked(exporter, runtime, FLOAT32)
        except (UnsuitableRuntime, MissingExtra) as error:
            if str(error) not in reasons:
                reasons.append(str(error))
            continue
        candidates.append((_seconds(exporter.image, fast.trunk), fast))
    if candidates:
        eager = _seconds(exporter.image, exporter.eager)
        reasons.append(_timings([("eager", eager), *((fast.runtime, taken) for taken, fast in candidates)]))
        taken, fast = min(candidates, key=lambda candidate: candidate[0])
        if taken < eager:
            return replace(fast, reason=" ".join(reasons))
    _log.warning("runtime=auto takes eager: %s", " ".join(reasons))
    return Eager(" ".join(reasons))


def _seconds(image: Tensor, trunk: Trunk) -> float:
    """The shortest of a few wall-clock times of one image."""
    times = []
    for _ in range(_REPEATS):
        started = time.perf_counter()
        trunk(image)
        times.append(time.perf_counter() - started)
    return min(times)


def _timings(measured: Sequence[tuple[str, float]]) -> str:
    return "For one image: " + ", ".join(f"{name} {taken * 1000:.1f} ms" for name, taken in measured) + "."


class _Exporter:
    """A network on its way to runtimes: exported when the first of them needs it, and once for all."""

    def __init__(
        self, network: nn.Module, image: Tensor, cut: Cut, logits: Logits | None, digest: str
    ) -> None:
        self.network, self.image, self.cut, self.logits = network, image, cut, logits
        self.key = kept.key(digest, cut, image) if digest else ""
        self.from_disk = False
        self._kept: kept.Kept | None = None

    def eager(self, image: Tensor) -> Tensor:
        """Plain inference in torch: the logits."""
        return run(self.network, image, self.cut, lambda tensor: tensor, self.logits).logits

    def fast(self, runtime: Runtime, precision: str) -> Fast:
        """The network in this runtime, with how far it is from torch."""
        trunk = self._trunk(runtime, precision)
        parts = self._kept or self._split
        fast = Fast(runtime.described, precision, trunk, parts.head, parts.activation, self.cut.pooled)
        in_torch = partial(run, self.network, cut=self.cut, logits=self.logits)
        deviation = compare(
            self.image,
            lambda images, at_cut: in_torch(images, at_cut=at_cut),
            lambda images, at_cut: fast.run(self.network, images, at_cut),
        )
        return replace(fast, deviation=deviation)

    def discard(self) -> None:
        """What was kept of this model is not what it is now."""
        kept.forget(self.key)
        self._kept, self.from_disk = None, False

    @property
    def onnx(self) -> bytes:
        """The trunk as an ONNX file."""
        return self._from_home_or_new().onnx

    @property
    def graph(self) -> fx.GraphModule:
        """The trunk as torch's graph."""
        return self._split.trunk

    def _trunk(self, runtime: Runtime, precision: str) -> Trunk:
        try:
            return runtime.make(self, precision)
        except UnsuitableRuntime:
            raise
        except Exception as error:  # a foreign runtime may refuse in any way
            raise UnsuitableRuntime(
                f"{runtime.described} does not take this network ({type(error).__name__}: "
                f"{first_line(error)}); {CURE}."
            ) from error

    @cached_property
    def _split(self) -> Split:
        return split(self.network, self.image, self.cut, self.logits)

    def _from_home_or_new(self) -> kept.Kept:
        if self._kept is None and self.key:
            self._kept = kept.load(self.key)
            self.from_disk = self._kept is not None
        if self._kept is None:
            content = onnx_file(self._split)
            if self.key:
                kept.keep(self.key, self._split, content)
            self._kept = kept.Kept(content, self._split.head, self._split.activation)
        return self._kept
