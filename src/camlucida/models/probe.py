"""One forward pass with a graph, in which every tensor is written down: its place, extent and ancestors."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from threading import get_ident
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from camlucida.models.cut import (
    Cut,
    Logits,
    as_it_was,
    function_name,
    is_activation,
    leaves_torch,
    note_probabilities,
    read_output,
    switches_gradients,
)
from camlucida.models.layout import Order
from camlucida.models.spatial_extent import Extent, Given, follow, of_input

_ATTENTION = {"scaled_dot_product_attention", "multi_head_attention_forward"}
_PRODUCTS = {"mul", "multiply", "__mul__", "__rmul__", "matmul", "__matmul__", "bmm", "einsum", "baddbmm",
             "tensordot"}  # fmt: skip
_FEW_TOKENS = 8


@dataclass(frozen=True, slots=True, eq=False)
class Step:
    """A tensor that came by, the ways to name its place, and the function that made it.

    `extent` is None for what does not come from the image.
    """

    tensor: Tensor
    cut: Cut
    names: tuple[str, ...]
    version: int  # counts what was later written into the tensor in place
    extent: Extent | None = None
    function: str = ""
    parents: tuple[int, ...] = ()  # ids of the tensors that it was made of


@dataclass(frozen=True, slots=True)
class Attention:
    """Values were weighted by scores: ids of both tensors, and whether each token asked each."""

    scores: int
    values: int
    among_all: bool


@dataclass(frozen=True, slots=True, eq=False)
class Trace:
    """What one forward pass left."""

    steps: list[Step]
    logits: Tensor
    ancestry: "Ancestry"
    returns_maps: bool = False  # a map for each finding, (batch, finding, *space), as a segmentation does

    def is_class_map(self, step: Step) -> bool:
        """Whether this is the network's answer already, on its way to be returned: a channel a class."""
        return self.returns_maps and step.cut.channels == self.logits.shape[1]


@dataclass(eq=False)
class Ancestry:
    """Which tensor was made of which, by their ids; and which of them attended to each other."""

    parents: dict[int, tuple[int, ...]] = field(default_factory=dict)
    attentions: list[Attention] = field(default_factory=list)
    weights: dict[int, int] = field(default_factory=dict)  # of attention: tensor → the scores it was made of

    def before(self, tensor: int) -> set[int]:
        """All that a tensor was made of, and itself."""
        found, waiting = set(), [tensor]
        while waiting:
            one = waiting.pop()
            if one not in found:
                found.add(one)
                waiting.extend(self.parents.get(one, ()))
        return found

    def record(self, function: str, given: tuple[Tensor, ...], result: Tensor) -> None:
        """Note a function's result, made of the tensors that it was given."""
        known = tuple(id(one) for one in given if id(one) in self.parents and one is not result)
        earlier = self.parents.get(id(result), ()) if any(one is result for one in given) else ()  # in place
        self.parents[id(result)] = (*earlier, *known)
        if function in {"softmax", "_softmax"} and known:
            self.weights[id(result)] = known[0]
            return
        weights = [one for one in known if one in self.weights]
        others = [one for one in known if one not in self.weights]
        if weights and not others:  # dropped out, reshaped, mixed over the heads: weights still
            self.weights[id(result)] = self.weights[weights[0]]
        elif weights and function in _PRODUCTS:
            asked = next(one for one in given if id(one) == weights[0])
            self.attentions.append(Attention(self.weights[weights[0]], others[0], _is_square(asked)))


def _is_square(weights: Tensor) -> bool:
    return weights.ndim >= 3 and weights.shape[-1] == weights.shape[-2] > 1


class Probe(TorchFunctionMode):
    """Writes down every tensor of one forward pass, and after which module's exit it came."""

    def __init__(self, network: nn.Module, image: Tensor) -> None:
        super().__init__()
        self.leaf, self.leaf_exit, self.calls = "", 0, 0
        self.exits: dict[str, int] = {}
        self.steps: list[Step] = []
        self.probabilities: dict[str, list[tuple[Tensor, Tensor]]] = {}
        self.image = image
        self.ancestry = Ancestry({id(image): ()})
        self.extents: dict[int, Extent] = {id(image): of_input(image)}
        self.kept: list[Tensor] = []  # an id is given again when its tensor is gone
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
        if leaves_torch(func):
            return func(args[0].detach(), *args[1:], **(kwargs or {}))
        result, function = func(*args, **(kwargs or {})), function_name(func)
        if function in _ATTENTION:
            self._note_attention(*args[:3], **(kwargs or {}))
        if is_activation(result):
            if function == "detach":  # a frozen part: what follows depends on its output all the same
                result = result.requires_grad_().clone()
            self.calls += 1
            name = f"{self.leaf} → {function}" if self.leaf else function
            self._place(
                function, (args, kwargs), result, Cut(name, self.leaf, self.leaf_exit, self.calls, 0, ())
            )
            note_probabilities(self.probabilities, func, args, kwargs, result)
        else:  # several tensors, as chunk and unbind return: no place to cut, but ancestors
            for part in tensors(result):
                self._follow(function, (args, kwargs), part)
        return result

    def _place(self, function: str, arguments: object, result: Tensor, cut: Cut) -> None:
        extent = self._follow(function, arguments, result)
        parents = self.ancestry.parents.get(id(result), ())
        step = Step(
            result, placed(cut, result, extent), (cut.name,), version(result), extent, function, parents
        )
        self.steps.append(step)

    def _follow(self, function: str, arguments: object, result: Tensor) -> Extent | None:
        """Note of what a tensor was made, and what became of the grid."""
        given = tuple(tensors(arguments))
        if not any(id(one) in self.extents for one in given):
            return None
        self.kept += [result, *given]
        extent = follow(function, [self._given(function, one) for one in given], tuple(result.shape))
        if extent is not None:
            self.extents[id(result)] = extent
            self.ancestry.record(function, given, result)
        return extent

    def _given(self, function: str, tensor: Tensor) -> Given:
        extent = self.extents.get(id(tensor))
        if extent and not extent.layout and function.startswith("cat") and self._is_constant(tensor):
            extent = None
        return Given(extent, tuple(tensor.shape))

    def _is_constant(self, tokens: Tensor) -> bool:
        """Whether a few tokens are the same for every image: a class token, sliced off for a while."""
        if tokens.ndim != 3 or min(tokens.shape[:2]) != 1 or max(tokens.shape[:2]) > _FEW_TOKENS:
            return False
        if not tokens.requires_grad:
            return True
        (gradient,) = torch.autograd.grad(tokens.sum(), self.image, retain_graph=True, allow_unused=True)
        return gradient is None or not bool(gradient.any())

    def _note_attention(self, query: Tensor, key: Tensor, value: Tensor, **_: object) -> None:
        if id(value) in self.extents:
            self.ancestry.attentions.append(Attention(id(key), id(value), query.shape == key.shape))

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
        extent = self.extents.get(id(output))
        cut = placed(Cut(path, path, self.exits[path], 0, 0, ()), output, extent)
        last = self.steps[-1] if self.steps else None
        if last is not None and last.tensor is output:
            names = (*last.names, path)
            self.steps[-1] = Step(output, cut, names, version(output), extent, last.function, last.parents)
        else:
            self.steps.append(Step(output, cut, (path,), version(output), extent))


def probe(network: nn.Module, example: Tensor, logits: Logits | None) -> Trace:
    """Run the network once, (1, channel, *space), and write everything down."""
    with as_it_was(network), ExitStack() as stack:
        inputs = example.detach().clone().requires_grad_() * 1.0  # no leaf: the network may work in place
        watching = Probe(network, inputs)
        for handle in watching.handles:
            stack.callback(handle.remove)
        with watching:
            returned = network(inputs)
        output = read_output(returned, watching.probabilities, _everywhere(logits))
        maps = any(
            tensor.ndim == example.ndim and tensor.shape[1] == output.logits.shape[1]
            for tensor in tensors(returned)
        )
        return Trace(watching.steps, output.logits, watching.ancestry, maps)


def tensors(nest: Any) -> Iterator[Tensor]:
    """The tensors in what a function was given or returned: itself, or those of dicts, lists and tuples."""
    if isinstance(nest, Tensor):
        yield nest
    elif isinstance(nest, Mapping):
        yield from tensors(list(nest.values()))
    elif isinstance(nest, list | tuple):
        for one in nest:
            yield from tensors(one)


def version(tensor: Tensor) -> int:
    """How often the tensor was written to in place."""
    return -1 if tensor.is_inference() else tensor._version  # noqa: SLF001 - torch's own count of writes


def placed(cut: Cut, tensor: Tensor, extent: Extent | None) -> Cut:
    """The cut with the size of what is seen there."""
    layout = extent.layout if extent and extent.is_map else None
    if layout is None or layout.order is Order.CHANNELS_FIRST:
        channels = tensor.shape[1] if tensor.ndim > 1 else 1
        return replace(cut, channels=channels, grid=tuple(tensor.shape[2:]))
    return replace(cut, channels=layout.channels(tuple(tensor.shape)), grid=layout.grid, layout=layout)


def _everywhere(logits: Logits | None) -> Logits | None:
    """The layer is the same whichever region is asked about, so it is looked for with all of the output."""
    whole: Logits | None = getattr(logits, "everywhere", logits)
    return whole
