"""What a transformer's tokens attended to: the weights of every layer, in the order of their use."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from camlucida.models.cut import as_it_was, function_name


def attention_weights(network: nn.Module, images: Tensor) -> list[Tensor]:
    """Weights (batch, token, token) of each attention, the mean over its heads; one inference.

    Where tokens attend in windows, these stand side by side in the batch; attention that pools has one row.
    """
    watching = _Watching(len(images))
    with as_it_was(network), torch.inference_mode(mode=False), torch.no_grad(), watching:
        network(images.clone())  # it may work in place on what it is given
    return watching.weights


class _Watching(TorchFunctionMode):
    """Sees torch's two functions for attention, and a softmax over tokens for each token."""

    def __init__(self, batch: int) -> None:
        super().__init__()
        self.batch = batch
        self.weights: list[Tensor] = []

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        result = func(*args, **kwargs)
        match function_name(func):
            case "scaled_dot_product_attention":
                self._note(_of_products(func, *args, **kwargs))
            case "multi_head_attention_forward":  # asked again, for what it leaves out if not asked
                asked = {**kwargs, "need_weights": True, "average_attn_weights": False}
                self._note(func(*args, **asked)[1])
            case "softmax" if result.ndim >= 3 and result.shape[-1] == result.shape[-2] > 1:
                self._note(result)
        return result

    def _note(self, weights: Tensor) -> None:
        """(batch, head, token, token), or all heads of all images in one row."""
        if weights.ndim == 3 and len(weights) % self.batch == 0:
            weights = weights.reshape(self.batch, -1, *weights.shape[1:])
        self.weights.append(weights.mean(dim=1))


def _of_products(
    attend: Any, query: Tensor, key: Tensor, value: Tensor, *rest: Any, **options: Any
) -> Tensor:
    """Attention gives mixtures of values; of the rows of the identity, these are the weights themselves."""
    tokens = torch.eye(value.shape[-2], dtype=value.dtype, device=value.device)
    weights: Tensor = attend(query, key, tokens.expand(*value.shape[:-1], -1), *rest, **options)
    return weights
