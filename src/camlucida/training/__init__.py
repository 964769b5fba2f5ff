"""Training with an eye on the evidence: watching it, penalties, artefact randomisation, last-layer repairs.

>>> from camlucida.training import LiveEvidence, region_penalty  # doctest: +SKIP
"""

from importlib import import_module
from typing import Any

_HOME = {
    "ArtefactRandomisation": "randomisation",
    "LiveEvidence": "evidence",
    "Retrained": "retraining",
    "Watch": "watch",
    "WatchCallback": "lightning",
    "flag_mask": "flag_masks",
    "group_numbers": "groups",
    "group_sampler": "groups",
    "group_weights": "groups",
    "on_cells": "regions",
    "on_input": "flag_masks",
    "read_flags": "flag_masks",
    "region_penalty": "penalty",
    "retrain_last_layer": "retraining",
    "right_reasons": "penalty",
}

# WatchCallback is not among them: a star would ask for Lightning.
__all__ = [
    "ArtefactRandomisation",
    "LiveEvidence",
    "Retrained",
    "Watch",
    "flag_mask",
    "group_numbers",
    "group_sampler",
    "group_weights",
    "on_cells",
    "on_input",
    "read_flags",
    "region_penalty",
    "retrain_last_layer",
    "right_reasons",
]


def __getattr__(name: str) -> Any:
    """Fetch a public name on first use: nobody pays for what is not asked for."""
    if name in _HOME:
        return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
