"""One forward pass, and all that a method may ask of it.

Everything before the target layer runs without a graph; gradients run through the head only, for all findings
asked, in one backward pass.
"""

from collections.abc import Sequence
from functools import cached_property

import torch
from torch import Tensor, nn

from camlucida.models.cut import Cut, Logits, Output, as_it_was, mean_over_space, run
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
        self.findings = tuple(range(cut.findings) if findings is None else findings)
        batch = images.shape[0]
        with torch.inference_mode(mode=False), torch.enable_grad():  # whatever mode the caller is in
            self.output = self._forward()
            self._graph = self.output.logits
        self.logits = self._graph[:batch].detach()
        self.bias = self._bias(batch)

    @property
    def axes(self) -> tuple[int, ...]:
        """The axes of space in `activations`."""
        return tuple(range(2, self.activations.ndim))

    @cached_property
    def gradients(self) -> Tensor:
        """Of each finding's logit by the activations: (batch, finding, channel, *grid)."""
        if self.cut.pooled:  # every cell counts the same
            cells = self.activations[0, 0].numel()
            grid = self.activations.shape[2:]
            return (self._leaf_gradients / cells).expand(-1, -1, -1, *grid)
        return self._leaf_gradients

    @cached_property
    def mean_gradients(self) -> Tensor:
        """The gradients' mean over space: (batch, finding, channel)."""
        if self.cut.pooled:
            return self._leaf_gradients.flatten(2) / self.activations[0, 0].numel()
        return self.gradients.flatten(3).mean(dim=3)

    @cached_property
    def _leaf_gradients(self) -> Tensor:
        """By what the head was given, the activations or their means: (batch, finding, channel, *grid)."""
        evaluating = as_it_was(self.network, self.output.training)
        with evaluating, torch.inference_mode(mode=False), torch.enable_grad():
            gradients = self._backward_once() if self.cut.pooled else self._backward_for_each()
        return gradients.transpose(0, 1)

    def rescore(self, images: Tensor) -> Tensor:
        """Logits (n, finding) of other images (n, channel, *space), all findings; plain inference."""
        return run(self.network, images, self.cut, lambda tensor: tensor, self._adapter).logits

    def _forward(self) -> Output:
        """The head's rows: the batch, one silent row (its logits are the bias), a copy per finding.

        The copies are made only where the head takes means over space, which are a few kilobytes.
        """

        def at_cut(tensor: Tensor) -> Tensor:
            self.activations = tensor.detach()
            given = mean_over_space(self.activations) if self.cut.pooled else self.activations
            rows = [given]
            if self.cut.stackable:
                rows.append(torch.zeros_like(given[:1]))
            if self.cut.pooled:
                rows += [given] * len(self.findings)
            self._leaf = torch.cat(rows).requires_grad_()
            return self._leaf.clone()  # what follows may work in place

        return run(self.network, self.images, self.cut, at_cut, self._adapter)

    def _bias(self, batch: int) -> Tensor:
        if self.cut.stackable:
            return self._graph[batch : batch + 1].detach().expand(batch, -1)
        rows = [
            head_logits(
                self.network, self.cut, image[None], torch.zeros_like(activations[None]), self._adapter
            )
            for image, activations in zip(self.images, self.activations, strict=True)
        ]
        return torch.cat(rows)

    def _backward_once(self) -> Tensor:
        """Each finding has its own copy of the activations, so one backward pass serves all."""
        batch, count = self.images.shape[0], len(self.findings)
        copies = self._graph[batch + 1 :].reshape(count, batch, -1)
        own = copies[range(count), :, list(self.findings)]
        (gradients,) = torch.autograd.grad(own.sum(), self._leaf, retain_graph=True)
        return gradients[batch + 1 :].reshape(count, batch, *gradients.shape[1:])

    def _backward_for_each(self) -> Tensor:
        """The head is run forward once, and backward for each finding: (finding, batch, channel, *grid)."""
        batch = self.images.shape[0]
        # Samples do not meet in the head, so the sum over the batch gives each its own gradient.
        outputs = self._graph[:batch, list(self.findings)].sum(dim=0)
        each = torch.eye(len(outputs), dtype=outputs.dtype, device=outputs.device)
        try:
            (gradients,) = torch.autograd.grad(
                outputs, self._leaf, each, retain_graph=True, is_grads_batched=True
            )
        except RuntimeError:  # an operation without a batching rule: one finding after the other
            rows = [torch.autograd.grad(outputs, self._leaf, row, retain_graph=True)[0] for row in each]
            gradients = torch.stack(rows)
        return gradients[:, :batch]
