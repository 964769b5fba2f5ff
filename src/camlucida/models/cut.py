"""Where a network is split, and how it is run in two parts.

Everything before the cut runs without a graph. At the cut the tensor can be looked at, made a leaf, or
replaced; everything after it (the head) runs with gradients. The network is left as it was found: training
flags, hooks, gradients, batch-norm statistics and the grad mode, also after an error.

The cut is named in one of two ways: the output of a module ("layer4"), or the d-th tensor that a function
returned after a module's exit ("features.norm5 → relu": DenseNet applies its last ReLU without a module).
"""

import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from threading import Lock, get_ident
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from camlucida.errors import NoTargetLayer, UnsupportedNetwork
from camlucida.models.layout import Layout

Logits = Callable[[Any], Tensor]
"""Takes what the network returns, gives its logits: (batch, finding)."""

_PROBABILITIES = {
    "sigmoid": "sigmoid",
    "sigmoid_": "sigmoid",
    "expit": "sigmoid",
    "special_expit": "sigmoid",
    "logsigmoid": "sigmoid",
    "softmax": "softmax",
    "_softmax": "softmax",
    "log_softmax": "softmax",
    "_log_softmax": "softmax",
}


@dataclass(frozen=True, slots=True)
class Cut:
    """A place at which a network can be split.

    `module` and `exit`: the n-th exit of this module in one forward pass. `call`: 0 for the module's own
    output, d for the tensor that the d-th function call after this exit returned. `grid`, `channels` and
    `findings` (how many logits there are) are those of the example that the cut was found with.
    `stackable` says whether the head takes more rows than the network was given (it does not when it also
    reads earlier tensors, as a U-Net does), `pooled` that it sees no more of a channel than its mean over
    space, so that it can be run on the means alone.
    """

    name: str
    module: str
    exit: int
    call: int
    channels: int
    grid: tuple[int, ...]
    findings: int = 0
    stackable: bool = False
    pooled: bool = False
    layout: Layout | None = None
    why: str = field(default="", compare=False)  # this layer: a sentence's end, for people

    @property
    def keeps_tokens(self) -> bool:
        """Whether the head also gets tokens that are not shown, so that images differ in their bias too."""
        return self.layout is not None and self.layout.prefix > 0


@dataclass(frozen=True, slots=True)
class Output:
    """What a network said: logits (batch, finding), and the function that it put after them, if any.

    `training` are the modules that were in training mode before.
    """

    logits: Tensor
    activation: str | None
    looks_like_probabilities: bool = False
    training: tuple[nn.Module, ...] = ()


def run(
    network: nn.Module,
    inputs: Tensor,
    cut: Cut,
    at_cut: Callable[[Tensor], Tensor],
    logits: Logits | None = None,
    *,
    training: tuple[nn.Module, ...] | None = None,
) -> Output:
    """Run the network and let `at_cut` look at, or replace, the tensor at the cut.

    Gradients are recorded from there on if `at_cut` returns a tensor that requires them. `training` are the
    modules in training mode, where they are known already.

    Raises
    ------
    NoTargetLayer
        The forward pass did not come by the cut (the network has changed since the cut was found).
    """
    passed = graph = False

    def cross(tensor: Tensor) -> Tensor:
        nonlocal passed, graph
        passed = True
        torch.set_grad_enabled(mode=True)
        replaced = at_cut(tensor)
        graph = replaced.requires_grad
        torch.set_grad_enabled(mode=graph)
        return replaced

    with as_it_was(network, training) as was_training, torch.inference_mode(mode=False), torch.no_grad():
        given = inputs.clone()  # a network may work in place on it; not inside, where calls are counted
        with watching(network, cut, cross) as head:
            returned = network(given)
        torch.set_grad_enabled(mode=graph)
        output = read_output(returned, head.probabilities, logits)
    if not passed:
        raise NoTargetLayer(f"The forward pass did not come by “{cut.name}”; find the target layer again.")
    return replace(output, training=was_training)


def run_traced(
    network: nn.Module, inputs: Tensor, cut: Cut, at_cut: Callable[[Tensor], Tensor], logits: Logits | None
) -> tuple[Tensor, str | None]:
    """As `run`, for torch.export: no modes are switched, which a graph would remember, and no value is read.

    Gives the logits, and the function that the network puts after them. For use inside `as_it_was`.
    """
    with watching(network, cut, at_cut) as head:
        returned = network(inputs)
    return _find_logits(returned, head.probabilities, logits)


def run_whole(network: nn.Module, inputs: Tensor, logits: Logits | None = None) -> Output:
    """Run the network with gradients all the way from its input, whatever parts of it are frozen.

    For use inside `as_it_was`, which the backward pass needs too.
    """
    with _Whole(0, lambda tensor: tensor) as whole:
        returned = network(inputs.clone())  # a network may work in place on what it is given
    return read_output(returned, whole.probabilities, logits)


@contextmanager
def as_it_was(
    network: nn.Module, training: tuple[nn.Module, ...] | None = None
) -> Iterator[tuple[nn.Module, ...]]:
    """Evaluation mode inside, and nothing compiled; every module's own training flag afterwards.

    Gives the modules that were in training mode; who knows them already spares the walk over all modules.

    Backward passes belong inside too: a checkpointed part runs forward again in them.
    """
    if training is None:
        training = tuple(module for module in modules(network) if module.training)
    for module in training:
        module.training = False
    try:
        with _UNCOMPILED:
            yield training
    finally:
        for module in training:
            module.training = True


class _Uncompiled:
    """Torch's stance on compiling, which is one for all threads: put back by the last that leaves.

    Two threads that each put back what they had found would leave it as the one had set it for the other.
    """

    def __init__(self) -> None:
        self._lock, self._inside, self._stack = Lock(), 0, ExitStack()

    def __enter__(self) -> None:
        with self._lock:
            # Loading the compiler takes seconds; where it is not loaded, nothing is compiled.
            if not self._inside and "torch._dynamo" in sys.modules:
                self._stack.enter_context(torch.compiler.set_stance("force_eager"))
            self._inside += 1

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._inside -= 1
            if not self._inside:
                self._stack.close()


_UNCOMPILED = _Uncompiled()


def mean_over_space(tensor: Tensor) -> Tensor:
    """(row, channel, *grid) to (row, channel, 1, …)."""
    return tensor.mean(dim=tuple(range(2, tensor.ndim)), keepdim=True)


def modules(network: nn.Module) -> Iterator[nn.Module]:
    """All modules, some perhaps twice; several times faster than `Module.modules()`, and called each time."""
    waiting: list[nn.Module | None] = [network]
    while waiting:
        module = waiting.pop()
        if module is not None:
            yield module
            waiting.extend(module._modules.values())  # noqa: SLF001 - torch's own table of children


def read_output(
    returned: Any, probabilities: dict[str, list[tuple[Tensor, Tensor]]], logits: Logits | None
) -> Output:
    """Find the logits in what a network returned, looking through a final sigmoid or softmax.

    Raises
    ------
    UnsupportedNetwork
        No tensor of shape (batch, finding) is returned; the message says how to point at it.
    """
    table, activation = _find_logits(returned, probabilities, logits)
    return Output(table, activation, activation is None and within_unit_interval(table))


def _find_logits(
    returned: Any, probabilities: dict[str, list[tuple[Tensor, Tensor]]], logits: Logits | None
) -> tuple[Tensor, str | None]:
    """The logits, and the function that was put after them."""
    tensor = _output_tensor(returned, logits)
    for activation, calls in probabilities.items():
        for result, argument in reversed(calls):
            if (tensor is result or tensor._base is result) and argument.numel() == tensor.numel():  # noqa: SLF001 - torch's own name for "is a view of"
                return _as_table(argument.reshape(tensor.shape)), activation
    return _as_table(tensor), None


@contextmanager
def watching(network: nn.Module, cut: Cut, cross: Callable[[Tensor], Tensor]) -> Iterator["_Head"]:
    """Switch the head's function mode on at the right exit, not before: it costs time."""
    if cut.layout is not None:
        cross = cut.layout.around(cross)
    head, exits, thread = _Head(cut.call, cross), 0, get_ident()
    with ExitStack() as stack:
        if not cut.exit:
            yield stack.enter_context(head)
            return

        def at_exit(_module: nn.Module, _inputs: Any, output: Any) -> Any:
            nonlocal exits
            if get_ident() != thread:  # the network is used elsewhere at the same time
                return None
            exits += 1
            if exits != cut.exit:
                return None
            replaced = cross(output) if cut.call == 0 else None
            stack.enter_context(head)
            return replaced

        handle = network.get_submodule(cut.module).register_forward_hook(at_exit)
        stack.callback(handle.remove)
        yield head


class _Head(TorchFunctionMode):
    """Sees every function call of the head: finds the cut among them, and a sigmoid or softmax at the end."""

    def __init__(self, call: int, cross: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.remaining = call
        self.cross = cross
        self.probabilities: dict[str, list[tuple[Tensor, Tensor]]] = {}

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        if switches_gradients(func):
            return None
        if leaves_torch(func):
            args = (args[0].detach(), *args[1:])
        result = func(*args, **(kwargs or {}))
        if not is_activation(result):
            return result
        if self.remaining:
            self.remaining -= 1
            if not self.remaining:
                return self.cross(result)
        note_probabilities(self.probabilities, func, args, kwargs, result)
        return result


class _Whole(_Head):
    """A head that begins at the input; a tensor that the network detaches stays part of the graph."""

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        if function_name(func) == "detach":
            return args[0].clone()
        return super().__torch_function__(func, types, args, kwargs)


def is_activation(result: Any) -> bool:
    """Whether a function's result is counted when calls are counted."""
    return isinstance(result, Tensor) and result.is_floating_point()


def switches_gradients(func: Any) -> bool:
    """Whether this is a network's own no_grad or enable_grad; the cut decides where gradients run."""
    return func is torch._C._set_grad_enabled  # noqa: SLF001 - what no_grad calls, as function modes see it


def leaves_torch(func: Any) -> bool:
    """Whether the values are handed to NumPy, which takes no tensor with a graph.

    A network that detaches them before is right to do so, but here they may be in a graph all the same.
    """
    return function_name(func) in {"numpy", "__array__"}


def function_name(func: Any) -> str:
    """The plain name of a function, method or operator: "relu" for F.relu and aten.relu.default."""
    return str(getattr(func, "__name__", func)).partition(".")[0]


def note_probabilities(
    calls: dict[str, list[tuple[Tensor, Tensor]]],
    func: Any,
    args: tuple[Any, ...],
    kwargs: dict[str, Any] | None,
    result: Tensor,
) -> None:
    """Remember what a sigmoid or softmax was given, so that the logit can be used instead of its result."""
    activation = _PROBABILITIES.get(function_name(func))
    argument = args[0] if args else (kwargs or {}).get("input")
    if activation and isinstance(argument, Tensor) and argument is not result:
        calls.setdefault(activation, []).append((result, argument))


def _output_tensor(returned: Any, logits: Logits | None) -> Tensor:
    tensor = logits(returned) if logits is not None else getattr(returned, "logits", returned)
    if isinstance(tensor, Tensor):
        return tensor
    inside = f" with the keys {', '.join(map(str, tensor))}" if isinstance(tensor, dict) else ""
    raise UnsupportedNetwork(
        f"The network returns a {type(tensor).__name__}{inside}, not a tensor of logits; "
        "say where they are, for example logits=lambda output: output[0]."
    )


def _as_table(tensor: Tensor) -> Tensor:
    if tensor.ndim == 1:
        return tensor[:, None]
    if tensor.ndim == 2:
        return tensor
    raise UnsupportedNetwork(
        f"The network returns shape {tuple(tensor.shape)}, not (batch, finding), as a segmentation does; say "
        "which scalar to explain, for example logits=lambda output: output.flatten(2).mean(2)."
    )


def within_unit_interval(table: Tensor) -> bool:
    """Whether all values could be probabilities."""
    return bool(((table >= 0) & (table <= 1)).all()) and bool((table > 0).any())
