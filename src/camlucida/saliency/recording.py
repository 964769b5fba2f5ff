"""One forward pass, and all that a method may ask of it.

Everything before the target layer runs without a graph; gradients run through the head only, for all findings
asked, in one backward pass.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from threading import Lock

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.functional import one_hot

from camlucida.models.cut import Cut, Logits, Output, as_it_was, mean_over_space, run, run_whole
from camlucida.models.head import head_logits
from camlucida.models.runtimes.fast import Eager, Fast
from camlucida.saliency.batches import batches
from camlucida.saliency.contrast import Contrast

HEAD_VALUES = 2**26
"""Values of activations handed to the head at a time: 256 MB of float32."""

GRADIENT_VALUES = 2**24
"""Values of gradients by the head's rows made at a time: 64 MB, and some ten times as much in the head."""

_KERNELS = Lock()

IN_TORCH = Eager()
"""The network's own runtime."""


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
    contrast
        What the findings are held against (Finer-CAM), or None.
    runtime
        Where the part before the cut runs; the head always runs in torch, and so does `differentiable`.
    remarks
        What a method found out about its own maps; they become cautions of the trust report.
    """

    activations: Tensor

    def __init__(
        self,
        network: nn.Module,
        images: Tensor,
        cut: Cut,
        findings: Sequence[int] | None = None,
        logits: Logits | None = None,
        contrast: Contrast | None = None,
        *,
        training: tuple[nn.Module, ...] | None = None,
        runtime: Fast | Eager = IN_TORCH,
    ) -> None:
        self.network, self.images, self.cut, self._adapter = network, images, cut, logits
        self._training, self.runtime = training, runtime
        self.contrast = contrast
        self.remarks: list[str] = []
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
    def targets(self) -> Tensor:
        """What is differentiated, as weights of the logits: (batch, target, finding), a target per map.

        One finding's logit; with a contrast, less a share of the other finding's.
        """
        count = self.logits.shape[1]
        with torch.inference_mode(mode=False):  # whoever asks first: graphs take no tensor of that mode
            own = one_hot(torch.tensor(self.findings), count).to(self.logits)
            targets = own.expand(len(self.images), -1, -1)
            if self.contrast is None:
                return targets
            others = one_hot(self.contrast.others(self.logits, self.findings), count).to(self.logits)
            return targets - self.contrast.strength * others

    def scores(self, logits: Tensor, sample: int = 0) -> Tensor:
        """The targets' values, (n, target), of logits (n, finding); `sample` is the image they belong to."""
        return logits @ self.targets[sample].T

    @cached_property
    def gradients(self) -> Tensor:
        """Of each target by the activations: (batch, target, channel, *grid)."""
        if self.cut.pooled:  # every cell counts the same
            cells = self.activations[0, 0].numel()
            grid = self.activations.shape[2:]
            return (self._leaf_gradients / cells).expand(-1, -1, -1, *grid)
        return self._leaf_gradients

    @cached_property
    def mean_gradients(self) -> Tensor:
        """The gradients' mean over space: (batch, target, channel)."""
        if self.cut.pooled:
            return self._leaf_gradients.flatten(2) / self.activations[0, 0].numel()
        return self.gradients.flatten(3).mean(dim=3)

    @cached_property
    def _leaf_gradients(self) -> Tensor:
        """By what the head was given, the activations or their means: (batch, target, channel, *grid)."""
        evaluating = as_it_was(self.network, self.output.training)
        with evaluating, torch.inference_mode(mode=False), torch.enable_grad():
            gradients = self._backward_once() if self.cut.pooled else self._backward_for_each()
        return gradients.transpose(0, 1)

    def rescore(self, images: Tensor, sample: int = 0) -> Tensor:
        """The targets' values (n, target) of other images (n, channel, *space); plain inference."""
        return self.scores(self._run(images, lambda tensor: tensor).logits, sample)

    def again(self, images: Tensor, sample: int = 0) -> "Recording":
        """The same of other images (n, channel, *space), with the targets that this sample has."""
        other = Recording(
            self.network,
            images,
            self.cut,
            self.findings,
            self._adapter,
            self.contrast,
            training=self._training,
            runtime=self.runtime,
        )
        # A contrast with the nearest logit must not turn to another finding: the cached property is filled.
        other.__dict__["targets"] = self.targets[sample].expand(len(images), -1, -1)
        return other

    def for_head(self, activations: Tensor) -> Tensor:
        """Activations (n, channel, *grid) as the head takes them: their means, where it sees no more."""
        return mean_over_space(activations) if self.cut.pooled else activations

    def rescore_head(self, rows: Tensor, sample: int = 0) -> Tensor:
        """The targets' values (n, target) of other activations, of which only the head is run.

        Parameters
        ----------
        rows
            As `for_head` gives them. All at once they cost one more inference; use `head_batches` where they
            are too many to be held.
        sample
            The image that supplies whatever the head reads beside the activations.
        """
        return self.scores(self._head_logits(rows, self.images[sample : sample + 1]), sample)

    def head_batches(self, count: int) -> Iterator[range]:
        """The numbers 0 to count - 1 in runs of which the head's rows fit into bounded memory."""
        row = self.for_head(self.activations[:1]).numel()
        return batches(count, row, HEAD_VALUES)

    @contextmanager
    def differentiable(self) -> Iterator[Callable[[Tensor], Tensor]]:
        """The whole network as a function of its input: images (n, channel, *space) to logits (n, finding).

        In evaluation mode, with gradients, as long as the block lasts; backward passes belong inside. The
        network's own modules run, so hooks on them are met.
        """
        evaluating = as_it_was(self.network, self.output.training)
        with evaluating, torch.inference_mode(mode=False), torch.enable_grad():
            yield lambda images: run_whole(self.network, images, self._adapter).logits

    def _forward(self) -> Output:
        """The head's rows: the batch, silent rows (their logits are the bias), a copy per finding.

        One silent row serves all images, but where each keeps tokens of its own (a transformer's class
        token).
        The copies are made only where the head takes means over space, which are a few kilobytes.
        """

        def at_cut(tensor: Tensor) -> Tensor:
            self.activations = tensor.detach()
            given = mean_over_space(self.activations) if self.cut.pooled else self.activations
            rows = [given]
            if self.cut.stackable:
                rows.append(torch.zeros_like(given[: self._silent]))
            if self.cut.pooled:
                rows += [given] * len(self.findings)
            self._leaf = torch.cat(rows).requires_grad_()
            return self._leaf.clone()  # what follows may work in place

        return self._run(self.images, at_cut, self._training)

    def _run(
        self,
        images: Tensor,
        at_cut: Callable[[Tensor], Tensor],
        training: tuple[nn.Module, ...] | None = None,
    ) -> Output:
        """The network in two parts, wherever the first of them runs."""
        if isinstance(self.runtime, Fast):
            return self.runtime.run(self.network, images, at_cut, training)
        return run(self.network, images, self.cut, at_cut, self._adapter, training=training)

    def _head_logits(self, rows: Tensor, image: Tensor) -> Tensor:
        """Logits (row, finding) of rows as `for_head` gives them, and the image (1, channel, *space)."""
        if isinstance(self.runtime, Fast):
            return self.runtime.head_logits(rows)
        return head_logits(self.network, self.cut, image, rows, self._adapter)

    @property
    def _silent(self) -> int:
        """How many silent rows the head is given."""
        return len(self.images) if self.cut.keeps_tokens else 1

    def _bias(self, batch: int) -> Tensor:
        if self.cut.stackable:
            return self._graph[batch : batch + self._silent].detach().expand(batch, -1)
        rows = [
            self._head_logits(torch.zeros_like(activations[None]), image[None])
            for image, activations in zip(self.images, self.activations, strict=True)
        ]
        return torch.cat(rows)

    def _backward_once(self) -> Tensor:
        """Each target has its own copy of the activations, so one backward pass serves all."""
        batch, count = self.images.shape[0], len(self.findings)
        first = batch + self._silent
        copies = self._graph[first:].reshape(count, batch, -1)
        own = copies * self.targets.transpose(0, 1)
        (gradients,) = torch.autograd.grad(own.sum(), self._leaf, retain_graph=True)
        return gradients[first:].reshape(count, batch, *gradients.shape[1:])

    def _backward_for_each(self) -> Tensor:
        """The head is run forward once, and backward for each target: (target, batch, channel, *grid)."""
        batch = self.images.shape[0]
        # Samples do not meet in the head, so the sum over the batch gives each its own gradient.
        outputs = (self._graph[:batch, None] * self.targets).sum(dim=(0, 2))
        each = torch.eye(len(outputs), dtype=outputs.dtype, device=outputs.device)
        gradients = self._leaf.new_empty(len(each), *self._leaf[:batch].shape)
        for some in batches(len(each), self._leaf.numel(), GRADIENT_VALUES):
            gradients[some.start : some.stop] = self._backward(outputs, each[some.start : some.stop])[
                :, :batch
            ]
        return gradients

    def _backward(self, outputs: Tensor, each: Tensor) -> Tensor:
        """By the head's rows, of weighted sums of outputs: (sum, row, channel, *grid)."""
        try:
            (gradients,) = torch.autograd.grad(
                outputs, self._leaf, each, retain_graph=True, is_grads_batched=True
            )
        except RuntimeError:  # an operation without a batching rule: one target after the other
            rows = [torch.autograd.grad(outputs, self._leaf, row, retain_graph=True)[0] for row in each]
            gradients = torch.stack(rows)
        return gradients

    @cached_property
    def curvature(self) -> Tensor:
        """The Hessian of each target times the activations, H·A: (batch, target, channel, *grid).

        Zero for a linear head, and for one that is made of linear pieces (ReLU).
        """
        evaluating = as_it_was(self.network, self.output.training)
        with evaluating, torch.inference_mode(mode=False), torch.enable_grad():
            return torch.stack([self._curvature(sample) for sample in range(len(self.images))])

    def _curvature(self, sample: int) -> Tensor:
        """Of one image: (target, channel, *grid)."""
        leaves: list[Tensor] = []

        def at_cut(tensor: Tensor) -> Tensor:
            leaves.append(tensor.detach().clone().requires_grad_())
            return leaves[0].clone()

        # The faster kernels of attention have no second derivative; torch's choice is of the whole process.
        with _KERNELS, sdpa_kernel(SDPBackend.MATH):
            output = self._run(self.images[sample : sample + 1], at_cut)
        return torch.stack(
            [_hessian_product(score, leaves[0])[0] for score in self.scores(output.logits, sample)[0]]
        )


def _hessian_product(score: Tensor, leaf: Tensor) -> Tensor:
    """The Hessian of a score times the leaf's own value, without ever making the Hessian."""
    (gradient,) = torch.autograd.grad(score, leaf, create_graph=True)
    along = (gradient * leaf.detach()).sum()
    if not along.requires_grad:  # the gradient is the same everywhere
        return torch.zeros_like(leaf)
    (product,) = torch.autograd.grad(along, leaf, retain_graph=True, allow_unused=True)
    return torch.zeros_like(leaf) if product is None else product
