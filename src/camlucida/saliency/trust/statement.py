"""The line at the top of a trust report: what this map can and cannot be used for, in calm words.

It begins with what the map is, and goes on only with what a reader has to know: a warning where a figure is
beyond its threshold, and what the checks that were asked for have found.
"""

from collections.abc import Iterator

from camlucida.models.head import LINEAR_WITHIN
from camlucida.records.method_name import EXPLAINS_NO_FINDING
from camlucida.records.saliency_map import SaliencyMap, Unit
from camlucida.records.trust_report import (
    AgreementCheck,
    CausalCheck,
    FindingTrust,
    PriorDistance,
    StabilityCheck,
)
from camlucida.saliency.method import Method

NOTABLE_RESIDUAL = 0.1
"""Share of the evidence that may stay unexplained before the statement warns."""

NOTABLE_OUTSIDE = 0.2
"""Share of the evidence outside the body from which the statement warns: coarse cells reach over the skin."""

NOTABLE_CORNERS = 0.25
"""Share of the evidence in the corners from which the statement warns; they are about a ninth of the area."""

FAINT = 0.1
"""Logits of supporting evidence in all below which it says little where they lie."""

STRONGER = 2.0
"""z from which a region's removal is called stronger than that of others."""

SAME = 0.5
"""Rank correlation below which two maps are said to differ."""


def statement(
    saliency_map: SaliencyMap,
    index: int,
    method: Method,
    trust: FindingTrust,
    support: float,
    *,
    pooled: bool = False,
) -> str:
    """What one finding's map can be used for.

    `support` is the sum of its values above 0; `pooled`: the head is proven to be linear in the channels'
    means, so that all places of a channel count alike.
    """
    if method.class_agnostic:
        return f"{EXPLAINS_NO_FINDING} It shows what stands out."
    if not support > 0:
        said = _no_support(saliency_map, index, method, trust.residual_share)
        return " ".join([said, *_prior(trust.prior, placed=False)])
    basis = _basis(saliency_map, index, method, trust.residual_share, pooled=pooled)
    if saliency_map.unit is Unit.LOGIT and support < FAINT:
        faint = f"Hardly any evidence argues for it ({support:.1g} logits in all): its place says little."
        return " ".join([basis, faint, *_prior(trust.prior, placed=False)])
    sentences = (
        basis,
        *_zones(trust),
        *(() if method.opposing else _causal(trust.causal)),  # what argues against lowers no logit
        *_stability(trust.stability),
        *_agreement(trust.agreement),
        *_prior(trust.prior),
    )
    return " ".join(sentences)


def _no_support(saliency_map: SaliencyMap, index: int, method: Method, share: float) -> str:
    if saliency_map.unit is Unit.RELATIVE:
        against = " that argues against the finding" if method.opposing else ""
        return f"Nothing to see: {method.name} finds no place{against}. That says nothing about the logit."
    what = "this finding"
    if saliency_map.contrasts:
        what = f"{saliency_map.findings[index]} rather than {saliency_map.contrasts[index]}"
    if share > NOTABLE_RESIDUAL:
        return (
            f"No supporting evidence on this map, and {share:.0%} of the evidence is not on it "
            f"({saliency_map.residual[index]:+.2f} logits): it does not show that nothing argues for {what}."
        )
    return f"No supporting evidence: no place on the image argues for {what}."


def _basis(saliency_map: SaliencyMap, index: int, method: Method, share: float, *, pooled: bool) -> str:
    if saliency_map.unit is Unit.RELATIVE:
        opposing = "Bright places argue against the finding. " if method.opposing else ""
        return f"{opposing}Shows where, not how much: compare places within this map only."
    residual = saliency_map.residual[index]
    whole, unit = "the whole logit", "logits"
    if saliency_map.contrasts:
        whole = f"why {saliency_map.findings[index]} rather than {saliency_map.contrasts[index]}"
        unit = "logits of the difference"
    if abs(residual) <= LINEAR_WITHIN * max(1.0, abs(saliency_map.logits[index])):
        if method.sums_anyway and not pooled:
            return (
                f"The map adds up to {whole}, as {method.name} does wherever it puts the values: that is no "
                "proof of their places."
            )
        return f"The map accounts for {whole}: its values can be read, added and compared."
    net = abs(saliency_map.logits[index] - saliency_map.bias[index])
    if share <= NOTABLE_RESIDUAL and abs(residual) > max(FAINT, net / 2):
        return (
            f"For and against nearly cancel, and {abs(residual):.2g} of the {net:.2g} {unit} that they have "
            "to account for are not on the map: read it as where to look, not as how much."
        )
    if share <= NOTABLE_RESIDUAL:
        return f"The map accounts for all but {abs(residual):.2g} {unit}: read its values with that reserve."
    return (
        f"{share:.0%} of the evidence is not on the map ({residual:+.2f} {unit}): read it as where to look, "
        "not as how much."
    )


def _zones(trust: FindingTrust) -> Iterator[str]:
    outside, corner = trust.outside_share, trust.corner_share
    if outside is not None and outside >= NOTABLE_OUTSIDE:
        yield f"{outside:.0%} of the evidence lies outside the body: look for a shortcut."
    elif corner is not None and corner >= NOTABLE_CORNERS:
        yield f"{corner:.0%} of the evidence lies in the corners, where markers stand: look for a shortcut."


def _causal(check: CausalCheck | None) -> Iterator[str]:
    if check is None:
        return
    if check.z < STRONGER:
        yield (
            "Removing the hottest region does not lower the logit more than removing any region of its size "
            f"(z = {check.z:.1f}): do not rely on the place."
        )
        return
    yield (
        f"Removing the hottest region ({check.area:.0%} of the image) takes {check.effect:.2f} logits away, "
        f"more than removing others does (z = {check.z:.1f})."
    )


def _stability(check: StabilityCheck | None) -> Iterator[str]:
    if check is None or check.worst is None:
        return
    worst = next(change.name for change in check.changes if change.correlation == check.worst)
    if check.worst < SAME:
        yield f"The map is unstable: another one after {worst} (rank correlation {check.worst:.2f})."
    else:
        yield f"Stable under small changes of the image (rank correlation {check.worst:.2f} at worst)."


def _agreement(check: AgreementCheck | None) -> Iterator[str]:
    if check is None or check.correlation is None:
        return
    how = "agree" if check.correlation >= SAME else "place the evidence elsewhere"
    yield f"Other methods {how} (median rank correlation {check.correlation:.2f})."


def _prior(distance: PriorDistance | None, *, placed: bool = True) -> Iterator[str]:
    """What has changed since the prior; where hardly anything argues for the finding, no place has moved."""
    if distance is None:
        return
    parts = [f"the logit has changed by {distance.logit_change:+.2f}"]
    if distance.shift is not None and placed:
        parts.append(f"the evidence has moved by {_length(distance.shift, distance.shift_unit)}")
    if distance.correlation is not None:
        alike = "much the same pattern" if distance.correlation >= SAME else "another pattern"
        parts.append(f"{alike} (rank correlation {distance.correlation:.2f})")
    yield f"Since the prior: {', '.join(parts)}."


def _length(value: float, unit: str) -> str:
    return f"{value:.0f} mm" if unit == "mm" else f"{value:.0%} of the field's longest edge"
