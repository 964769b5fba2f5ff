"""The networks that ship with camlucida: small residual CNNs for 2D and 3D, by one code path.

A model.toml names one of them as `architecture = "camlucida.models.architectures:SmallResNet"` and gives its
arguments, plain integers, in `[architecture_arguments]`.
"""

from itertools import pairwise
from typing import cast

from torch import Tensor, nn
from torch.nn import functional

_CONVOLUTION: dict[int, type[nn.Conv2d] | type[nn.Conv3d]] = {2: nn.Conv2d, 3: nn.Conv3d}
_NORMALISATION: dict[int, type[nn.BatchNorm2d] | type[nn.BatchNorm3d]] = {
    2: nn.BatchNorm2d,
    3: nn.BatchNorm3d,
}


def _convolution(space: int, inputs: int, outputs: int, size: int, stride: int) -> nn.Sequential:
    """Convolution without bias, then batch normalisation, which brings its own."""
    return nn.Sequential(
        _CONVOLUTION[space](inputs, outputs, size, stride, padding=size // 2, bias=False),
        _NORMALISATION[space](outputs),
    )


class ResidualBlock(nn.Module):
    """The basic block of He et al., CVPR 2016, section 3.3: ReLU(F(x) + x), in two or three dimensions.

    Takes `(batch, inputs, *space)` and gives `(batch, outputs, *space / stride)`. The short cut is a
    convolution of size 1 where the shape changes (their option B).
    """

    def __init__(self, space: int, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.first = _convolution(space, inputs, outputs, 3, stride)
        self.second = _convolution(space, outputs, outputs, 3, 1)
        same = inputs == outputs and stride == 1
        self.shortcut = nn.Identity() if same else _convolution(space, inputs, outputs, 1, stride)

    def forward(self, x: Tensor) -> Tensor:
        inner = self.second(functional.relu(self.first(x)))
        return functional.relu(inner + self.shortcut(x))


class SmallResNet(nn.Module):
    """A small residual network that ends in ReLU, global average pooling and one linear layer.

    With this head a class activation map carries the logit exactly: sum(map) + bias = logit (Draelos and
    Carin, arXiv 2011.08891), so the shipped models' maps are evidence in logits without a residual.

    Takes `(batch, channels, *space)` and gives logits `(batch, findings)`.

    Parameters
    ----------
    space
        2 or 3: the number of spatial axes.
    channels
        Channels of the input.
    findings
        Number of logits.
    width
        Channels after the stem; each stage but the first doubles them.
    stages
        Stages of residual blocks. The stem and each stage but the first halve the grid, so a native cell is
        `2 ** stages` pixels of the input wide.
    blocks
        Residual blocks in each stage but the first, which has one: it is the costly one.
    """

    def __init__(
        self,
        space: int = 2,
        channels: int = 1,
        findings: int = 1,
        width: int = 16,
        stages: int = 3,
        blocks: int = 2,
    ) -> None:
        super().__init__()
        if space not in _CONVOLUTION:
            raise ValueError(f"space is {space}; a SmallResNet has 2 or 3 spatial axes.")
        widths = [width * 2**stage for stage in range(stages)]
        self.stem = nn.Sequential(_convolution(space, channels, width, 3, 2), nn.ReLU())
        layers: list[nn.Module] = [ResidualBlock(space, width, width, 1)]
        for inputs, outputs in pairwise(widths):
            layers.append(ResidualBlock(space, inputs, outputs, 2))
            layers += [ResidualBlock(space, outputs, outputs, 1) for _ in range(blocks - 1)]
        self.stages = nn.Sequential(*layers)
        self.head = nn.Linear(widths[-1], findings)

    def activations(self, x: Tensor) -> Tensor:
        """The non-negative activations that the head pools: `(batch, widths, *native)`."""
        return cast("Tensor", self.stages(self.stem(x)))

    def forward(self, x: Tensor) -> Tensor:
        return cast("Tensor", self.head(self.activations(x).flatten(2).mean(2)))
