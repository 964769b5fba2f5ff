"""Why this finding rather than that: the target of Finer-CAM, which every method can explain.

Zhang et al., CVPR 2025 (arXiv 2501.11309): the target is y_c - alpha · y_d instead of y_c, where d is a class
that is like c. The paper's classes exclude each other, and those nearest in logit are taken to be like it;
its authors' code holds c against the nearest one with alpha = 1, or against a mean of the nearest three with
0.6. Here it is one finding, with alpha = 1: the difference of two logits has a meaning of its own (of classes
that exclude each other, the logarithm of how much likelier the one is), so the map keeps its unit and sum.
Findings that may occur together need not be alike where their logits are near: name the other one.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from camlucida.errors import UnknownFinding


@dataclass(frozen=True, slots=True)
class Contrast:
    """What a finding is held against.

    `other` is the index of a finding; None takes, for each, the one whose logit is nearest to its own.
    `strength` is alpha: 1 asks for the difference of the two; less of it brings back what they share.
    """

    other: int | None = None
    strength: float = 1.0

    @property
    def description(self) -> str:
        """What is differentiated, for the provenance."""
        other = "the nearest logit" if self.other is None else f"logit {self.other}"
        return f"logit - {self.strength:g} × {other}"

    def others(self, logits: Tensor, findings: Sequence[int]) -> Tensor:
        """The other finding of each, (batch, target), for logits (batch, finding).

        Raises
        ------
        UnknownFinding
            There is no other finding.
        """
        if logits.shape[1] < 2:
            raise UnknownFinding("A contrast needs another finding, and the model has only one.")
        if self.other is not None:
            if self.other in findings:
                raise UnknownFinding(
                    "A finding cannot be held against itself; leave it out of `finding`, or name another "
                    "`contrast`."
                )
            return torch.full((len(logits), len(findings)), self.other, device=logits.device)
        chosen = torch.tensor(findings, device=logits.device)
        distance = (logits[:, chosen, None] - logits[:, None, :]).abs()
        itself = chosen[:, None] == torch.arange(logits.shape[1], device=logits.device)
        return distance.masked_fill(itself, torch.inf).argmin(dim=2)
