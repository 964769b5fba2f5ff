"""One forward pass, and all that a method may ask of it.

Everything before the target layer runs without a graph; gradients run through the head only, for all findings
asked, in one batched backward pass.
"""

from collections.abc import Sequence
from functools import cached_property

import torch
from torch import Tensor, nn

from camlucida.models.cut import Cut, Logits, Output, run
from camlucida.models.head import head_logits


class Recording:
    """What one forward pass of a network left at its target layer.

    Attributes
    ----------
    images
        What the network was given: (batch, channel, *space).
    activations
        Of the target layer: (batch, channel, *grid).
    logits
        Of all findings: (batch, finding).
    bias
        Logits of a silent target layer (all activations zero): (batch, finding).
    findings
        Indices of the findings that are asked for, in the order of the maps.
    """

    def __init__(
        self,
        network: nn.Module,
        images: Tensor,
        cut: Cut,
        findings: Sequence[int] | None = None,
        logits: Logits | None = None,
    ) -> None:
        self.network, self.images, self.cut, self._adapter = network, images, cut, logits
        batch = images.shape[0]
        with torch.inference_mode(mode=False), torch.enable_grad():  # whatever mode the caller is in
            self.output = self._forward()
            self._graph = self.output.logits[:batch]
        self.logits = self._graph.detach()
        self.findings = tuple(range(self.logits.shape[1]) if findings is None else findings)
        self.bias = self._bias(batch)

    @property
    def axes(self) -> tuple[int, ...]:
        """The axes of space in `activations`."""
        return tuple(range(2, self.activations.ndim))

    @cached_property
    def gradients(self) -> Tensor:
        """Of each finding's logit by the activations: (batch, finding, channel, *grid)."""
        with torch.inference_mode(mode=False), torch.enable_grad():
            # Samples do not meet in the head, so the sum over the batch gives each its own gradient.
            outputs = self._graph[:, list(self.findings)].sum(dim=0)
            gradients = self._backward(outputs)
        return gradients.transpose(0, 1)

    def rescore(self, images: Tensor) -> Tensor:
        """Logits (n, finding) of other images (n, channel, *space), all findings; plain inference."""
        return run(self.network, images, self.cut, lambda tensor: tensor, self._adapter).logits

    def _forward(self) -> Output:
        def at_cut(tensor: Tensor) -> Tensor:
            self.activations = tensor.detach().requires_grad_()
            # A clone, because what follows may work in place; a silent row, because its logits are the bias.
            silent = [torch.zeros_like(tensor[:1])] if self.cut.stackable else []
            return torch.cat([self.activations, *silent]) if silent else self.activations.clone()

        return run(self.network, self.images, self.cut, at_cut, self._adapter)

    def _bias(self, batch: int) -> Tensor:
        if self.cut.stackable:
            return self.output.logits[batch:].detach().expand(batch, -1)
        rows = [
            head_logits(
                self.network, self.cut, image[None], torch.zeros_like(activations[None]), self._adapter
            )
            for image, activations in zip(self.images, self.activations.detach(), strict=True)
        ]
        return torch.cat(rows)

    def _backward(self, outputs: Tensor) -> Tensor:
        each = torch.eye(len(outputs), dtype=outputs.dtype, device=outputs.device)
        try:
            (gradients,) = torch.autograd.grad(
                outputs, self.activations, each, retain_graph=True, is_grads_batched=True
            )
        except RuntimeError:  # an operation without a batching rule: one finding after the other
            rows = [torch.autograd.grad(outputs, self.activations, row, retain_graph=True)[0] for row in each]
            gradients = torch.stack(rows)
        return gradients
