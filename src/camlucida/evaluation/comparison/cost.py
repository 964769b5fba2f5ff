"""What a method costs beside the inference that it explains: time, passes through the network, and memory.

Everything is measured here and now, on the user's network, image and machine: time by the processor's clock
and as a ratio to plain inference, taken turn by turn, so that a busy machine slows both.
"""

import weakref
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from statistics import median
from time import perf_counter, process_time
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from camlucida.errors import CamlucidaError
from camlucida.evaluation.measures import Better, Measure, Topic
from camlucida.evaluation.sanity.cascade import steps
from camlucida.saliency.known_networks import known
from camlucida.saliency.methods import METHODS, find_method
from camlucida.saliency.recording import Recording
from camlucida.saliency.subject import Subject

TURNS = 5
"""How often a cheap method is timed on each image; the quickest counts, as others were disturbed."""

DEAR = 50.0
"""Inferences: a method that takes longer is timed once, on one image."""

_SOURCE = "measured on these images and this machine, for all of the model's findings together"

MEASURES = (
    Measure(
        "cost.time",
        "Time",
        Topic.COST,
        Better.LOWER,
        "Processor time of an image's maps with the inference that they explain, by that of plain inference "
        "alone: 1 would be maps for nothing.",
        _SOURCE,
        "inferences",
        1,
    ),
    Measure(
        "cost.forward",
        "Forward passes",
        Topic.COST,
        Better.LOWER,
        "How many images go through the whole network for the maps of one.",
        _SOURCE,
        digits=0,
    ),
    Measure(
        "cost.backward",
        "Backward passes",
        Topic.COST,
        Better.LOWER,
        "How many gradients go back through the whole network; 0 where none does, or only through the head.",
        _SOURCE,
        digits=0,
    ),
    Measure(
        "cost.memory",
        "Memory added",
        Topic.COST,
        Better.LOWER,
        "By how much the tensors that are alive at once exceed those of plain inference. Workspace inside "
        "one operation is not seen.",
        _SOURCE,
        "MB",
        1,
    ),
)


@dataclass(frozen=True, slots=True)
class Cost:
    """What one method costs for an image, with all findings together.

    `time` is processor time by that of plain inference, `seconds` the time itself. `forward` and `backward`
    count images through the whole network, `head` rows of activations through the head alone. `memory` in
    bytes, beside plain inference. `error` says why the method has no maps of this network; nothing else then
    has a meaning.
    """

    method: str
    time: float = 0.0
    seconds: float = 0.0
    forward: int = 0
    backward: int = 0
    head: int = 0
    memory: int = 0
    error: str = ""


def costs(
    subjects: Sequence[Subject],
    methods: Sequence[str],
    progress: Callable[[int, int], None] | None = None,
) -> tuple[Cost, ...]:
    """What each method costs on some images of one network: medians over the images, of a dear one the first.

    Raises
    ------
    UnknownMethod
        There is no such method.
    """
    keys = tuple(dict.fromkeys(find_method(name)[0] for name in methods))
    found = []
    with known(subjects[0].network).alone:
        for done, key in enumerate(keys, 1):
            found.append(_cost(subjects, key))
            if progress is not None:
                progress(done, len(keys))
    return tuple(found)


def _cost(subjects: Sequence[Subject], key: str) -> Cost:
    try:
        passes, memory = _passes_and_memory(subjects[0], key)
        times = [_time(subjects[0], key)]
        if times[0][0] <= DEAR:
            times += [_time(subject, key) for subject in subjects[1:]]
    except CamlucidaError as error:
        return Cost(key, error=str(error))
    return Cost(
        key,
        median(ratio for ratio, _ in times),
        median(seconds for _, seconds in times),
        passes.forward,
        passes.backward,
        passes.head - passes.forward,
        max(0, memory - _peak(subjects[0], lambda: infer(subjects[0]))),
    )


def infer(subject: Subject) -> None:
    """Plain inference of the subject's images."""
    with torch.inference_mode():
        subject.network(subject.inputs)


def explain(subject: Subject, key: str) -> None:
    """Inference and a method's maps of all findings, from the network on: no file, no trust report."""
    recording = Recording(
        subject.network, subject.inputs, subject.cut, None, subject.logits, training=subject.training
    )
    method = METHODS[key]
    method.compute(recording, variant=method.variants[0], progress=None)


def _time(subject: Subject, key: str) -> tuple[float, float]:
    """By plain inference, and in seconds."""
    infer(subject)
    plain = min(_clocked(subject, lambda: infer(subject)) for _ in range(TURNS))
    took = _clocked(subject, lambda: explain(subject, key))
    turns = 0 if took > DEAR * plain else TURNS - 1
    for _ in range(turns):
        plain = min(plain, _clocked(subject, lambda: infer(subject)))
        took = min(took, _clocked(subject, lambda: explain(subject, key)))
    return took / plain, took


def _clocked(subject: Subject, run: Callable[[], None]) -> float:
    """Seconds of the processor; of the clock where another device computes."""
    device = subject.inputs.device
    if device.type != "cuda":
        start = process_time()
        run()
        return process_time() - start
    torch.cuda.synchronize(device)
    start = perf_counter()
    run()
    torch.cuda.synchronize(device)
    return perf_counter() - start


@dataclass
class _Passes:
    forward: int = 0
    backward: int = 0
    head: int = 0


def _passes_and_memory(subject: Subject, key: str) -> tuple[_Passes, int]:
    with _counting(subject) as passes:
        memory = _peak(subject, lambda: explain(subject, key))
    return passes, memory


@contextmanager
def _counting(subject: Subject) -> Iterator[_Passes]:
    """Counts what goes through the first and the last layer with weights, forward and backward."""
    order = steps(subject.network, lambda: infer(subject))
    first, last = order[-1].layers[-1], order[0].layers[0]
    passes = _Passes()

    def at_first(_: nn.Module, given: tuple[Any, ...], output: Any) -> None:
        passes.forward += len(given[0])
        if isinstance(output, Tensor) and output.requires_grad:
            output.register_hook(back)  # type: ignore[no-untyped-call]  # torch has no types for it

    def back(gradient: Tensor) -> None:
        passes.backward += len(gradient)

    def at_last(_: nn.Module, given: tuple[Any, ...], __: Any) -> None:
        passes.head += len(given[0])

    handles = [
        subject.network.get_submodule(first).register_forward_hook(at_first),
        subject.network.get_submodule(last).register_forward_hook(at_last),
    ]
    try:
        yield passes
    finally:
        for handle in handles:
            handle.remove()


def _peak(subject: Subject, run: Callable[[], None]) -> int:
    """Bytes of the tensors that were alive at once, without the network and its input."""
    there = [*subject.network.parameters(), *subject.network.buffers(), subject.inputs]
    alive = _Alive(there)
    with alive:
        run()
    return alive.most


class _Alive(TorchDispatchMode):  # type: ignore[no-untyped-call]  # torch has no types for it
    """Sees every tensor that an operation gives, and when its storage is freed."""

    most: int

    def __init__(self, there: Sequence[Tensor]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # as above
        self.most, self._now = 0, 0
        self._kept = {tensor.untyped_storage()._cdata for tensor in there}  # noqa: SLF001 - its identity

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        given = func(*args, **(kwargs or {}))
        for tensor in tree_leaves(given):
            if isinstance(tensor, Tensor):
                self._meet(tensor.untyped_storage())
        return given

    def _meet(self, storage: torch.UntypedStorage) -> None:
        identity, size = storage._cdata, storage.nbytes()  # noqa: SLF001 - as above
        if identity in self._kept:
            return
        self._kept.add(identity)
        self._now += size
        self.most = max(self.most, self._now)
        weakref.finalize(storage, self._free, identity, size)

    def _free(self, identity: int, size: int) -> None:
        self._kept.discard(identity)
        self._now -= size
