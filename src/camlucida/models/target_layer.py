"""Which layer carries the map: the last one that still knows where things are.

One probing forward pass with a graph looks at every tensor that a function or a module returned, and takes
the last that has spatial extent and on most of whose positions the output depends. Found on: ResNet,
DenseNet (after its functional ReLU), EfficientNet, SqueezeNet, VGG, 3D networks.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from difflib import get_close_matches
from threading import get_ident
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from camlucida.errors import NoTargetLayer, UnsuitableImage, UnsupportedNetwork
from camlucida.models.cut import (
    Cut,
    Logits,
    as_it_was,
    function_name,
    is_activation,
    mean_over_space,
    note_probabilities,
    read_output,
    run,
    switches_gradients,
)
from camlucida.models.limits import explainable

_ATTENTION = {"scaled_dot_product_attention", "multi_head_attention_forward"}
_CUT_OFF = (
    "the output does not use it, or the network's forward keeps gradients away from it (inference_mode, or "
    "checkpoint with use_reentrant=True, which can be switched off)."
)
_MOST = 0.5  # share of positions on which the output has to depend


def find_cut(
    network: nn.Module, example: Tensor, layer: str | None = None, *, logits: Logits | None = None
) -> Cut:
    """Find where to split a network: at `layer`, or at the last layer with spatial extent.

    Parameters
    ----------
    example
        One input or more, (batch, channel, *space), of the size that will be explained.
    layer
        A module's path ("layer4.1"), or a name that an earlier cut was given.

    Raises
    ------
    NoTargetLayer
        There is no such layer, or none with spatial extent that the output depends on.
    UnsupportedNetwork
        The network cannot be split at all; the sentence says why.
    """
    network = explainable(network)
    _refuse_inference_weights(network)
    # Whatever mode the caller is in.
    with as_it_was(network), torch.inference_mode(mode=False), torch.enable_grad():
        trace = _probe(network, example[:1], logits)
        candidates = [step for step in trace.steps if _spatial(step.tensor, example)]
        chosen = (
            _named(candidates, network, layer)
            if layer
            else _last_that_matters(
                [step for step in candidates if not trace.is_class_map(step.tensor)],
                trace,
                lambda step: _met_again(network, example, step, logits),
            )
        )
        if layer and not _met_again(network, example, chosen, logits):
            raise NoTargetLayer(f"No gradient comes from the output back to “{layer}”: {_CUT_OFF}")
    return _completed(network, example, chosen, trace, logits)


def candidates(network: nn.Module, example: Tensor, *, logits: Logits | None = None) -> tuple[Cut, ...]:
    """The layers worth comparing, early to late: of each grid size the last tensor that the output needs.

    The last one is what `find_cut` chooses. A name that other tensors have too ("relu" of a shared module) is
    followed by which of its calls is meant; hand over the cut itself, not its name.

    Raises
    ------
    NoTargetLayer, UnsupportedNetwork
        As `find_cut`.
    """
    last = find_cut(network, example, logits=logits)
    network = explainable(network)
    with as_it_was(network), torch.inference_mode(mode=False), torch.enable_grad():
        trace = _probe(network, example[:1], logits)
        spatial = [step for step in trace.steps if _spatial(step.tensor, example)]
        before = spatial[: _place_of(last, spatial)]
        chosen = list(_last_of_each_grid(before, trace, last.grid))
        earlier = [step for step in chosen if _met_again(network, example, step, logits)]
    cuts = [_completed(network, example, step, trace, logits) for step in reversed(earlier)]
    return (*(replace(cut, name=_unambiguous(cut, spatial)) for cut in cuts), last)


@dataclass(frozen=True, slots=True, eq=False)
class _Step:
    """A tensor that came by, the ways to name its place, and the function that made it."""

    tensor: Tensor
    cut: Cut
    names: tuple[str, ...]
    version: int  # counts what was later written into the tensor in place


@dataclass(frozen=True, slots=True, eq=False)
class _Trace:
    steps: list[_Step]
    logits: Tensor
    attention: int  # how many steps there were before the last attention
    returns_maps: bool = False  # a map for each finding, (batch, finding, *space), as a segmentation does

    def is_class_map(self, tensor: Tensor) -> bool:
        """Whether this is the network's answer already, on its way to be returned: a channel a class."""
        return self.returns_maps and tensor.shape[1] == self.logits.shape[1]

    def attends_after(self, step: _Step) -> bool:
        """Whether tokens attended to each other after this tensor last came by."""
        places = [place for place, other in enumerate(self.steps) if other.tensor is step.tensor]
        return places[-1] < self.attention


class _Probe(TorchFunctionMode):
    """Writes down every tensor of one forward pass, and after which module's exit it came."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.leaf, self.leaf_exit, self.calls, self.attention = "", 0, 0, 0
        self.exits: dict[str, int] = {}
        self.steps: list[_Step] = []
        self.probabilities: dict[str, list[tuple[Tensor, Tensor]]] = {}
        self.handles = [
            module.register_forward_hook(self._at_exit(path, leaf=not any(module.children())))
            for path, module in network.named_modules()
            if path
        ]

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        if switches_gradients(func):
            return None
        result, function = func(*args, **(kwargs or {})), function_name(func)
        if _attends(function, result):
            self.attention = len(self.steps)
        if is_activation(result):
            if function == "detach":  # a frozen part: what follows depends on its output all the same
                result = result.requires_grad_().clone()
            self.calls += 1
            name = f"{self.leaf} → {function}" if self.leaf else function
            cut = Cut(name, self.leaf, self.leaf_exit, self.calls, *_size(result))
            self.steps.append(_Step(result, cut, (name,), _version(result)))
            note_probabilities(self.probabilities, func, args, kwargs, result)
        return result

    def _at_exit(self, path: str, *, leaf: bool) -> Any:
        thread = get_ident()

        def hook(_module: nn.Module, _inputs: Any, output: Any) -> None:
            if get_ident() != thread:  # the network is used elsewhere at the same time
                return
            self.exits[path] = self.exits.get(path, 0) + 1
            if leaf:
                self.leaf, self.leaf_exit, self.calls = path, self.exits[path], 0
            if isinstance(output, Tensor) and is_activation(output):
                self._name_after(path, output)

        return hook

    def _name_after(self, path: str, output: Tensor) -> None:
        """A module's own output is named after the module; of several, after the outermost."""
        cut = Cut(path, path, self.exits[path], 0, *_size(output))
        last = self.steps[-1] if self.steps else None
        if last is not None and last.tensor is output:
            self.steps[-1] = _Step(output, cut, (*last.names, path), _version(output))
        else:
            self.steps.append(_Step(output, cut, (path,), _version(output)))


def _probe(network: nn.Module, example: Tensor, logits: Logits | None) -> _Trace:
    with as_it_was(network), ExitStack() as stack:
        probe = _Probe(network)
        for handle in probe.handles:
            stack.callback(handle.remove)
        inputs = example.detach().clone().requires_grad_() * 1.0  # no leaf: the network may work in place
        with probe:
            returned = network(inputs)
        output = read_output(returned, probe.probabilities, _everywhere(logits))
        maps = any(
            tensor.ndim == example.ndim and tensor.shape[1] == output.logits.shape[1]
            for tensor in _tensors(returned)
        )
        return _Trace(probe.steps, output.logits, probe.attention, maps)


def _everywhere(logits: Logits | None) -> Logits | None:
    """The layer is the same whichever region is asked about, so it is looked for with all of the output."""
    whole: Logits | None = getattr(logits, "everywhere", logits)
    return whole


def _tensors(returned: Any) -> Iterator[Tensor]:
    """The tensors in what a network returned: itself, or those of a dict, a list or a tuple."""
    inner = returned.values() if isinstance(returned, Mapping) else returned
    for one in inner if isinstance(returned, Mapping | list | tuple) else (returned,):
        if isinstance(one, Tensor):
            yield one


def _completed(network: nn.Module, example: Tensor, step: _Step, trace: _Trace, logits: Logits | None) -> Cut:
    cut = replace(step.cut, findings=trace.logits.shape[1])
    stackable = _stackable(network, example[:2], cut, logits)
    return replace(cut, stackable=stackable, pooled=stackable and _pooled(network, example[:1], cut, logits))


def _place_of(cut: Cut, steps: list[_Step]) -> int:
    """Where a cut that was found before stands among the steps of another run."""
    places = [
        place
        for place, step in enumerate(steps)
        if (step.cut.module, step.cut.exit, step.cut.call) == (cut.module, cut.exit, cut.call)
    ]
    return places[-1] if places else len(steps)


def _last_of_each_grid(steps: list[_Step], trace: _Trace, known: tuple[int, ...]) -> Iterator[_Step]:
    """Late to early: of each grid size but the known one, the last tensor that the output depends on."""
    scalar, seen = _scalar(trace), {known}
    for step in _distinct(reversed(steps)):
        if (
            step.cut.grid not in seen
            and not trace.is_class_map(step.tensor)
            and _matters(scalar, step.tensor)
        ):
            seen.add(step.cut.grid)
            yield step


def _unambiguous(cut: Cut, steps: list[_Step]) -> str:
    """The cut's name; where later tensors have the same, with the number of its call."""
    same = [step.cut for step in steps if step.cut.name == cut.name]
    places = [(other.exit, other.call) for other in same]
    place = places.index((cut.exit, cut.call))
    return cut.name if place == len(places) - 1 else f"{cut.name} (call {place + 1} of {len(places)})"


def _last_that_matters(candidates: list[_Step], trace: _Trace, met_again: Callable[[_Step], bool]) -> _Step:
    """The last spatial tensor on most of whose positions the output depends."""
    if not trace.logits.requires_grad:
        raise NoTargetLayer("The output does not depend on the input by any differentiable path.")
    scalar = _scalar(trace)
    for step in _distinct(reversed(candidates)):
        if _matters(scalar, step.tensor) and met_again(step):
            _refuse_attention(step, trace)
            return step
    raise NoTargetLayer(
        "No layer with spatial extent was found on which the output depends: the network has only dense "
        "layers, its last layer is zero (not trained yet), or its forward keeps gradients away "
        "(inference_mode, or checkpoint with use_reentrant=True). Name a layer with target_layer=… to look "
        "anyway."
    )


def _scalar(trace: _Trace) -> Tensor:
    """All logits in one number, each with a weight of its own, so that they cannot cancel each other."""
    weights = torch.linspace(1.0, 2.0, trace.logits.numel(), device=trace.logits.device)
    return (trace.logits * weights.reshape(trace.logits.shape)).sum()


def _matters(scalar: Tensor, tensor: Tensor) -> bool:
    """Whether the output depends on most of a tensor's positions."""
    if not tensor.requires_grad:
        return False
    gradient = _gradient(scalar, tensor)
    return gradient is not None and bool((gradient != 0).any(dim=1).float().mean() > _MOST)


def _gradient(scalar: Tensor, tensor: Tensor) -> Tensor | None:
    try:
        (gradient,) = torch.autograd.grad(scalar, tensor, retain_graph=True, allow_unused=True)
    except RuntimeError as error:
        raise UnsupportedNetwork(
            f"The network's backward pass fails: {str(error).partition(chr(10))[0]} Where the network "
            "checkpoints, switch that off."
        ) from error
    return gradient


def _met_again(network: nn.Module, example: Tensor, step: _Step, logits: Logits | None) -> bool:
    """Whether a run without a graph comes by the same tensor, and the output's gradient comes back to it.

    Functions may be called only while a graph is built (the views of full backward hooks), so a place that
    was found by counting calls is looked at again.
    """
    leaves: list[Tensor] = []

    def at_cut(tensor: Tensor) -> Tensor:
        leaves.append(tensor.detach().clone().requires_grad_())
        return leaves[0].clone()

    try:
        output = run(network, example[:1], step.cut, at_cut, logits)
    except NoTargetLayer:
        return False
    if not output.logits.requires_grad or not _same(leaves[0], step):
        return False
    (gradient,) = torch.autograd.grad(output.logits.sum(), leaves[0], allow_unused=True)
    return gradient is not None


def _same(tensor: Tensor, step: _Step) -> bool:
    if step.cut.call == 0 or step.version != _version(step.tensor):
        return tensor.shape == step.tensor.shape
    return tensor.shape == step.tensor.shape and torch.allclose(
        tensor, step.tensor, rtol=1e-3, atol=1e-5, equal_nan=True
    )


def _named(candidates: list[_Step], network: nn.Module, layer: str) -> _Step:
    for step in reversed(candidates):
        if layer in step.names:
            by_module = layer in dict(network.named_modules())
            return replace(step, cut=replace(step.cut, name=layer)) if by_module else step
    modules = [path for path, _ in network.named_modules() if path]
    if layer in modules:
        raise NoTargetLayer(
            f"The layer “{layer}” returns no tensor with spatial extent; name a layer before the pooling."
        )
    near = get_close_matches(layer, [name for step in candidates for name in step.names], n=3, cutoff=0.0)
    raise NoTargetLayer(f"The network has no layer “{layer}”; near to it are: {', '.join(near)}.")


def _refuse_attention(step: _Step, trace: _Trace) -> None:
    if trace.attends_after(step):
        raise NoTargetLayer(
            f"After its last spatial layer (“{step.cut.name}”) the network is a transformer, whose "
            "tokens are not mapped by this version; name a target_layer to explain up to there all the same."
        )


def _attends(function: str, result: Any) -> bool:
    """Attention by name, or written out: a softmax over tokens for each token, (…, token, token)."""
    by_hand = function == "softmax" and result.ndim >= 3 and result.shape[-1] == result.shape[-2] > 1
    return function in _ATTENTION or by_hand


def _refuse_inference_weights(network: nn.Module) -> None:
    if any(parameter.is_inference() for parameter in network.parameters()):
        raise UnsupportedNetwork(
            "The network's weights were made inside torch.inference_mode, and never take part in gradients; "
            "load the network outside of it."
        )


def _stackable(network: nn.Module, example: Tensor, cut: Cut, logits: Logits | None) -> bool:
    """Whether the head takes a second row beside the network's own, and answers both as if alone.

    The second row is another one, so that a head that mixes its rows (a norm over the batch) is found out.
    """

    def other(tensor: Tensor) -> Tensor:
        return tensor.flip(1) * 2 + 1

    rows = [run(network, example, cut, row, logits).logits for row in (lambda tensor: tensor, other)]
    try:
        both = run(network, example, cut, lambda tensor: torch.cat([tensor, other(tensor)]), logits).logits
    except (RuntimeError, ValueError, IndexError):  # shapes do not fit: this is the answer, not a failure
        return False
    alone = torch.cat(rows)
    return both.shape == alone.shape and torch.allclose(both, alone, rtol=1e-4, atol=1e-5)


def _pooled(network: nn.Module, example: Tensor, cut: Cut, logits: Logits | None) -> bool:
    """Whether the head gives the same for random activations as for their means over space alone."""
    generator = torch.Generator().manual_seed(0)

    def noise(tensor: Tensor) -> Tensor:
        random = torch.randn((2, *tensor.shape[1:]), generator=generator, dtype=torch.float32)
        return (random + torch.rand((2, *tensor.shape[1:]), generator=generator)).to(tensor)

    def means(tensor: Tensor) -> Tensor:
        return mean_over_space(noise(tensor))

    whole = run(network, example, cut, noise, logits).logits
    generator.manual_seed(0)
    try:
        pooled = run(network, example, cut, means, logits).logits
    except (RuntimeError, ValueError, IndexError, UnsuitableImage):  # it wants its grid: this is the answer
        return False
    return pooled.shape == whole.shape and torch.allclose(pooled, whole, rtol=1e-4, atol=1e-5)


def _spatial(tensor: Tensor, example: Tensor) -> bool:
    """Channels first, more than one cell, and shrunk by about the same factor along every axis."""
    if tensor.ndim != example.ndim or tensor.shape[0] != 1 or tensor[0, 0].numel() < 2:
        return False
    pairs = list(zip(tensor.shape[2:], example.shape[2:], strict=True))
    # Padding and rounding may win or lose a cell, so a stride is known only between two bounds.
    lowest = max(size / (cells + 1) for cells, size in pairs)
    highest = min(size / max(cells - 1, 0.5) for cells, size in pairs)
    anisotropy = 1 if len(pairs) == 2 else 32  # 3D networks often keep more slices than rows
    return all(cells <= size + 1 for cells, size in pairs) and lowest <= highest * anisotropy


def _distinct(steps: Iterable[_Step]) -> Iterator[_Step]:
    seen: set[int] = set()
    for step in steps:
        if id(step.tensor) not in seen:
            seen.add(id(step.tensor))
            yield step


def _version(tensor: Tensor) -> int:
    return -1 if tensor.is_inference() else tensor._version  # noqa: SLF001 - torch's own count of writes


def _size(tensor: Tensor) -> tuple[int, tuple[int, ...]]:
    return (tensor.shape[1] if tensor.ndim > 1 else 1), tuple(tensor.shape[2:])
