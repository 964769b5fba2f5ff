"""A station that receives and sends, as a process of its own: it can be killed, and its memory is its own.

    python receiving_station.py HOME SECONDS ASSOCIATIONS INSTANCE_BYTES

prints its port and ends when its standard input does. SECONDS bound every wait for a peer. What is due at the
destinations in HOME/pacs.toml is sent meanwhile.
"""

import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import psutil

from camlucida.cli.messages import log_to_stderr
from camlucida.pacs.acceptor import Bounds
from camlucida.pacs.configuration import Listening, read_configuration
from camlucida.pacs.receive import Receiver
from camlucida.pacs.send import Sender
from camlucida.store.home import Home


class Station:
    """Starts and ends the process; `stderr` in `folder/stderr` is for looking at afterwards.

    `before` are the first words of its command: a program that runs the rest.
    """

    def __init__(
        self,
        folder: Path,
        seconds: float = 30,
        associations: int = 16,
        instance_bytes: int = 1 << 28,
        before: Sequence[str] = (),
    ):
        self.home, self._said = folder / "home", folder / "stderr"
        self._bounds = [str(seconds), str(associations), str(instance_bytes)]
        self._before = before

    def __enter__(self) -> Self:
        with self._said.open("ab") as said:
            self.process = subprocess.Popen(  # noqa: S603
                [*self._before, sys.executable, "-W", "error", __file__, str(self.home), *self._bounds],
                stdin=-1, stdout=-1, stderr=said, text=True,
            )  # fmt: skip
        self.port = int(self.process.stdout.readline())
        self.watched = psutil.Process(self.process.pid)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self.process:
            self.process.stdin.close()
        if kind is None:
            assert self.process.returncode in {0, -signal.SIGKILL}, self.stderr

    @property
    def stderr(self) -> str:
        """What it has said."""
        return self._said.read_text()

    @property
    def memory(self) -> int:
        """Bytes in use."""
        return self.watched.memory_info().rss


def main(home: str, seconds: str, associations: str, instance_bytes: str) -> None:
    log_to_stderr(verbose=False)
    times = dict.fromkeys(
        ("opening_seconds", "pdu_seconds", "idle_seconds", "instance_seconds"), float(seconds)
    )
    bounds = Bounds(int(associations), int(instance_bytes), **times)
    opened = Home.open(Path(home))
    sender = Sender(opened, read_configuration(opened.folder))
    with Receiver(opened, Listening(port=0), bounds) as receiver:
        sender.start()
        print(receiver.port, flush=True)  # noqa: T201 - to whoever started it
        sys.stdin.read()
        sender.stop()


if __name__ == "__main__":
    main(*sys.argv[1:])
