"""A process beside this one: started again when it dies, ended with this one, never left behind.

Its stdin is a pipe that nobody writes to: it ends when this process is gone, however that went, and the
other side ends by it.
"""

import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from enum import Enum
from typing import IO

import structlog

SHORTEST_WAIT = 1.0  # seconds until it is started again, doubled each time
LONGEST_WAIT = 60.0
WELL_AFTER = 60.0  # seconds of running after which the next end counts as the first again
GRACE = 5.0  # seconds for what it is doing, when it shall end

_log = structlog.get_logger()


class Again(Enum):
    """When a process that has ended is started again."""

    LATER = "later"  # ever later, while it ends again and again
    AT_ONCE = "at once"  # it was ended by us
    NEVER = "never"  # it had done what it had to


class Supervisor:
    """Runs a command from `start` to `stop`; `started_again` is called each time that it had to be.

    `listen` reads what the process writes to its standard output; `after` gets the exit code of one that has
    ended by itself and says when it is started again.
    """

    def __init__(
        self,
        command: Sequence[str],
        name: str,
        *,
        shortest_wait: float = SHORTEST_WAIT,
        grace: float = GRACE,
        started_again: Callable[[], None] = lambda: None,
        listen: Callable[[IO[bytes]], None] | None = None,
        after: Callable[[int], Again] = lambda _: Again.LATER,
    ) -> None:
        self._command, self._name, self._started_again = list(command), name, started_again
        self._listen, self._after = listen, after
        self._shortest_wait, self._grace = shortest_wait, grace
        self._ending = threading.Event()
        self._starting = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._thread = threading.Thread(target=self._run, name=f"supervise-{name}", daemon=True)

    @property
    def pid(self) -> int | None:
        """The process that runs now, if one does."""
        process = self._process
        return None if process is None or process.poll() is not None else process.pid

    def start(self) -> None:
        """Start it, and again whenever it ends."""
        self._thread.start()

    @property
    def is_going_on(self) -> bool:
        """Whether it runs, or will be started again."""
        return self._thread.is_alive()

    def stop(self) -> bool:
        """End it; whether it had to be killed in the middle of something."""
        with self._starting:
            self._ending.set()
        process = self._process
        if process is not None and process.poll() is None:
            process.terminate()
            try:
                process.wait(self._grace)
            except subprocess.TimeoutExpired:
                process.kill()
        self._thread.join()
        return process is not None and process.returncode == -signal.SIGKILL

    def _run(self) -> None:
        wait = self._shortest_wait
        while True:
            begun = time.monotonic()
            code = self._run_once()
            if self._ending.is_set() or code is None:
                return
            again = self._after(code)
            if again is Again.NEVER:
                return
            if again is Again.AT_ONCE or time.monotonic() - begun > WELL_AFTER:
                wait = self._shortest_wait
            pause = 0.0 if again is Again.AT_ONCE else wait
            _log.warning("a process has ended", name=self._name, code=code, again_in_seconds=pause)
            self._ending.wait(pause)
            wait = min(2 * wait, LONGEST_WAIT)
            self._started_again()

    def _run_once(self) -> int | None:
        """Run it to its end; its exit code. Nothing is started when all shall end."""
        with self._starting:
            if self._ending.is_set():
                return None
            # A session of its own: Ctrl-C in a terminal is for this process, which then ends that one.
            self._process = subprocess.Popen(  # noqa: S603 - our own command
                self._command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE if self._listen else subprocess.DEVNULL,
                start_new_session=True,
            )
        with self._process as process:
            listening = threading.Thread(
                target=self._listen or (lambda _: None), args=[process.stdout], daemon=True
            )
            listening.start()
            code = process.wait()
            with suppress(
                ProcessLookupError, PermissionError
            ):  # what it had started, and its end of the pipe
                os.killpg(process.pid, signal.SIGKILL)
            listening.join()
            return code
