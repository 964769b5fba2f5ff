"""One at a time cares for a store: who removes files, and who copies them, keep out of each other's way."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from camlucida.errors import StoreError

FILE = "upkeep.lock"


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Hold a home's upkeep while the block runs; the lock goes with the process, however that ends.

    Raises
    ------
    StoreError
        Another process holds it.
    """
    with (folder / FILE).open("a", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise StoreError(
                "Another `camlucida store` command is at work in this home; wait until it has ended."
            ) from error
        yield
