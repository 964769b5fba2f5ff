"""What pydicom and decoders warn of, taken up thread by thread.

`warnings.catch_warnings` changes the whole process: of two threads that use it at once, one leaves the
other's recording behind, for ever. A station receives in many threads.
"""

import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

_lock = threading.Lock()
_heard = threading.local()
_state: dict[str, Any] = {"blocks": 0}


@contextmanager
def warned() -> Iterator[list[str]]:
    """The categories of what this thread is warned of; the text may quote a file and is dropped."""
    heard: list[str] = []
    outer = getattr(_heard, "kinds", None)
    _heard.kinds = heard
    _begin()
    try:
        yield heard
    finally:
        _end()
        _heard.kinds = outer


def _begin() -> None:
    with _lock:
        _state["blocks"] += 1
        if _state["blocks"] == 1:
            _state["before"] = warnings.catch_warnings()
            _state["before"].__enter__()
            _state["show"] = warnings.showwarning
            warnings.simplefilter("always")
            warnings.showwarning = _hear


def _end() -> None:
    with _lock:
        _state["blocks"] -= 1
        if _state["blocks"] == 0:
            _state["before"].__exit__(None, None, None)


def _hear(message: Any, category: type[Warning], *place: Any, **more: Any) -> None:
    kinds = getattr(_heard, "kinds", None)
    if kinds is None:  # of a thread that is in no block
        _state["show"](message, category, *place, **more)
    else:
        kinds.append(category.__name__)
