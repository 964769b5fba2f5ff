"""Other rules for the backward pass of ReLU: deconvolution and guided backpropagation.

Captum and others hang these rules on modules of the class nn.ReLU, and so pass by every ReLU that is called
as a function: torchvision's DenseNet has one, ConvNeXt-like and exported networks only such. Here each ReLU
is met where it is called, by whichever name: module or function, in place or not, shared or not.
"""

from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils.checkpoint import CheckpointError

from camlucida.errors import UnsupportedNetwork
from camlucida.models.cut import function_name
from camlucida.saliency.input_gradients import each_image, input_gradients
from camlucida.saliency.recording import Recording

NO_RELU = "The network calls no ReLU, so there is no other rule to follow: this map is the plain gradient."


def rectified_gradients(recording: Recording, *, deconvolution: bool) -> Tensor:
    """Of each target by the images, with another rule at each ReLU: (batch, target, channel, *space).

    A ReLU hands back ReLU(g), where g came from above; guided backpropagation hands it back only where the
    ReLU's own input was positive, too (Springenberg 2015, figure 1).

    Raises
    ------
    UnsupportedNetwork
        The network checkpoints: its backward pass calls ReLUs again, where no rule can reach them.
    """
    rule = _Rule(deconvolution=deconvolution)

    def one(image: Tensor, sample: int) -> Tensor:
        with rule:
            return input_gradients(recording, image, sample)[0]

    try:
        gradients = each_image(recording, one)
    except CheckpointError as error:
        raise UnsupportedNetwork(
            "The network checkpoints its activations, so its ReLUs run again in the backward pass, where no "
            "other rule reaches them; switch the checkpointing off."
        ) from error
    if not rule.met:
        recording.remarks.append(NO_RELU)
    return gradients


class _Rule(TorchFunctionMode):
    """Replaces every ReLU that is called inside."""

    def __init__(self, *, deconvolution: bool) -> None:
        super().__init__()
        self.deconvolution, self.met = deconvolution, False

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        given = kwargs or {}
        name = function_name(func)
        if not _rectifies(name, args, given):
            return func(*args, **given)
        self.met = True
        values = args[0] if args else given["input"]
        result = _Rectified.apply(values, self.deconvolution)  # type: ignore[no-untyped-call]  # torch's own
        in_place = name.endswith("_") or given.get("inplace") or (name == "relu" and True in args[1:])
        return values.copy_(result) if in_place else result


_RELU = {"relu", "relu_"}
_CLAMP = {"clamp", "clamp_", "clamp_min", "clamp_min_"}


def _rectifies(name: str, args: tuple[Any, ...], given: dict[str, Any]) -> bool:
    """A ReLU, also by its other name: clamp(min=0)."""
    if name in _RELU:
        return True
    if name not in _CLAMP:
        return False
    low = args[1] if len(args) > 1 else given.get("min")
    high = args[2] if len(args) > 2 else given.get("max")
    return not isinstance(low, Tensor) and low == 0 and high is None


class _Rectified(torch.autograd.Function):
    """ReLU forward; backward ReLU of what comes from above, and that only where the input was positive."""

    @staticmethod
    def forward(ctx: Any, values: Tensor, deconvolution: bool) -> Tensor:
        ctx.deconvolution = deconvolution
        ctx.save_for_backward(values > 0)  # not the values: what follows may write into them
        return values.relu()

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        (positive,) = ctx.saved_tensors
        rectified = gradients[0].relu()
        return (rectified if ctx.deconvolution else rectified * positive), None
