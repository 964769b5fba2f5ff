"""What kill -9 at random moments loses and doubles: nothing.

`python benchmarks/faults.py --kills 50` has a station (`camlucida serve`) receive films by C-STORE, explain
them and write the results, and kills the server or a process that computes, chosen by chance, at a moment
chosen by chance. The modality sends what was not acknowledged again, as modalities do. At the end every film
must be there, explained and written once, and the audit trail be whole.

It runs on SQLite; where CAMLUCIDA_DATABASE_URL names an empty PostgreSQL database, on that, with more workers
(`camlucida work`) that are killed, too, and, where `--restart` is a command that restarts PostgreSQL, with
its restarts.
"""

import argparse
import os
import random
import shlex
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path

import psutil
from sqlalchemy import func, select
from station import dcmtk

from camlucida.errors import StoreError
from camlucida.examples.phantom.dicom import write_radiograph
from camlucida.examples.phantom.radiograph import radiograph
from camlucida.models.registry import Registry, shipped_models
from camlucida.settings import settings
from camlucida.store import claims, explanations
from camlucida.store.audit import trail
from camlucida.store.home import Home
from camlucida.store.tables import ExplanationRow, ImageRow, InstanceRow, OrderRow, OrderState, Origin, State

LONGEST_WAIT = 900.0  # seconds for all to be done, after the last kill
RESENT = 0.5  # seconds between two tries of the modality
PAUSE = (0.1, 8.0)  # seconds between two kills
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1"}


class Station:
    """The processes of a station, and a way to kill each."""

    def __init__(self, folder: Path, restart: str) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self._words = {"server": ["serve", "--port", "0", "--dicom-port", str(self.port)]}
        if settings().database_url.get_secret_value():
            self._words["more workers"] = ["work", "--concurrency", "2"]
        self._folder, self._restart = folder, restart
        self._running = {name: self._start(name) for name in self._words}
        self.killed: Counter[str] = Counter()

    def kill(self, chance: random.Random) -> None:
        """One of them, by chance."""
        ways = [self._kill_whole, self._kill_hand]
        if self._restart:
            ways.append(self._restart_database)
        self.killed[chance.choice(ways)(chance)] += 1

    def stop(self) -> None:
        """As Ctrl-C would."""
        for process in self._running.values():
            process.send_signal(signal.SIGINT)
            process.wait()

    def _start(self, name: str) -> "psutil.Popen":
        # One folder, as only the database is shared here: kept files have to be reached by all, too.
        command = [
            sys.executable,
            "-m",
            "camlucida.cli",
            *self._words[name],
            "--home",
            str(self._folder / "home"),
        ]
        return psutil.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=ENVIRONMENT)

    def _kill_whole(self, chance: random.Random) -> str:
        name = chance.choice(list(self._words))
        self._running[name].kill()
        self._running[name].wait()
        self._running[name] = self._start(name)
        return name

    def _kill_hand(self, chance: random.Random) -> str:
        hands = [child for process in self._running.values() for child in process.children()]
        if not hands:
            return "nothing: none computes yet"
        chance.choice(hands).kill()
        return "one that computes"

    def _restart_database(self, chance: random.Random) -> str:  # noqa: ARG002 - as the others
        subprocess.run(shlex.split(self._restart), check=True, stdout=subprocess.DEVNULL)  # noqa: S603
        return "PostgreSQL"


class Modality(threading.Thread):
    """Sends films one after the other, each until it is acknowledged."""

    def __init__(self, folder: Path, port: int, films: int, pause: float) -> None:
        super().__init__(daemon=True)
        self._folder, self._port, self._films, self._pause = folder, port, films, pause
        self.tries = 0

    def run(self) -> None:
        """Send them all."""
        for number in range(self._films):
            path = self._folder / f"{number}.dcm"
            write_radiograph(radiograph(number, rows=512), path)
            while not self._is_acknowledged(path):
                time.sleep(RESENT)
            time.sleep(self._pause)

    def _is_acknowledged(self, path: Path) -> bool:
        self.tries += 1
        words = ["-aec", "CAMLUCIDA", "-to", "5", "-td", "30", "127.0.0.1", str(self._port), str(path)]
        command = [dcmtk("storescu"), *words]
        return subprocess.run(command, capture_output=True, check=False).returncode == 0  # noqa: S603


def main() -> None:
    """Print what was killed and what was found."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--films", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--restart", default="", help="command that restarts PostgreSQL, one more fault")
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found = run(Path(folder), wanted)
    for name, value in found.items():
        print(f"{name:40} {value}")
    sys.exit(any(found[name] for name in ("lost", "doubled", "faults of the audit trail")))


def run(folder: Path, wanted: argparse.Namespace) -> dict[str, int]:
    """Kill, let it end, and count."""
    chance = random.Random(wanted.seed)  # noqa: S311 - nothing secret
    home = Home.open(folder / "home")
    (home.folder / "pacs.toml").write_text("[listen]\nquiet_seconds = 0\n", "utf-8")
    Registry(home.folder).add(shipped_models()["phantom-radiograph"])
    station = Station(folder, wanted.restart)
    modality = Modality(folder, station.port, wanted.films, wanted.kills * sum(PAUSE) / 2 / wanted.films)
    modality.start()
    for _ in range(wanted.kills):
        time.sleep(chance.uniform(*PAUSE))
        station.kill(chance)
    modality.join()
    _wait(home, wanted.films)
    station.stop()
    found = _count(home, wanted.films)
    home.close()
    killed = {f"killed: {name}": number for name, number in sorted(station.killed.items())}
    return {**killed, "films": wanted.films, "times that films were sent": modality.tries, **found}


def _wait(home: Home, films: int) -> None:
    """Until all is done; what has failed three times by our kills is tried again, as an operator would."""
    end = time.monotonic() + LONGEST_WAIT
    while time.monotonic() < end:
        try:
            if _is_done(home, films):
                return
            explanations.retry(home)
            claims.hurry(home)
        except StoreError as error:  # PostgreSQL is just being restarted
            print(error)
        time.sleep(1)


def _is_done(home: Home, films: int) -> bool:
    """Whether every film is explained and its results are written."""
    with home.database.read() as session:
        explained = session.scalar(
            select(func.count(ExplanationRow.id)).where(ExplanationRow.state == State.DONE)
        )
        waiting = session.scalar(select(func.count(OrderRow.id)).where(OrderRow.state == OrderState.WANTED))
    return explained == films and not waiting


def _count(home: Home, films: int) -> dict[str, int]:
    with home.database.read() as session:
        states = Counter(session.scalars(select(ExplanationRow.state)).all())
        images = len(session.scalars(select(ImageRow.id)).all())
        by_origin = Counter(session.scalars(select(InstanceRow.origin)).all())
        results = session.scalars(
            select(InstanceRow.sop_instance_uid).where(InstanceRow.origin == Origin.RESULT)
        ).all()
        orders = Counter(session.scalars(select(OrderRow.state)).all())
        held = session.scalars(select(ExplanationRow).where(ExplanationRow.claimed_by != "")).all()
    damaged = sum(not home.blobs.intact(digest) for digest, _ in home.blobs.sizes())
    received, written = by_origin[Origin.STORE], orders[OrderState.DONE]
    return {
        "received": received,
        "explained": states[State.DONE],
        "results of them written": written,
        "result objects": len(results),
        "lost": 3 * films - min(received, films) - states[State.DONE] - written + damaged + len(held),
        # These films show no finding, so there is no secondary capture: a report each.
        "doubled": received - films + images - films + len(results) - films,
        "faults of the audit trail": len(trail.verify(home).faults),
    }


if __name__ == "__main__":
    main()
