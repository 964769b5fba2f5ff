"""The processes that compute in a home, started and watched together; no network in this one."""

import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from sqlalchemy.exc import DatabaseError

from camlucida.errors import StoreError
from camlucida.jobs.hand import Hand
from camlucida.store import attempts, counters
from camlucida.store.counters import Counter
from camlucida.store.home import Home
from camlucida.store.tables import Lane
from camlucida.store.turn import is_shared, turn

LOOK = 0.1  # seconds


class Crew:
    """So many processes `camlucida work`. In a home on one machine there is one crew at a time."""

    def __init__(
        self,
        home: Home,
        *,
        lanes: Sequence[Lane] = tuple(Lane),
        number: int = 1,
        once: bool = False,
        verbose: bool = False,
        stopping: threading.Event | None = None,
        told: Callable[[dict[str, Any]], None] = lambda _: None,
    ) -> None:
        """`once`: each does what is to be done now, and ends. `told` gets what they say of their steps.

        All end when `stopping` is set.
        """
        words = [*(["--verbose"] if verbose else []), "work", "--until-stdin-ends"]
        words += ["--home", str(home.folder), "--queue", ",".join(lanes), *(["--once"] if once else [])]
        command = [sys.executable, "-m", "camlucida.cli", *words]
        self._home, self._once = home, once
        self.hands = [
            Hand(home, command, once=once, told=told, started_again=self._count_restart)
            for _ in range(number)
        ]
        self._stopping = stopping or threading.Event()
        self._thread = threading.Thread(target=self._wait_and_run, name="crew", daemon=True)

    def start(self) -> None:
        """Start them as soon as no other crew works here."""
        self._thread.start()

    def stop(self) -> None:
        """End them all; what is being done is done first, if it does not take long."""
        self._stopping.set()
        self._thread.join()

    def run(self) -> None:
        """Start them, and wait until they shall end, or, with `once`, until all have ended."""
        for hand in self.hands:
            hand.start()
        while not self._stopping.wait(LOOK):
            if self._once and all(hand.has_ended for hand in self.hands):
                break
        killed = [hand.stop() for hand in self.hands]  # all of them, whatever came of the first
        if any(killed):
            attempts.forgive(self._home)

    def _wait_and_run(self) -> None:
        if is_shared(self._home):
            self.run()
            return
        with turn(self._home, self._stopping.wait) as mine:
            if mine and not self._stopping.is_set():
                self.run()

    def _count_restart(self) -> None:
        with suppress(DatabaseError, StoreError), self._home.database.write() as session:
            counters.count(session, Counter.RESTARTS, "worker")
