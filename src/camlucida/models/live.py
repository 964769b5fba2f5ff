"""A network run as it is, in training too, with a look at its target layer: what losses about maps need."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from camlucida.errors import NoTargetLayer
from camlucida.models.cut import Cut, Logits, Output, read_output, watching
from camlucida.models.limits import unwrapped


def run_live(
    network: nn.Module,
    inputs: Tensor,
    cut: Cut,
    look: Callable[[Tensor], None],
    logits: Logits | None = None,
) -> Output:
    """Run a network in its own modes and with its whole graph, and look at the tensor at the cut.

    The logits depend on the tensor that `look` is shown, (batch, channel, *grid); where the network is frozen
    up to there, that tensor is a leaf. A final sigmoid or softmax is looked through, as in `cut.run`.

    Raises
    ------
    NoTargetLayer
        The forward pass did not come by the cut: the network has changed, or is compiled.
    """
    passed = False

    def cross(tensor: Tensor) -> Tensor:
        nonlocal passed
        passed = True
        if torch.is_grad_enabled() and not tensor.requires_grad:
            tensor = tensor.detach().requires_grad_()
        look(tensor)
        return tensor.clone()  # what follows may work in place

    with watching(unwrapped(network), cut, cross) as head:
        returned = network(inputs)
    if not passed:
        raise NoTargetLayer(
            f"The forward pass did not come by “{cut.name}”: the network has changed since the target layer "
            "was found, or is compiled; give the network that torch.compile was given."
        )
    return read_output(returned, head.probabilities, logits)
