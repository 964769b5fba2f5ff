"""What a map can and cannot be used for."""

from dataclasses import dataclass
from enum import StrEnum


class HeadKind(StrEnum):
    """What is known of the part of the network after the target layer."""

    LINEAR = "linear"  # proven: map + bias = logit ("faithful by theorem")
    NONLINEAR = "nonlinear"  # proven not to be: the residual says how much is left
    UNPROVEN = "unproven"


@dataclass(frozen=True, slots=True)
class CausalCheck:
    """What taking the strongest region out of the image does to the logit, against taking out others.

    `effect` is the logit with the region less the logit without it, in logits. `random_mean` and `random_sd`
    are those of `regions` other regions of the same size and shape; `as_strong` of them did at least as much.
    `area` is the share of the image that each takes. `z` is (effect - mean) / sd.
    """

    effect: float
    random_mean: float
    random_sd: float
    z: float
    regions: int
    as_strong: int
    area: float


@dataclass(frozen=True, slots=True)
class Change:
    """What one small change of the image does: rank correlation of the maps (None: one is flat), logits."""

    name: str
    correlation: float | None
    logit_change: float


@dataclass(frozen=True, slots=True)
class StabilityCheck:
    """The map under small changes of the image: the worst and the median rank correlation, and each."""

    worst: float | None
    median: float | None
    logit_change: float  # the largest |change| of the logit
    changes: tuple[Change, ...]


@dataclass(frozen=True, slots=True)
class MethodAgreement:
    """How far another method's map agrees: rank correlation, and the share of cells that have the same sign.

    None where a map is flat, or has one sign only by its definition.
    """

    method: str
    correlation: float | None
    same_sign: float | None


@dataclass(frozen=True, slots=True)
class AgreementCheck:
    """The map against those of other methods at the same layer: the medians, and each method."""

    correlation: float | None
    same_sign: float | None
    methods: tuple[MethodAgreement, ...]


@dataclass(frozen=True, slots=True)
class PriorDistance:
    """The map against that of the prior study: this one less the prior, finding by finding.

    `shift` is how far the centre of the supporting evidence has moved: in mm where both images have a
    spacing, else as a share of the longest edge of the field; None where one of them has no support.
    `in_patient` says that it was measured in one frame of reference, so that it is no matter of positioning.
    `correlation` is the rank correlation of both maps, one laid over the other's field.
    """

    logit_change: float
    evidence_change: float  # of the supporting evidence, in the map's unit
    correlation: float | None
    shift: float | None
    shift_unit: str
    in_patient: bool


@dataclass(frozen=True, slots=True)
class FindingTrust:
    """Trust figures of one finding's map.

    `residual_share` is |residual| / (|for| + |against| + |residual|): 0 when the map explains all.
    `focality` is the share of the grid's area that holds half of the supporting evidence; None without any.
    `border_share` is the share of supporting evidence in the outermost ring of cells, `corner_share` that in
    the four corners, `outside_share` that outside the body; None without any, and where no body is told.
    `statement` says in words what the map can be used for.
    The checks are None where they were not asked for.
    """

    residual_share: float
    focality: float | None
    border_share: float | None
    statement: str
    corner_share: float | None = None
    outside_share: float | None = None
    causal: CausalCheck | None = None
    stability: StabilityCheck | None = None
    agreement: AgreementCheck | None = None
    prior: PriorDistance | None = None


@dataclass(frozen=True, slots=True)
class TrustReport:
    """The trust report of an explanation: one entry a finding, and cautions that concern all of them.

    `verdict` is what the proof of the head means for this method, in words; `head_inputs` on how many inputs
    it was made, and `head_images` how many of them were images, not made-up. `body_share` is the share of
    the map's field that the body covers, None where no body can be told from its surroundings, and
    `body` says in words which of both.
    """

    head: HeadKind
    head_deviation: float | None  # largest |sum + bias - logit| in the proof, in logits
    findings: tuple[FindingTrust, ...]
    cautions: tuple[str, ...] = ()
    verdict: str = ""
    head_inputs: int = 0
    head_images: int = 0
    body_share: float | None = None
    body: str = ""
