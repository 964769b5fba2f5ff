"""What a map can and cannot be used for."""

from dataclasses import dataclass
from enum import StrEnum


class HeadKind(StrEnum):
    """What is known of the part of the network after the target layer."""

    LINEAR = "linear"  # proven: map + bias = logit ("faithful by theorem")
    NONLINEAR = "nonlinear"  # proven not to be: the residual says how much is left
    UNPROVEN = "unproven"


@dataclass(frozen=True, slots=True)
class FindingTrust:
    """Trust figures of one finding's map.

    `residual_share` is |residual| / (|for| + |against| + |residual|): 0 when the map explains all.
    `focality` is the share of the grid's area that holds half of the supporting evidence; None without any.
    `border_share` is the share of supporting evidence in the outermost ring of cells; None without any.
    `statement` says in words what the map can be used for.
    """

    residual_share: float
    focality: float | None
    border_share: float | None
    statement: str


@dataclass(frozen=True, slots=True)
class TrustReport:
    """The trust report of an explanation: one entry a finding, and cautions that concern all of them."""

    head: HeadKind
    head_deviation: float | None  # largest |sum + bias - logit| in the proof, in logits
    findings: tuple[FindingTrust, ...]
    cautions: tuple[str, ...] = ()
