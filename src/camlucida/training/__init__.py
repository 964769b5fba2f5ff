"""Training with an eye on the evidence: watching it, penalties, artefact randomisation, last-layer repairs.

>>> from camlucida.training import LiveEvidence, region_penalty  # doctest: +SKIP
"""

from importlib import import_module
from typing import Any

_HOME = {
    "ArtefactRandomisation": "randomisation",
    "LiveEvidence": "evidence",
    "Retrained": "retraining",
    "group_numbers": "groups",
    "group_sampler": "groups",
    "group_weights": "groups",
    "on_cells": "regions",
    "region_penalty": "penalty",
    "retrain_last_layer": "retraining",
    "right_reasons": "penalty",
}

__all__ = [
    "ArtefactRandomisation",
    "LiveEvidence",
    "Retrained",
    "group_numbers",
    "group_sampler",
    "group_weights",
    "on_cells",
    "region_penalty",
    "retrain_last_layer",
    "right_reasons",
]


def __getattr__(name: str) -> Any:
    """Fetch a public name on first use: nobody pays for what is not asked for."""
    if name in _HOME:
        return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
