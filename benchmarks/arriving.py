"""From the last byte of a study to its results: how long the station takes, by itself.

`python benchmarks/arriving.py` starts `camlucida serve` on a new home with the shipped model of phantom
radiographs and no quiet period, sends phantom films by dcmtk's storescu, one after the other, and prints the
seconds from storescu's end until map and DICOM objects (clinical profile) are kept. Then all at once: films
a minute.
"""

import argparse
import re
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path

import numpy as np
from sqlalchemy import func, select
from station import dcmtk

from camlucida.examples.phantom.dicom import write_radiograph
from camlucida.examples.phantom.radiograph import radiograph
from camlucida.models.registry import Registry, shipped_models
from camlucida.pacs.configuration import FILE
from camlucida.store.home import Home
from camlucida.store.tables import ExplanationRow, OrderRow, OrderState, State

MODEL = "phantom-radiograph"
LONGEST = 120.0  # seconds that a study may take before the measurement gives up


def count(home: Home) -> tuple[int, int]:
    """How many maps are kept, and of how many the results are."""
    with home.database.read() as session:
        done = select(func.count(ExplanationRow.id)).where(ExplanationRow.state == State.DONE)
        written = select(func.count(OrderRow.id)).where(OrderRow.state == OrderState.DONE)
        return session.scalar(done) or 0, session.scalar(written) or 0


def until(home: Home, number: int) -> tuple[float, float]:
    """Seconds from now until so many maps are kept, and until their results are."""
    began, mapped = time.perf_counter(), 0.0
    while time.perf_counter() - began < LONGEST:
        maps, results = count(home)
        if maps >= number and not mapped:
            mapped = time.perf_counter() - began
        if results >= number:
            return mapped, time.perf_counter() - began
        time.sleep(0.01)
    raise RuntimeError(f"only {results} of {number} studies were ready after {LONGEST:g} s")


def send(port: str, films: list[Path]) -> None:
    """Send by dcmtk."""
    sender = dcmtk("storescu")
    subprocess.run([sender, "-aec", "CAMLUCIDA", "127.0.0.1", port, *map(str, films)], check=True)  # noqa: S603


def measure(folder: Path, films: list[Path], alone: int) -> None:
    """Print the times of the first films alone, and the rate of the rest together."""
    with closing(Home.open(folder)) as home:
        Registry(folder).add(shipped_models()[MODEL])
        (folder / FILE).write_text("[listen]\nquiet_seconds = 0\n", "utf-8")
        command = [sys.executable, "-m", "camlucida.cli", "serve", "--home", str(folder)]
        station = subprocess.Popen(  # noqa: S603
            [*command, "--port", "0", "--dicom-port", "0"], stdout=subprocess.PIPE, text=True
        )
        try:
            port = ""
            while not port and station.stdout and (line := station.stdout.readline()):
                found = re.search(r"DICOM: .*:(\d+)", line)
                port = found[1] if found else ""
            taken = []
            for number, film in enumerate(films[:alone], start=1):
                send(port, [film])
                taken.append(until(home, number))
            print(f"first film (the worker starts): map {taken[0][0]:.2f} s, results {taken[0][1]:.2f} s")
            maps, results = np.median(np.array(taken[1:]), axis=0)
            print(f"median of {alone - 1} more: map {maps:.2f} s, results {results:.2f} s")
            began = time.perf_counter()
            send(port, films[alone:])
            until(home, len(films))
            rest = len(films) - alone
            print(f"{rest} films at once: {60 * rest / (time.perf_counter() - began):.0f} a minute")
        finally:
            station.send_signal(signal.SIGINT)
            station.wait()


def main() -> None:
    """Draw the films and measure."""
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--alone", type=int, default=6, help="films sent one after the other")
    asked.add_argument("--together", type=int, default=20, help="films sent at once after them")
    options = asked.parse_args()
    with tempfile.TemporaryDirectory() as place:
        films = []
        for seed in range(options.alone + options.together):
            films.append(Path(place) / f"{seed}.dcm")
            write_radiograph(radiograph(seed, {"Effusion"} if seed % 2 else set()), films[-1])
        measure(Path(place) / "home", films, options.alone)


if __name__ == "__main__":
    main()
