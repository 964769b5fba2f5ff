"""What cannot be explained, and why: said before anything is computed."""

from torch import jit, nn

from camlucida.errors import UnsupportedNetwork
from camlucida.models.cut import modules


def explainable(network: nn.Module) -> nn.Module:
    """The network itself, taken out of torch.compile's wrapper if it is in one.

    Raises
    ------
    UnsupportedNetwork
        TorchScript, a quantised network, or no network at all.
    """
    original = getattr(network, "_orig_mod", network)
    if not isinstance(original, nn.Module):
        raise UnsupportedNetwork(f"A network is a torch.nn.Module; this is a {type(network).__name__}.")
    if isinstance(original, jit.ScriptModule):
        raise UnsupportedNetwork(
            "TorchScript runs without Python hooks, so its layers cannot be watched; load the Python model "
            "with its state dict, or export it with torch.export to a .pt2."
        )
    _refuse_quantised(original)
    return original


def _refuse_quantised(network: nn.Module) -> None:
    for module in modules(network):
        if "quantized" in type(module).__module__:
            raise UnsupportedNetwork(
                f"The network has quantised layers ({type(module).__name__}); integers have no gradients: "
                "explain the float32 network that it was made from."
            )
