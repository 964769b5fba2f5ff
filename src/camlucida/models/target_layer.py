"""Which layer carries the map: the last one that still knows where things are.

One probing forward pass with a graph looks at every tensor that a function or a module returned, and takes
the last that has spatial extent and on most of whose positions the output depends: what a CNN pools, the
tokens that a vision transformer's last attention is given, the last norm of Swin. Attention weights, and what
is made for one side of an attention only (queries, keys, values), are passed over.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from difflib import get_close_matches

import torch
from torch import Tensor, nn

from camlucida.errors import NoTargetLayer, UnsuitableImage, UnsupportedNetwork
from camlucida.models.cut import Cut, Logits, as_it_was, mean_over_space, run, run_whole
from camlucida.models.layout import Layout, Order
from camlucida.models.limits import explainable
from camlucida.models.probe import Step, Trace, probe, version
from camlucida.models.spatial_extent import proportional

_CUT_OFF = (
    "the output does not use it, or the network's forward keeps gradients away from it (inference_mode, or "
    "checkpoint with use_reentrant=True, which can be switched off)."
)
_MOST = 0.5  # share of positions on which the output has to depend
_ADDITIONS = {"add", "add_", "__add__", "__iadd__", "__radd__"}
_SAME_VALUES = {
    "view",
    "reshape",
    "flatten",
    "permute",
    "transpose",
    "contiguous",
    "movedim",
    "__get__",
    "__getitem__",
}


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
        trace = probe(network, example[:1], logits)
        _refuse_chance(network, example, trace, logits)
        steps = _with_extent(trace, example)
        if layer:
            chosen = _named(steps, network, layer)
            _refuse_without_gradient(chosen, trace, met_again=_met_again(network, example, chosen, logits))
        else:
            chosen = _last_that_matters(steps, trace, lambda step: _met_again(network, example, step, logits))
    cut = _completed(network, example, chosen, trace, logits)
    return replace(cut, why=_why(cut, named=layer is not None))


def candidates(network: nn.Module, example: Tensor, *, logits: Logits | None = None) -> tuple[Cut, ...]:
    """The layers worth comparing, early to late: of each grid size the last tensor that the output needs.

    Where the network keeps one grid (a transformer, dilated convolutions), some modules in between.
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
        trace = probe(network, example[:1], logits)
        spatial = _with_extent(trace, example)
        before = spatial[: _place_of(last, spatial)]
        chosen = list(_last_of_each_grid(before, trace, last.grid)) or _spread(before, trace, last)
        earlier = [step for step in chosen if _met_again(network, example, step, logits)]
    cuts = [_completed(network, example, step, trace, logits) for step in reversed(earlier)]
    return (*(replace(cut, name=_unambiguous(cut, spatial)) for cut in cuts), last)


def _completed(network: nn.Module, example: Tensor, step: Step, trace: Trace, logits: Logits | None) -> Cut:
    cut = replace(step.cut, findings=trace.logits.shape[1])
    stackable = _stackable(network, example[:2], cut, logits)
    return replace(cut, stackable=stackable, pooled=stackable and _pooled(network, example[:1], cut, logits))


def _place_of(cut: Cut, steps: list[Step]) -> int:
    """Where a cut that was found before stands among the steps of another run."""
    places = [
        place
        for place, step in enumerate(steps)
        if (step.cut.module, step.cut.exit, step.cut.call) == (cut.module, cut.exit, cut.call)
    ]
    return places[-1] if places else len(steps)


def _last_of_each_grid(steps: list[Step], trace: Trace, known: tuple[int, ...]) -> Iterator[Step]:
    """Late to early: of each grid size but the known one, the last tensor that the output depends on."""
    scalar, seen = _scalar(trace), {known}
    for step in _distinct(reversed(steps)):
        if step.cut.grid not in seen and not trace.is_class_map(step) and _matters(scalar, step):
            seen.add(step.cut.grid)
            yield step


def _spread(steps: list[Step], trace: Trace, last: Cut) -> list[Step]:
    """Late to early: of the modules that give as much as the last layer, those at quarters of the way.

    Of blocks and their parts the blocks, whose output all that follows is made of.
    """
    scalar = _scalar(trace)
    like = [
        step
        for step in _distinct(reversed(steps))
        if (step.cut.call, step.cut.channels) == (0, last.channels) and _matters(scalar, step)
    ]
    depths = [step.cut.module.count(".") for step in like]
    level = next((depth for depth in sorted(set(depths)) if depths.count(depth) > 1), 0)
    outer = [step for step, depth in zip(like, depths, strict=True) if depth == level]
    quarters = {len(outer) * part // 4 for part in (1, 2, 3)}
    return [step for place, step in enumerate(outer) if place in quarters]


def _unambiguous(cut: Cut, steps: list[Step]) -> str:
    """The cut's name; where later tensors have the same, with the number of its call."""
    same = [step.cut for step in steps if step.cut.name == cut.name]
    places = [(other.exit, other.call) for other in same]
    place = places.index((cut.exit, cut.call))
    return cut.name if place == len(places) - 1 else f"{cut.name} (call {place + 1} of {len(places)})"


def _with_extent(trace: Trace, example: Tensor) -> list[Step]:
    """The steps that have spatial extent, as they are followed through the functions of the network.

    Where nothing attends, a shape says enough, also behind functions through which nothing can be followed.
    """
    weights, attends = trace.ancestry.weights, bool(trace.ancestry.attentions)
    return [
        step
        for step in trace.steps
        if id(step.tensor) not in weights
        and ((step.extent and step.extent.is_map) or (not attends and _looks_spatial(step.tensor, example)))
    ]


def _looks_spatial(tensor: Tensor, example: Tensor) -> bool:
    """Channels first, and shrunk by about the same factor along every axis."""
    same = tensor.ndim == example.ndim and tensor.shape[0] == 1
    return same and proportional(tuple(tensor.shape[2:]), tuple(example.shape[2:]))


def _last_that_matters(steps: list[Step], trace: Trace, met_again: Callable[[Step], bool]) -> Step:
    """The last spatial tensor on most of whose positions the output depends."""
    if not trace.logits.requires_grad:
        raise NoTargetLayer("The output does not depend on the input by any differentiable path.")
    scalar, sides = _scalar(trace), _sides(trace)
    for step in _distinct(reversed(steps)):
        one_sided = trace.is_class_map(step) or _is_one_sided(step, sides, trace)
        if not one_sided and _matters(scalar, step) and met_again(step):
            _refuse_a_transformer_to_come(step, sides)
            plainer = _before_it_was_moved(step, steps)
            return plainer if plainer is step or met_again(plainer) else step
    raise NoTargetLayer(
        "No layer with spatial extent was found on which the output depends: the network has only dense "
        "layers, its last layer is zero (not trained yet), or its forward keeps gradients away "
        "(inference_mode, or checkpoint with use_reentrant=True). Name a layer with target_layer=… to look "
        "anyway."
    )


_Side = tuple[set[int], set[int], bool]  # of an attention: what its scores and its values were made of


def _sides(trace: Trace) -> list[_Side]:
    before = trace.ancestry.before
    return [(before(one.scores), before(one.values), one.among_all) for one in trace.ancestry.attentions]


def _is_one_sided(step: Step, sides: list[_Side], trace: Trace) -> bool:
    """Whether this tensor serves an attention's scores or its values only, or is both packed together."""
    tensor = id(step.tensor)
    if any((tensor in scores) != (tensor in values) for scores, values, _ in sides):
        return True
    attended = any(tensor in values for _, values, _ in sides)
    return attended and step.cut.layout is not None and not _has_residual_width(step, trace)


def _has_residual_width(step: Step, trace: Trace) -> bool:
    """Whether it is as wide as the stream that blocks add to; queries, keys and values packed are wider."""
    shape = step.tensor.shape
    streams = {
        other.tensor.shape
        for other in trace.steps
        if other.function in _ADDITIONS and len(other.parents) > 1 and other.tensor.shape[:-1] == shape[:-1]
    }
    return not streams or shape in streams


def _before_it_was_moved(step: Step, steps: list[Step]) -> Step:
    """The same values where a layer returned them, before they were flattened or their axes changed."""
    last = {id(other.tensor): other for other in steps}
    while step.cut.call and step.function in _SAME_VALUES and step.parents and step.parents[0] in last:
        parent = last[step.parents[0]]
        if parent.tensor.numel() != step.tensor.numel() or parent.version != version(parent.tensor):
            break
        step = parent
    return step


def _refuse_a_transformer_to_come(step: Step, sides: list[_Side]) -> None:
    """Tokens that attend to each other time and again after the last layer that could be followed."""
    to_come = sum(among_all and id(step.tensor) in values for _, values, among_all in sides)
    if to_come > 1:
        raise NoTargetLayer(
            f"After “{step.cut.name}”, the last layer with spatial extent, come {to_come} layers of "
            "attention whose tokens lie in an order that camlucida does not know; name a target_layer to "
            "explain up to there all the same."
        )


def _refuse_without_gradient(step: Step, trace: Trace, *, met_again: bool) -> None:
    name, layout = step.cut.name, step.cut.layout
    if not met_again:
        raise NoTargetLayer(f"No gradient comes from the output back to “{name}”: {_CUT_OFF}")
    if layout is not None and layout.prefix:
        gradient = _gradient(_scalar(trace), step.tensor)
        if gradient is not None and gradient.any() and not layout.show(gradient).any():
            raise NoTargetLayer(
                f"Of “{name}” the output reads only the tokens that have no place in the image (the class "
                "token), so its map would be blank; name a layer before the last attention."
            )


def _why(cut: Cut, *, named: bool) -> str:
    """Why this layer, as the end of a sentence."""
    extent = str(cut.layout or Layout(Order.CHANNELS_FIRST, cut.grid))
    if named:
        return f"named, {extent}"
    return f"the last tensor with spatial extent ({extent}) that the logits depend on"


def _scalar(trace: Trace) -> Tensor:
    """All logits in one number, each with a weight of its own, so that they cannot cancel each other."""
    weights = torch.linspace(1.0, 2.0, trace.logits.numel(), device=trace.logits.device)
    return (trace.logits * weights.reshape(trace.logits.shape)).sum()


def _matters(scalar: Tensor, step: Step) -> bool:
    """Whether the output depends on most of a tensor's positions."""
    if not step.tensor.requires_grad:
        return False
    gradient = _gradient(scalar, step.tensor)
    if gradient is None:
        return False
    return bool((_shown(gradient, step) != 0).any(dim=1).float().mean() > _MOST)


def _shown(tensor: Tensor, step: Step) -> Tensor:
    """(batch, channel, *grid)."""
    return tensor if step.cut.layout is None else step.cut.layout.show(tensor)


def _gradient(scalar: Tensor, tensor: Tensor) -> Tensor | None:
    try:
        (gradient,) = torch.autograd.grad(scalar, tensor, retain_graph=True, allow_unused=True)
    except RuntimeError as error:
        raise UnsupportedNetwork(
            f"The network's backward pass fails: {str(error).partition(chr(10))[0]} Where the network "
            "checkpoints, switch that off."
        ) from error
    return gradient


def _met_again(network: nn.Module, example: Tensor, step: Step, logits: Logits | None) -> bool:
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


def _same(tensor: Tensor, step: Step) -> bool:
    before = _shown(step.tensor, step)
    if step.cut.call == 0 or step.version != version(step.tensor):
        return tensor.shape == before.shape
    return tensor.shape == before.shape and torch.allclose(
        tensor, before, rtol=1e-3, atol=1e-5, equal_nan=True
    )


def _named(candidates: list[Step], network: nn.Module, layer: str) -> Step:
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


def _refuse_inference_weights(network: nn.Module) -> None:
    if any(parameter.is_inference() for parameter in network.parameters()):
        raise UnsupportedNetwork(
            "The network's weights were made inside torch.inference_mode, and never take part in gradients; "
            "load the network outside of it."
        )


def _refuse_chance(network: nn.Module, example: Tensor, trace: Trace, logits: Logits | None) -> None:
    first = trace.logits.detach()
    with torch.no_grad():
        second = run_whole(network, example[:1], getattr(logits, "everywhere", logits)).logits
    if not torch.allclose(first, second, rtol=1e-2, atol=1e-3, equal_nan=True):
        worst = int((first - second).abs().argmax())
        raise UnsupportedNetwork(
            f"Asked twice about the same input, the network says two things (its logit {worst}: "
            f"{first.flatten()[worst]:.3g}, then {second.flatten()[worst]:.3g}): something in it is left to "
            "chance also in evaluation mode, such as functional.dropout without training=self.training. Take "
            "that out; a map would be of one of many networks."
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


def _distinct(steps: Iterable[Step]) -> Iterator[Step]:
    seen: set[int] = set()
    for step in steps:
        if id(step.tensor) not in seen:
            seen.add(id(step.tensor))
            yield step
