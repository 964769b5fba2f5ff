"""Training with an eye on the evidence: watching it, penalties, artefact randomisation, last-layer repairs.

>>> from camlucida.training import LiveEvidence, region_penalty  # doctest: +SKIP
"""

from importlib import import_module
from typing import Any

_HOME = {
    "LiveEvidence": "evidence",
    "on_cells": "regions",
    "region_penalty": "penalty",
    "right_reasons": "penalty",
}

__all__ = [
    "LiveEvidence",
    "on_cells",
    "region_penalty",
    "right_reasons",
]


def __getattr__(name: str) -> Any:
    """Fetch a public name on first use: nobody pays for what is not asked for."""
    if name in _HOME:
        return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
