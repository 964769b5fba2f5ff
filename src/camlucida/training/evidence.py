"""The evidence of a network in training: its signed maps with their graph, so that a loss can ask of them."""

from collections.abc import Sequence

import torch
from torch import Tensor, einsum, nn

from camlucida.models.cut import Logits
from camlucida.models.linear_head import find_linear, weights
from camlucida.models.live import run_live
from camlucida.models.target_layer import find_cut


class LiveEvidence:
    """Runs a network in training and gives its logits and, in logits too, where they come from.

    >>> evidence = LiveEvidence(network, images)  # doctest: +SKIP
    >>> logits, maps = evidence(images)  # doctest: +SKIP

    Where the head is a mean over space and one linear layer, the maps are CAM, sum over k of w_k A^k / Z
    (Zhou et al., CVPR 2016, eq. 2): plain products, without a backward pass. With other heads they are
    HiResCAM, sum over k of dy/dA^k · A^k (Draelos and Carin, arXiv 2011.08891, eq. 3), whose gradients take
    a second derivative of the head, one backward pass through the head for each finding.

    The cut is found once: a network's structure must stay as it is. Dropout after the cut is left out of CAM.

    Attributes
    ----------
    cut
        Where the network is cut: its target layer and grid.
    linear
        The linear layer whose weights are CAM's; None where the head is another.

    Parameters
    ----------
    network
        Any `torch.nn.Module`, also in DistributedDataParallel; not what torch.compile returns.
    example
        Inputs (batch, channel, *space) of the size it is trained with.
    findings
        Indices of the findings whose maps are wanted, None for all.
    target_layer, logits
        As in `camlucida.explain`. A network whose last layer is still zero needs its target layer named.

    Raises
    ------
    NoTargetLayer, UnsupportedNetwork
        As `camlucida.explain`.
    """

    def __init__(
        self,
        network: nn.Module,
        example: Tensor,
        *,
        findings: Sequence[int] | None = None,
        target_layer: str | None = None,
        logits: Logits | None = None,
    ) -> None:
        self.network, self._adapter = network, logits
        self.cut = find_cut(network, example, target_layer, logits=logits)
        self.linear = find_linear(network, self.cut, example, logits)
        self.findings = tuple(range(self.cut.findings) if findings is None else findings)

    def __call__(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Logits of all findings (batch, finding), and signed maps (batch, finding, *grid) in logits.

        Raises
        ------
        NoTargetLayer
            The forward pass did not come by the target layer.
        """
        shown: list[Tensor] = []
        logits = run_live(self.network, images, self.cut, shown.append, self._adapter).logits
        return logits, self._maps(logits, shown[0])

    def _maps(self, logits: Tensor, activations: Tensor) -> Tensor:
        if self.linear is None:
            return torch.stack([_hirescam(logits[:, index], activations) for index in self.findings], dim=1)
        matrix = weights(self.linear)[list(self.findings)]
        cells = activations[0, 0].numel()
        return einsum("fk,bk...->bf...", matrix, activations.to(matrix.dtype)) / cells


def _hirescam(logits: Tensor, activations: Tensor) -> Tensor:
    """(batch, *grid); images do not meet in the head, so the sum over them gives each its own gradient."""
    (gradients,) = torch.autograd.grad(logits.sum(), activations, create_graph=True)
    return (gradients * activations).sum(dim=1)
