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
    original = _unwrapped(network)
    if not isinstance(original, nn.Module):
        raise UnsupportedNetwork(f"A network is a torch.nn.Module; this is a {type(network).__name__}.")
    if any(isinstance(module, jit.ScriptModule) for module in modules(original)):
        raise UnsupportedNetwork(
            "TorchScript runs without Python hooks, so its layers cannot be watched; load the Python model "
            "with its state dict, or export it with torch.export to a .pt2."
        )
    _refuse_quantised(original)
    return original


def _unwrapped(network: nn.Module) -> nn.Module:
    while True:
        inner = getattr(network, "_orig_mod", None)
        if isinstance(network, nn.DataParallel | nn.parallel.DistributedDataParallel):
            inner = network.module
        if not isinstance(inner, nn.Module):
            return network
        network = inner


def _refuse_quantised(network: nn.Module) -> None:
    for module in modules(network):
        if "quantized" in type(module).__module__:
            raise UnsupportedNetwork(
                f"The network has quantised layers ({type(module).__name__}); integers have no gradients: "
                "explain the float32 network that it was made from."
            )
