"""A process that computes, seen from the one that watches it: what it does, its limits, and how it ended.

It says on its standard output, a line of JSON each, what it has begun and ended. The process that watches
has no network in it, so it outlives whatever a network does: a crash, all of the memory, a loop without end.
"""

import json
import os
import signal
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import structlog
from sqlalchemy.exc import DatabaseError

from camlucida.errors import StoreError
from camlucida.jobs.heartbeat import NOT_WANTED
from camlucida.jobs.supervisor import Again, Supervisor
from camlucida.store import claims
from camlucida.store.home import Home

LOOK = 0.2  # seconds between two looks at its memory and its time
PAGE = os.sysconf("SC_PAGE_SIZE")
GB = 1e9

TOO_LONG = (
    "It took longer than the {:g} s that it may: `[resources] seconds` of the model's card, or the setting "
    "CAMLUCIDA_EXPLANATION_SECONDS, says how long."
)
TOO_LARGE = (
    "It took more than the {:.2f} GB of memory that it may: `[resources] memory_gb` of the model's card, or "
    "the setting CAMLUCIDA_EXPLANATION_MEMORY_GB, says how much."
)

_log = structlog.get_logger()


@dataclass(frozen=True)
class Doing:
    """What a process computes, and how long and how large it may become."""

    id: int
    seconds: float
    bytes: float
    begun: float  # by time.monotonic


class Hand:
    """A process that computes, started again when it dies; what it held is due again later, or has failed."""

    def __init__(
        self,
        home: Home,
        command: Sequence[str],
        *,
        once: bool = False,
        told: Callable[[dict[str, Any]], None] = lambda _: None,
        started_again: Callable[[], None] = lambda: None,
    ) -> None:
        """`once`: it is started again only where something has ended it. `told` gets what it says."""
        self._home, self._once, self._tell = home, once, told
        self._name = self._why = ""
        self._doing: Doing | None = None
        self._ended = threading.Event()
        self._supervisor = Supervisor(
            command, "worker", started_again=started_again, listen=self._listen, after=self._after
        )
        self._watch = threading.Thread(target=self._look, name="limits", daemon=True)
        self.code: int | None = None

    @property
    def pid(self) -> int | None:
        """The process that runs now, if one does."""
        return self._supervisor.pid

    def start(self) -> None:
        """Start it, and again whenever it dies."""
        self._supervisor.start()
        self._watch.start()

    def stop(self) -> bool:
        """End it; whether it had to be killed in the middle of something, which is wanted as before then."""
        killed = self._supervisor.stop()
        self._ended.set()
        self._watch.join()
        if killed and self._name:
            with suppress(DatabaseError, StoreError):
                claims.give_back(self._home, self._name)
                claims.gone(self._home, self._name)
        return killed

    @property
    def has_ended(self) -> bool:
        """Whether it has done what it had to, and is not started again."""
        return not self._supervisor.is_going_on

    def _listen(self, output: IO[bytes]) -> None:
        for line in output:
            with suppress(ValueError):
                said = json.loads(line)
                if "name" in said:
                    self._name = said["name"]
                if "begun" in said:
                    self._doing = Doing(said["begun"], said["seconds"], said["bytes"], time.monotonic())
                if "ended" in said:
                    self._doing = None
                self._tell(said)

    def _look(self) -> None:
        while not self._ended.wait(LOOK):
            doing, pid = self._doing, self.pid
            if doing is None or pid is None:
                continue
            why = over(doing, time.monotonic(), memory_of(pid))
            if why and self._doing is doing:
                self._why = why
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)

    def _after(self, code: int) -> Again:
        self.code = code
        why, self._why, doing, self._doing = self._why, "", self._doing, None
        if doing is not None and self._name and code != NOT_WANTED:
            reason = why or how_it_ended(code)
            _log.warning("what computes an explanation has ended", explanation=doing.id, reason=reason)
            with suppress(DatabaseError, StoreError):  # then its lease expires
                claims.lost(self._home, self._name, reason)
        if self._once and code >= 0 and code != NOT_WANTED:
            return Again.NEVER
        return Again.AT_ONCE if why or code == NOT_WANTED else Again.LATER


def over(doing: Doing, moment: float, size: float) -> str:
    """Why a process has to be ended; "": it may go on. `size` is its memory in bytes."""
    if doing.seconds and moment - doing.begun > doing.seconds:
        return TOO_LONG.format(doing.seconds)
    if doing.bytes and size > doing.bytes:
        return TOO_LARGE.format(doing.bytes / GB)
    return ""


def how_it_ended(code: int) -> str:
    """A sentence for an exit code, as `subprocess` gives it: below 0 it is the signal."""
    if code == -signal.SIGKILL:
        return "Its process was killed; most often it is the system that has no memory left for it."
    if code < 0:
        return f"Its process has crashed ({signal.Signals(-code).name})."
    return f"Its process has ended (exit code {code})."


def memory_of(pid: int) -> int:
    """The resident memory of a process in bytes; 0 where it is gone, or the system does not say it."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1]) * PAGE
    except (OSError, IndexError, ValueError):
        return 0


def most_memory() -> float:
    """Nine tenths of the memory of this machine or container, in bytes; 0 where the system does not say."""
    sizes = [os.sysconf("SC_PHYS_PAGES") * PAGE]
    with suppress(OSError, ValueError):  # "max", or not Linux
        sizes.append(int(Path("/sys/fs/cgroup/memory.max").read_text(encoding="ascii")))
    return 0.9 * max(0, min(sizes))
