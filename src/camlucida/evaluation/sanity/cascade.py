"""Cascading weight randomisation: from the head downwards, a network forgets what it has learnt.

Adebayo et al., Sanity Checks for Saliency Maps, NeurIPS 2018, section 3.1: layer by layer from the logits on,
weights are initialised anew, as they were before training; those below stay trained.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn

from camlucida.errors import UnsupportedNetwork

MOST_STEPS = 10
"""Steps at most: the logits' layer is one by itself, the others go in groups of nearly equal size."""


@dataclass(frozen=True, slots=True)
class Step:
    """Layers that are initialised anew together, from the head downwards, by their paths in the network."""

    layers: tuple[str, ...]

    @property
    def name(self) -> str:
        """The layer, or the first and the last of them."""
        return self.layers[0] if len(self.layers) == 1 else f"{self.layers[0]} … {self.layers[-1]}"


def steps(network: nn.Module, forward: Callable[[], object]) -> tuple[Step, ...]:
    """The layers with weights, from the logits down, in at most ten steps.

    Parameters
    ----------
    forward
        Runs the network once; the order of the layers is the order in which they ran.

    Raises
    ------
    UnsupportedNetwork
        The network has no weights.
    """
    ran = _in_order(network, forward)
    if not ran:
        raise UnsupportedNetwork("The network has no layer with weights, so none can be randomised.")
    head, *rest = reversed(ran)
    count = min(len(rest), MOST_STEPS - 1)
    bounds = [round(len(rest) * number / count) for number in range(count + 1)] if count else []
    groups = (tuple(rest[start:end]) for start, end in pairwise(bounds))
    return (Step((head,)), *(Step(group) for group in groups))


@contextmanager
def randomising(network: nn.Module, seed: int) -> Iterator[Callable[[Step], None]]:
    """Gives what initialises a step's layers anew; afterwards the network is what it was, bit for bit."""
    kept = [(tensor, tensor.detach().clone()) for tensor in _tensors(network)]
    devices = sorted({tensor.device.index or 0 for tensor, _ in kept if tensor.device.type == "cuda"})
    try:
        with torch.random.fork_rng(devices=devices):
            torch.manual_seed(seed)
            yield lambda step: _forget(network, step)
    finally:
        with torch.no_grad():
            for tensor, value in kept:
                tensor.copy_(value)


def _in_order(network: nn.Module, forward: Callable[[], object]) -> list[str]:
    """Paths of the modules that hold weights themselves, in the order of their last run."""
    ran: dict[str, None] = {}

    def watch(name: str) -> Callable[..., None]:
        def note(*_: object) -> None:
            ran.pop(name, None)
            ran[name] = None

        return note

    holding = [(name, module) for name, module in network.named_modules() if _holds_weights(module)]
    handles = [module.register_forward_hook(watch(name)) for name, module in holding]
    try:
        forward()
    finally:
        for handle in handles:
            handle.remove()
    return list(ran)


def _holds_weights(module: nn.Module) -> bool:
    return next(module.parameters(recurse=False), None) is not None


def _tensors(network: nn.Module) -> Iterator[Tensor]:
    yield from network.parameters()
    yield from network.buffers()


def _forget(network: nn.Module, step: Step) -> None:
    """As before training where the module says how; else noise of the weights' own spread."""
    with torch.no_grad():
        for layer in step.layers:
            module = network.get_submodule(layer)
            reset = getattr(module, "reset_parameters", None) or getattr(module, "_reset_parameters", None)
            if callable(reset):
                reset()
                continue
            for parameter in module.parameters(recurse=False):
                spread = float(parameter.std()) if parameter.numel() > 1 else 1.0
                parameter.normal_(0.0, spread or 1.0)
