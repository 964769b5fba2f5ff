"""What kill -9 at random moments loses and doubles: nothing.

`python benchmarks/faults.py --kills 50` has a station (`camlucida work`, on SQLite, or on PostgreSQL where
CAMLUCIDA_DATABASE_URL is set to an empty database) read and explain films that keep arriving, and kills one
of its processes, chosen by chance, at a moment chosen by chance. At the end all must be explained, once.
"""

import argparse
import os
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import psutil
from sqlalchemy import func, select

from camlucida.examples.phantom.dicom import write_radiograph
from camlucida.examples.phantom.radiograph import radiograph
from camlucida.models.registry import Registry, shipped_models
from camlucida.store import claims, explanations, instances
from camlucida.store.home import Home
from camlucida.store.tables import ExplanationRow, ImageRow, InstanceRow, OrderRow, Origin, State

LONGEST_WAIT = 900.0  # seconds for all to be done, after the last kill
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1"}


def main() -> None:
    """Print what was killed and what was found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--films", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found = run(Path(folder), kills=wanted.kills, films=wanted.films, chance=random.Random(wanted.seed))  # noqa: S311
    for name, value in found.items():
        print(f"{name:40} {value}")
    sys.exit(found["lost"] > 0 or found["doubled"] > 0)


def run(folder: Path, *, kills: int, films: int, chance: random.Random) -> dict[str, int]:
    """Kill, let it end, and count."""
    home = Home.open(folder / "home")
    (home.folder / "pacs.toml").write_text("[listen]\nquiet_seconds = 0\n", "utf-8")
    Registry(home.folder).add(shipped_models()["phantom-radiograph"])
    killed: Counter[str] = Counter()
    station = _start(home)
    arrived = 0
    for number in range(max(kills, films)):
        if arrived < films:
            _arrive(home, folder, arrived)
            arrived += 1
        if number < kills:
            time.sleep(chance.uniform(0.1, 6.0))
            station = _kill(home, station, chance, killed)
    _wait(home, films)
    station.terminate()
    station.wait()
    found = _count(home, films)
    home.close()
    told = {"killed: the one that watches": killed["watching"], "killed: one that computes": killed["hand"]}
    return {**told, **found}


def _start(home: Home) -> "psutil.Popen":
    words = ["-m", "camlucida.cli", "work", "--concurrency", "2", "--home", str(home.folder)]
    return psutil.Popen([sys.executable, *words], stderr=subprocess.DEVNULL, env=ENVIRONMENT)


def _arrive(home: Home, folder: Path, number: int) -> None:
    path = folder / f"{number}.dcm"
    write_radiograph(radiograph(number, rows=512), path)
    instances.take(home, path, Origin.STORE, "MODALITY")


def _kill(
    home: Home, station: "psutil.Popen", chance: random.Random, killed: "Counter[str]"
) -> "psutil.Popen":
    hands = station.children()
    if hands and chance.random() < 0.7:
        chance.choice(hands).kill()
        killed["hand"] += 1
        return station
    station.kill()
    station.wait()
    killed["watching"] += 1
    return _start(home)


def _wait(home: Home, films: int) -> None:
    """Until all is done; what has failed three times by our kills is tried again, as an operator would."""
    end = time.monotonic() + LONGEST_WAIT
    while time.monotonic() < end:
        with home.database.read() as session:
            done = select(func.count(ExplanationRow.id)).where(ExplanationRow.state == State.DONE)
            if session.scalar(done) == films:
                return
        explanations.retry(home)
        claims.hurry(home)
        time.sleep(1)


def _count(home: Home, films: int) -> dict[str, int]:
    with home.database.read() as session:
        states = Counter(session.scalars(select(ExplanationRow.state)).all())
        images = len(session.scalars(select(ImageRow.id)).all())
        names = session.scalars(
            select(InstanceRow.sop_instance_uid).where(InstanceRow.origin == Origin.RESULT)
        ).all()
        orders = len(session.scalars(select(OrderRow.id)).all())
        held = session.scalars(select(ExplanationRow).where(ExplanationRow.claimed_by != "")).all()
    damaged = sum(not home.blobs.intact(digest) for digest, _ in home.blobs.sizes())
    return {
        "films": films,
        "explained": states[State.DONE],
        "orders": orders,
        "lost": films - states[State.DONE] + damaged + len(held),
        "doubled": images - films + orders - films + len(names) - len(set(names)),
    }


if __name__ == "__main__":
    main()
