"""Colour tables, the same file as the viewer's: 256 colours each, monotone in lightness (but for jet)."""

import json
from enum import StrEnum
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np
from numpy.typing import NDArray

from camlucida.errors import InputError


class Kind(StrEnum):
    """What a table is made for."""

    SEQUENTIAL = "sequential"  # from no evidence to evidence for
    DIVERGING = "diverging"  # from evidence against, over none, to evidence for


def names() -> tuple[str, ...]:
    """All colour maps; those that are monotone in lightness first."""
    return tuple(_maps())


def label(name: str) -> str:
    """What the screen says: jet is called misleading there."""
    return str(_map(name)["label"])


def kind(name: str) -> Kind:
    """Whether the table has two sides."""
    return Kind(_map(name)["kind"])


@cache
def table(name: str) -> NDArray[np.uint8]:
    """The 256 colours (256, 3) of a colour map, red, green, blue.

    Raises
    ------
    InputError
        There is no such colour map.
    """
    colours = np.frombuffer(bytes.fromhex(_map(name)["rgb"]), np.uint8).reshape(256, 3)
    colours.flags.writeable = False
    return colours


def strength(name: str, values: NDArray[Any], scale: float) -> NDArray[np.float64]:
    """How far values are on the way to full colour: -1..1 for a diverging map, else 0..1; same shape."""
    lowest = -1.0 if kind(name) is Kind.DIVERGING else 0.0
    return np.clip(np.asarray(values, np.float64) / scale, lowest, 1.0)


def entries(name: str, values: NDArray[Any], scale: float) -> NDArray[np.uint8]:
    """Which of the 256 colours each value has (same unit as `scale`), same shape."""
    shown = strength(name, values, scale)
    if kind(name) is Kind.DIVERGING:
        shown = (shown + 1) / 2
    return np.floor(255 * shown + 0.5).astype(np.uint8)


@cache
def _maps() -> dict[str, dict[str, str]]:
    text = files("camlucida.rendering").joinpath("colour_tables.json").read_text("utf-8")
    maps: dict[str, dict[str, str]] = json.loads(text)["maps"]
    return maps


def _map(name: str) -> dict[str, str]:
    if name in _maps():
        return _maps()[name]
    raise InputError(f"There is no colour map “{name}”; there are: {', '.join(names())}.")
