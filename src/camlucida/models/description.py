"""A registered model in words and numbers, for a page: its card, its proof, its digests. No torch."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from camlucida.models.card import ModelCard, read_card
from camlucida.models.registry import Registered, Registry


def describe_all(home: Path) -> list[dict[str, Any]]:
    """All registered models of a home folder, retired ones too, by name, the newest version first."""
    newest_first = Registry(home).list()[::-1]
    return [describe(model) for model in sorted(newest_first, key=lambda model: model.name)]


def describe(model: Registered) -> dict[str, Any]:
    """What the registry and the card say of a model, as plain JSON types."""
    card = read_card(model.folder)
    return {
        "key": model.key,
        "name": model.name,
        "version": model.version,
        "title": model.title,
        "digest": model.digest,
        "files": dict(model.files),
        "parameters": model.parameters,
        "target_layer": model.head["target_layer"],
        "layer_named": model.layer_named,
        "native_grid": list(model.head["grid"]),
        "head": model.head["kind"],
        "proof": head_statement(model.head),
        "cautions": list(model.cautions),
        "registered": model.registered,
        "checked": model.checked,
        "retired": model.retired,
        "library_version": model.library_version,
        "torch_version": model.torch_version,
        "card": _card(card),
    }


def _card(card: ModelCard) -> dict[str, Any]:
    preparation = card.preparation
    return {
        "intended_use": card.intended_use,
        "limits": card.limits,
        "licence": card.licence,
        "attribution": card.attribution,
        "architecture": card.architecture or Path(card.weights).suffix,
        "modality": list(card.modality),
        "phantoms": card.phantoms.value,
        "size": list(preparation.size),
        "channels": preparation.channels,
        "fit": preparation.fit,
        "intensity": preparation.intensity,
        "output": card.output.value,
        "task": card.task.value,
        "findings": [
            {
                "name": finding.name,
                "operating_point": finding.operating_point,
                "code": f"{finding.concept.value} {finding.concept.scheme}" if finding.concept else "",
                "meaning": finding.concept.meaning if finding.concept else "",
            }
            for finding in card.findings
        ],
    }


def head_statement(head: Mapping[str, Any]) -> str:
    """What the proof means, in words; `head` holds the fields of HeadProof."""
    images = head.get("images", 0)
    inputs = f"on {head['inputs']} inputs" + (f", {images} of them images" if images else ", made-up ones")
    exact, pooled = f"{head['deviation']:.1e}", f"{head['deviation_pooled']:.1e}"
    if head["kind"] != "linear":
        return (
            f"not linear: maps are approximate; what HiResCAM leaves unexplained is up to {exact}, Grad-CAM "
            f"{pooled} logits {inputs}"
        )
    if head["deviation_pooled"] > 1e-4:
        return (
            f"linear: HiResCAM is faithful by theorem, |sum + bias - logit| ≤ {exact} {inputs}; Grad-CAM is "
            f"approximate, its residual up to {pooled} logits"
        )
    largest = max(head["deviation"], head["deviation_pooled"])
    return (
        "linear: HiResCAM and Grad-CAM are faithful by theorem, |sum + bias - logit| ≤ "
        f"{largest:.1e} logits {inputs}"
    )
