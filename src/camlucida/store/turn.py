"""One at a time in a station: whoever has the turn works; it goes with the process, however that ends.

On one machine it is a lock on a file of the home folder; where several machines share a PostgreSQL, it is an
advisory lock of a connection that is held open.
"""

import fcntl
import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TextIO

from sqlalchemy import Connection, text
from sqlalchemy.exc import SQLAlchemyError

from camlucida.store import claims
from camlucida.store.home import Home

FILE = "working.lock"
KEEPING_HOUSE = "keeping-house.lock"
"""To read what has arrived and to write results."""
TELLING = "telling.lock"
"""To send the audit trail to a syslog server."""
UPKEEP = "upkeep.lock"
"""To remove, check or copy kept files."""
LOOK_AGAIN = 1.0  # seconds


class Turn:
    """A turn that may be taken and released; `name` says at what."""

    def __init__(self, home: Home, name: str = FILE) -> None:
        self._home, self._name = home, name
        self._file: TextIO | None = None
        self._connection: Connection | None = None

    def take(self) -> bool:
        """Whether the turn is ours, from now on or still: with its connection it is lost."""
        if is_shared(self._home):
            return self._still() or self._lock_in_database()
        return self._file is not None or self._lock_file()

    def release(self) -> None:
        """Let others have it."""
        if self._file is not None:
            self._file.close()
        if self._connection is not None:
            self._connection.invalidate()  # closed, not put back into the pool: the lock goes with it
            self._connection.close()
        self._file = self._connection = None

    def _lock_file(self) -> bool:
        file = (self._home.folder / self._name).open("a", encoding="utf-8")
        if not _lock(file.fileno()):
            file.close()
            return False
        self._file = file
        return True

    def _lock_in_database(self) -> bool:
        key = int.from_bytes(hashlib.sha256(self._name.encode()).digest()[:8], "big", signed=True)
        with suppress(SQLAlchemyError):  # it does not answer: then the turn is nobody's
            connection = self._home.database.engine.connect().execution_options(isolation_level="AUTOCOMMIT")
            self._connection = connection
            if connection.scalar(text("SELECT pg_try_advisory_lock(:key)"), {"key": key}):
                return True
        self._let_go()
        return False

    def _still(self) -> bool:
        if self._connection is None:
            return False
        try:
            return bool(self._connection.scalar(text("SELECT 1")))
        except SQLAlchemyError:
            self._let_go()
            return False

    def _let_go(self) -> None:
        """As `release`, of a connection that may be broken."""
        with suppress(SQLAlchemyError):
            self.release()
        self._connection = None


@contextmanager
def turn(home: Home, wait: Callable[[float], bool], name: str = FILE) -> Iterator[bool]:
    """Wait for the turn to work in a home; False: it did not come.

    `wait` waits some seconds and says whether to give up. Another `name` is another work.
    """
    one = Turn(home, name)
    try:
        while not (mine := one.take()):
            if wait(LOOK_AGAIN):
                break
        yield mine
    finally:
        one.release()


def is_shared(home: Home) -> bool:
    """Whether several machines may work in this station: it is in a PostgreSQL."""
    return home.database.engine.dialect.name == "postgresql"


def is_taken(home: Home) -> bool:
    """Whether somebody works in a home now."""
    if is_shared(home):
        with home.database.read() as session:
            return any(claims.is_alive(worker) for worker in claims.workers(session))
    with (home.folder / FILE).open("a", encoding="utf-8") as file:
        return not _lock(file.fileno(), fcntl.LOCK_SH)


def _lock(descriptor: int, kind: int = fcntl.LOCK_EX) -> bool:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
