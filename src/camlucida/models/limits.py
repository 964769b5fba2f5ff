"""What cannot be explained, and why: said before anything is computed."""

from torch import jit, nn

from camlucida.errors import UnsupportedNetwork
from camlucida.models.cut import modules


def explainable(network: nn.Module) -> nn.Module:
    """The network itself, taken out of the wrappers of torch.compile and of DataParallel.

    Raises
    ------
    UnsupportedNetwork
        TorchScript, a quantised network, or no network at all.
    """
    original = unwrapped(network)
    if not isinstance(original, nn.Module):
        raise UnsupportedNetwork(f"A network is a torch.nn.Module; this is a {type(network).__name__}.")
    kinds = {type(module) for module in modules(original)}  # asked at every explanation: kinds are few
    if any(issubclass(kind, jit.ScriptModule) for kind in kinds):
        raise UnsupportedNetwork(
            "TorchScript runs without Python hooks, so its layers cannot be watched; load the Python model "
            "with its state dict, or export it with torch.export to a .pt2."
        )
    _refuse_quantised(kinds)
    return original


def unwrapped(network: nn.Module) -> nn.Module:
    """The network itself, taken out of the wrappers of torch.compile and of DataParallel."""
    while True:
        inner = getattr(network, "_orig_mod", None)
        if isinstance(network, nn.DataParallel | nn.parallel.DistributedDataParallel):
            inner = network.module
        if not isinstance(inner, nn.Module):
            return network
        network = inner


def _refuse_quantised(kinds: set[type[nn.Module]]) -> None:
    for kind in kinds:
        if "quantized" in kind.__module__:
            raise UnsupportedNetwork(
                f"The network has quantised layers ({kind.__name__}); integers have no gradients: "
                "explain the float32 network that it was made from."
            )
