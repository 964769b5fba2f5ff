"""One at a time in a home: whoever has the lock works; the lock goes with the process, however that ends."""

import fcntl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

FILE = "working.lock"
LOOK_AGAIN = 1.0  # seconds


@contextmanager
def turn(folder: Path, wait: Callable[[float], bool], file_name: str = FILE) -> Iterator[bool]:
    """Wait for the turn to work in a home folder; False: it did not come.

    `wait` waits some seconds and says whether to give up. Another `file_name` is another work.
    """
    with (folder / file_name).open("a", encoding="utf-8") as file:
        while not (mine := _lock(file.fileno())):
            if wait(LOOK_AGAIN):
                break
        yield mine


def is_taken(folder: Path) -> bool:
    """Whether somebody works in a home folder now."""
    with (folder / FILE).open("a", encoding="utf-8") as file:
        return not _lock(file.fileno(), fcntl.LOCK_SH)


def _lock(descriptor: int, kind: int = fcntl.LOCK_EX) -> bool:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
