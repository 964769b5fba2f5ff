"""How a network lays out a tensor that has spatial extent: channels first, channels last, or as tokens.

Methods see (batch, channel, *grid) whatever the network works with; what they change is put back into the
network's own layout.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

import torch
from torch import Tensor


class Order(StrEnum):
    """Where the channels stand."""

    CHANNELS_FIRST = "channels first"  # (batch, channel, *grid), as convolutions do
    CHANNELS_LAST = "channels last"  # (batch, *grid, channel), as Swin does
    TOKENS = "tokens"  # (batch, token, channel), as transformers do
    TOKENS_LAST = "tokens last"  # (batch, channel, token), a grid that was flattened
    TOKENS_FIRST = "tokens first"  # (token, batch, channel), as torch's transformers do if not told otherwise


@dataclass(frozen=True, slots=True)
class Layout:
    """How a tensor lies in the network.

    `prefix` tokens stand before those of the grid (a class token, registers). They have no place in the
    image, so they are not shown, and keep the network's own values.
    """

    order: Order
    grid: tuple[int, ...]
    prefix: int = 0

    def channels(self, shape: tuple[int, ...]) -> int:
        """How many channels a tensor of this shape has."""
        return shape[1 if self.order in {Order.CHANNELS_FIRST, Order.TOKENS_LAST} else -1]

    def show(self, tensor: Tensor) -> Tensor:
        """The network's tensor as (batch, channel, *grid)."""
        match self.order:
            case Order.CHANNELS_FIRST:
                return tensor
            case Order.CHANNELS_LAST:
                return tensor.movedim(-1, 1)
        cells = self._channels_first(tensor)[:, :, self.prefix :]
        return cells.reshape(*cells.shape[:2], *self.grid)

    def put_back(self, shown: Tensor, original: Tensor) -> Tensor:
        """Rows (row, channel, *grid) as the network lays them out; `original` supplies the prefix tokens.

        There are as many rows as images in `original`, or that many several times over, image by image.
        """
        match self.order:
            case Order.CHANNELS_FIRST:
                return shown
            case Order.CHANNELS_LAST:
                return shown.movedim(1, -1).contiguous()  # as it was: the network may ask for a view
        tokens = shown.flatten(2)
        if self.prefix:
            kept = self._channels_first(original)[:, :, : self.prefix]
            tokens = torch.cat([kept.repeat(tokens.shape[0] // kept.shape[0], 1, 1), tokens], dim=2)
        match self.order:
            case Order.TOKENS:
                tokens = tokens.transpose(1, 2)
            case Order.TOKENS_FIRST:
                tokens = tokens.permute(2, 0, 1)
        return tokens.contiguous()

    def around(self, at_cut: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
        """A look at the shown tensor as one at the network's own."""
        return lambda tensor: self.put_back(at_cut(self.show(tensor)), tensor)

    def __str__(self) -> str:
        """In words: "4×4 tokens, 1 class token kept"."""
        cells = "×".join(str(side) for side in self.grid)
        if self.order in {Order.CHANNELS_FIRST, Order.CHANNELS_LAST}:
            return f"{cells} cells"
        match self.prefix:
            case 0:
                return f"{cells} tokens"
            case 1:
                return f"{cells} tokens, 1 class token kept"
        return f"{cells} tokens, {self.prefix} tokens before them kept"

    def _channels_first(self, tokens: Tensor) -> Tensor:
        """(batch, channel, token)."""
        match self.order:
            case Order.TOKENS:
                return tokens.transpose(1, 2)
            case Order.TOKENS_FIRST:
                return tokens.permute(1, 2, 0)
        return tokens
