"""Maps at the size of the network's input, by the same rule as in every picture of them."""

from collections.abc import Sequence

from torch import Tensor
from torch.nn.functional import interpolate

_MODES = {2: "bilinear", 3: "trilinear"}


def upsampled(maps: Tensor, space: Sequence[int]) -> Tensor:
    """Maps (n, channel, *grid) to (n, channel, *space): linear along each axis, with half-pixel centres."""
    return interpolate(maps, size=tuple(space), mode=_MODES[len(space)], align_corners=False)
