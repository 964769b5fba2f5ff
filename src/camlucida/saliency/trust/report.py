"""The trust report of a map: its figures, finding by finding, and the line in words."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from camlucida.models.head import LINEAR_WITHIN, HeadProof
from camlucida.records.image import Image
from camlucida.records.saliency_map import SaliencyMap
from camlucida.records.trust_report import FindingTrust, HeadKind, TrustReport
from camlucida.rendering.body import FOUND, Body, body
from camlucida.saliency.method import Method
from camlucida.saliency.trust.statement import statement
from camlucida.saliency.trust.zones import border_share, corner_share, focality, outside_share, residual_share


def report(
    saliency_map: SaliencyMap,
    method: Method,
    proof: HeadProof | None,
    cautions: Sequence[str] = (),
    *,
    image: Image | None = None,
    checked: Mapping[str, Sequence[Any]] | None = None,
) -> TrustReport:
    """The trust report of a map; `proof` is that of the same network and target layer.

    Parameters
    ----------
    image
        The image that the map is of; without it no evidence is counted as outside the body.
    checked
        What the dear checks found, by the name of their field in FindingTrust, one entry a finding.
    """
    found = None if image is None else body(image)
    in_body = None if found is None else found.share_of_cells(saliency_map.geometry)
    support = np.clip(saliency_map.values, 0, None).astype(np.float64)
    sums = support.reshape(len(support), -1).sum(axis=1).tolist()
    findings = _findings(saliency_map, support, sums, in_body, checked or {})
    proven = proof is not None and proof.faithful(saliency_map.method)
    pooled = proof is not None and proof.faithful("grad-cam")
    own = (method.caution,) if method.caution and not proven else ()
    body_share = None if in_body is None else float(in_body.mean())
    return TrustReport(
        head=HeadKind.UNPROVEN if proof is None else proof.kind,
        head_deviation=None if proof is None else proof.deviation,
        findings=tuple(
            replace(one, statement=statement(saliency_map, index, method, one, sums[index], pooled=pooled))
            for index, one in enumerate(findings)
        ),
        cautions=(*cautions, *own),
        verdict="" if proof is None else verdict(proof, saliency_map.method),
        head_inputs=0 if proof is None else proof.inputs,
        head_images=0 if proof is None else proof.images,
        body_share=body_share,
        body=_body_in_words(found, body_share),
    )


def verdict(proof: HeadProof, method: str) -> str:
    """What the proof of a head means for a method's map."""
    if proof.faithful(method):
        return "faithful by theorem"
    if method == "hirescam":
        return f"approximate: residual up to {proof.deviation:.2g} logits"
    if method == "grad-cam":
        return f"approximate: residual up to {proof.deviation_pooled:.2g} logits"
    linear = proof.kind is HeadKind.LINEAR and proof.deviation <= LINEAR_WITHIN
    head = "the head is linear" if linear else f"the head is not linear (up to {proof.deviation:.2g} logits)"
    return f"{head}; no theorem covers this method: its own residual says what it leaves out"


def _findings(
    saliency_map: SaliencyMap,
    support: NDArray[np.float64],
    sums: Sequence[float],
    in_body: NDArray[np.float32] | None,
    checked: Mapping[str, Sequence[Any]],
) -> Iterator[FindingTrust]:
    """The figures of each finding, the line in words still empty."""
    figures = zip(
        _residual_shares(saliency_map, sums),
        focality(support),
        border_share(support),
        corner_share(support),
        outside_share(support, in_body),
        strict=True,
    )
    for index, (share, focal, border, corner, outside) in enumerate(figures):
        more = {name: results[index] for name, results in checked.items()}
        yield FindingTrust(share, focal, border, "", corner, outside, **more)


def _residual_shares(saliency_map: SaliencyMap, sums: Sequence[float]) -> list[float]:
    total = saliency_map.values.reshape(len(sums), -1).sum(axis=1, dtype=np.float64).tolist()
    return [
        residual_share(residual, plus, plus - whole)
        for residual, plus, whole in zip(saliency_map.residual, sums, total, strict=True)
    ]


def _body_in_words(found: Body | None, share: float | None) -> str:
    if found is None:
        return ""
    return found.why if share is None else FOUND.format(share=share)
