"""Ctrl-C between two steps: nothing is torn, and no library swallows the wish to stop."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def stopping_between_steps() -> Iterator[Callable[[], None]]:
    """Hold a Ctrl-C back until the function given is called, which then raises it; a second one acts at once.

    Raised wherever it comes, a KeyboardInterrupt can hit a weak reference's callback, where Python prints it
    and goes on.
    """
    asked = False

    def ask(_signal: int, _frame: FrameType | None) -> None:
        nonlocal asked
        if asked:
            raise KeyboardInterrupt
        asked = True

    def check() -> None:
        if asked:
            raise KeyboardInterrupt

    before = signal.signal(signal.SIGINT, ask)
    try:
        yield check
        check()
    finally:
        signal.signal(signal.SIGINT, before)
