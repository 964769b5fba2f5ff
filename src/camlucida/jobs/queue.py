"""The one port of the jobs: what is to be computed next, and how a worker that waits is woken.

The table of what is wanted and done is the truth in both ways. Embedded, workers look into it; scaled,
Procrastinate says in the same PostgreSQL which of its rows is next (`scaled`). A claim decides in both.
"""

import os
import select
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from camlucida.store import claims
from camlucida.store.claims import Claim
from camlucida.store.home import Home
from camlucida.store.tables import Lane
from camlucida.store.turn import is_shared

FOLDER = "waiting"  # of the home: a named pipe for each worker, through which it is woken


class Queue(Protocol):
    """What a worker computes next."""

    by: str
    """The worker's name, which its claims bear."""
    lanes: Sequence[Lane]

    def take(self, model_digests: Sequence[str]) -> Claim | None:
        """Claim what is next of these models; None: nothing is."""

    def done(self, claim: Claim) -> None:
        """Say that what was claimed has ended, whatever came of it."""

    def wait(self, seconds: float) -> None:
        """Wait until something may be there, and not longer than this."""

    def close(self) -> None:
        """Take nothing more."""


class Embedded:
    """The queue of one machine: the table itself, and a named pipe to be woken by at once."""

    def __init__(self, home: Home, lanes: Sequence[Lane] = claims.ALL_LANES) -> None:
        self._home, self.lanes = home, lanes
        self.by = claims.worker_name()
        self._path = home.folder / FOLDER / str(os.getpid())
        self._path.parent.mkdir(mode=0o700, exist_ok=True)
        self._path.unlink(missing_ok=True)
        os.mkfifo(self._path, 0o600)
        # Open for writing, too: with no writer it would always be readable, at its end.
        self._pipe = os.open(self._path, os.O_RDWR | os.O_NONBLOCK)

    def take(self, model_digests: Sequence[str]) -> Claim | None:
        """Claim what is next of these models; None: nothing is."""
        return claims.take(self._home, self.by, model_digests, self.lanes)

    def done(self, claim: Claim) -> None:
        """Nothing: the row says it."""

    def wait(self, seconds: float) -> None:
        """Wait until somebody calls `wake`, and not longer than this."""
        if select.select([self._pipe], [], [], seconds)[0]:
            with suppress(BlockingIOError):
                while os.read(self._pipe, 4096):
                    pass

    def close(self) -> None:
        """Take the pipe away."""
        self._path.unlink(missing_ok=True)
        os.close(self._pipe)


def queue_of(home: Home, lanes: Sequence[Lane] = claims.ALL_LANES, *, once: bool = False) -> Queue:
    """The queue of a home, as its database is; `once`: that of who does not wait for what comes later."""
    if is_shared(home) and not once:
        from camlucida.jobs.scaled import Scaled  # noqa: PLC0415 - Procrastinate: where it is used

        return Scaled(home, lanes)
    return Embedded(home, lanes)


def put_back(home: Home) -> None:
    """Want again what workers have left that are gone; embedded, an expired claim is taken as it is."""
    if is_shared(home):
        from camlucida.jobs.scaled import sweep  # noqa: PLC0415 - as above

        sweep(home)


def wake(home: Home) -> None:
    """Have the workers of this machine look at once whether there is something to do."""
    for pipe in _pipes(home.folder / FOLDER):
        try:
            descriptor = os.open(pipe, os.O_WRONLY | os.O_NONBLOCK)
        except OSError:  # nobody reads it any longer: its worker was killed
            pipe.unlink(missing_ok=True)
            continue
        with suppress(BlockingIOError):  # it is full, so it will be read
            os.write(descriptor, b"!")
        os.close(descriptor)


def _pipes(folder: Path) -> list[Path]:
    return list(folder.iterdir()) if folder.is_dir() else []
