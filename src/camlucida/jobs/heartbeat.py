"""What runs beside the computing of one explanation, in its process: the claim is renewed while it goes on.

When it is not wanted any longer (cancelled, or another worker has it), the next step of the method ends it; a
method that takes no steps is ended with its process.
"""

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from sqlalchemy.exc import DatabaseError

from camlucida.errors import StoreError
from camlucida.store import claims
from camlucida.store.claims import Claim
from camlucida.store.home import Home
from camlucida.store.tables import ExplanationRow

BEAT = 0.5  # seconds
RENEW = claims.LEASE.total_seconds() / 4
GRACE = 3.0  # seconds for a method to take its next step
NOT_WANTED = 75  # the exit code of a process that was ended because nobody wants what it computes


class Dropped(Exception):  # noqa: N818 - no fault: nobody wants it any longer
    """What is being computed was cancelled, or is another worker's."""


class Heartbeat:
    """The heartbeat of one claim."""

    def __init__(self, home: Home, claim: Claim, *, grace: float | None = GRACE) -> None:
        """`grace`: the process is ended so long after its work is not wanted any more; None: never."""
        self._home, self._claim, self._grace = home, claim, grace
        self._told = self._steps = (0, 0)
        self._renewed = time.monotonic()
        self._dropped = False
        self._ended = threading.Event()

    def progress(self, done: int, of: int) -> None:
        """Take note of a step.

        Raises
        ------
        Dropped
            It is not wanted any longer.
        """
        self._steps = (done, of)
        if self._dropped:
            raise Dropped

    def run(self) -> None:
        """Beat until the end."""
        while not self._ended.wait(BEAT):
            with suppress(StoreError, DatabaseError):  # the next beat tries again; the lease is longer
                self._dropped = not self._beat()
            if self._dropped:
                if not self._ended.wait(self._grace):
                    os._exit(NOT_WANTED)
                return

    def end(self) -> None:
        """Beat no more."""
        self._ended.set()

    def _beat(self) -> bool:
        if self._steps != self._told or time.monotonic() - self._renewed > RENEW:
            steps = self._steps
            renewed = claims.renew(self._home, self._claim, *steps)
            self._told, self._renewed = steps, time.monotonic()
            return renewed
        with self._home.database.read() as session:
            row = session.get(ExplanationRow, self._claim.id)
            return row is not None and claims.holds(row, self._claim.by)


@contextmanager
def beating(home: Home, claim: Claim, *, grace: float | None = GRACE) -> Iterator[Heartbeat]:
    """Beat while the block runs; `grace` as in `Heartbeat`."""
    heartbeat = Heartbeat(home, claim, grace=grace)
    thread = threading.Thread(target=heartbeat.run, name="heartbeat", daemon=True)
    thread.start()
    try:
        yield heartbeat
    finally:
        heartbeat.end()
        thread.join()
