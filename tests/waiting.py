"""Waiting for what another thread or process does: for a condition, never for a time."""

import time
from collections.abc import Callable
from typing import TypeVar

Found = TypeVar("Found")


def until(found: Callable[[], Found], seconds: float = 120, said: Callable[[], str] = str) -> Found:
    """What it finds, once it finds something; `said` is told where that does not come to be."""
    end = time.monotonic() + seconds
    while not (got := found()):
        assert time.monotonic() < end, f"it did not come to be within {seconds} s. {said()}"
        time.sleep(0.05)
    return got
