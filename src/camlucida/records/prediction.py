"""What a model says of one image."""

from dataclasses import dataclass

from camlucida.errors import UnknownFinding
from camlucida.records.finding import Finding


@dataclass(frozen=True, slots=True)
class Prediction:
    """All findings of a model with their logits and probabilities, in the model's order."""

    findings: tuple[Finding, ...]
    logits: tuple[float, ...]
    probabilities: tuple[float, ...]

    def reported(self, index: int) -> bool | None:
        """Whether the finding reaches its operating point; None where it has none."""
        operating_point = self.findings[index].operating_point
        return None if operating_point is None else self.probabilities[index] >= operating_point

    def index(self, name: str) -> int:
        """Where a finding stands, by its name (case does not matter).

        Raises
        ------
        UnknownFinding
            The model has no finding of this name.
        """
        names = [finding.name.casefold() for finding in self.findings]
        if name.casefold() in names:
            return names.index(name.casefold())
        known = ", ".join(finding.name for finding in self.findings)
        raise UnknownFinding(f"This model has no finding “{name}”; it has: {known}.")
