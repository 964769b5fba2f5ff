"""What a map can and cannot be used for: figures, and one line in words.

This version has the cheap parts, given with every map: completeness (how much of the logit the map does not
explain), focality (how small an area holds half of the evidence) and the share of evidence at the border.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from camlucida.models.head import LINEAR_WITHIN, HeadProof
from camlucida.records.saliency_map import SaliencyMap, Unit
from camlucida.records.trust_report import FindingTrust, HeadKind, TrustReport
from camlucida.saliency.method import Method

NOTABLE_RESIDUAL = 0.1
"""Share of the evidence that may stay unexplained before the statement warns."""


def report(
    saliency_map: SaliencyMap, method: Method, proof: HeadProof | None, cautions: Sequence[str] = ()
) -> TrustReport:
    """The trust report of a map; `proof` is that of the same network and target layer."""
    support = np.clip(saliency_map.values, 0, None).astype(np.float64)
    findings = tuple(
        FindingTrust(share, focal, border, _statement(saliency_map, index, share))
        for index, (share, focal, border) in enumerate(
            zip(_residual_shares(saliency_map), focality(support), border_share(support), strict=True)
        )
    )
    proven = proof is not None and proof.faithful(saliency_map.method)
    own = (method.caution,) if method.caution and not proven else ()
    return TrustReport(
        head=HeadKind.UNPROVEN if proof is None else proof.kind,
        head_deviation=None if proof is None else proof.deviation,
        findings=findings,
        cautions=(*cautions, *own),
    )


def residual_share(residual: float, evidence_for: float, evidence_against: float) -> float:
    """|residual| / (|for| + |against| + |residual|): 0 when the map explains all, 1 when nothing."""
    whole = abs(residual) + abs(evidence_for) + abs(evidence_against)
    return abs(residual) / whole if whole else 0.0


def focality(support: NDArray[np.float64]) -> list[float | None]:
    """Share of the grid's cells that holds half of the support (finding, *space) ≥ 0; None without any."""
    falling = -np.sort(-support.reshape(len(support), -1), axis=1)
    total = falling.sum(axis=1, keepdims=True)
    cells = (np.cumsum(falling, axis=1) < total / 2).sum(axis=1) + 1
    return _where_supported(total, cells / falling.shape[1])


def border_share(support: NDArray[np.float64]) -> list[float | None]:
    """Share of the support (finding, *space) ≥ 0 in the outermost ring of cells; None without any."""
    # An axis of one or two cells is border all over, and says nothing about where the evidence is.
    inner = tuple(slice(1, -1) if size > 2 else slice(None) for size in support.shape[1:])
    total = support.reshape(len(support), -1).sum(axis=1)
    within = support[:, *inner].reshape(len(support), -1).sum(axis=1)
    return _where_supported(total, 1 - within / np.where(total > 0, total, 1))


def _where_supported(total: NDArray[np.float64], figures: NDArray[np.float64]) -> list[float | None]:
    supported = total.ravel() > 0
    return [float(figure) if has else None for figure, has in zip(figures, supported, strict=True)]


def _residual_shares(saliency_map: SaliencyMap) -> list[float]:
    positive = np.clip(saliency_map.values, 0, None).reshape(len(saliency_map.values), -1).sum(axis=1)
    negative = np.clip(saliency_map.values, None, 0).reshape(len(saliency_map.values), -1).sum(axis=1)
    return [
        residual_share(residual, float(plus), float(minus))
        for residual, plus, minus in zip(saliency_map.residual, positive, negative, strict=True)
    ]


def _statement(saliency_map: SaliencyMap, index: int, share: float) -> str:
    if not saliency_map.supported(index):
        return "No supporting evidence: no place on the image argues for this finding."
    if saliency_map.unit is Unit.RELATIVE:
        return "Shows where, not how much: compare places within this map only."
    residual = saliency_map.residual[index]
    if abs(residual) <= LINEAR_WITHIN * max(1.0, abs(saliency_map.logits[index])):
        return "The map accounts for the whole logit: its values can be read, added and compared."
    if share <= NOTABLE_RESIDUAL:
        return f"The map accounts for all but {abs(residual):.2g} logits: read its values with that reserve."
    return (
        f"{share:.0%} of the evidence is not on the map ({residual:+.2f} logits): read it as where to look, "
        "not as how much."
    )
