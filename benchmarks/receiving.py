"""How many instances a second the station keeps, beside dcmtk's storescp, which writes files and no more.

`python benchmarks/receiving.py` sends the same CT slices by dcmtk's storescu, in turn to the one and to the
other, each a process of its own. Ours has the instance checked, deduplicated, on the disk (fsync) and in the
database before it says so; storescp leaves its files in the kernel's cache.
"""

import argparse
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import psutil
from station import dcmtk

from camlucida.examples.phantom.dicom import write_ct
from camlucida.examples.phantom.volume import Volume

STATION = """
import sys
from pathlib import Path
from camlucida.pacs.configuration import Listening
from camlucida.pacs.receive import Receiver
from camlucida.store.home import Home
with Receiver(Home.open(Path(sys.argv[1])), Listening(port=int(sys.argv[2]))):
    sys.stdin.read()
"""


def slices(folder: Path, count: int, rows: int) -> list[Path]:
    """CT slices of noise, which cannot be compressed away."""
    values = np.random.default_rng(0).integers(-1024, 2000, (count, rows, rows), np.int16)
    spacing = (300.0 / count, 300.0 / rows, 300.0 / rows)
    return write_ct(Volume(values=values, masks={}, spacing=spacing, seed=1), folder)


@contextmanager
def running(name: str, folder: Path) -> Iterator[tuple[int, psutil.Process]]:
    """The port and the process of a receiver that keeps into `folder`."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = int(free.getsockname()[1])
    folder.mkdir()
    ours = [sys.executable, "-c", STATION, str(folder), str(port)]
    theirs = ["storescp", "--fork", "-od", str(folder), str(port)]
    process = subprocess.Popen(  # noqa: S603
        ours if name == "camlucida" else theirs, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL
    )
    try:
        while True:
            try:
                socket.create_connection(("127.0.0.1", port)).close()
                break
            except ConnectionRefusedError:
                time.sleep(0.05)
        yield port, psutil.Process(process.pid)
    finally:
        process.terminate()
        process.wait()


def send(port: int, files: list[Path], associations: int) -> float:
    """Seconds until all are acknowledged."""
    began = time.perf_counter()
    senders = [
        subprocess.Popen(  # noqa: S603
            [
                dcmtk("storescu"),
                "-aec",
                "CAMLUCIDA",
                "127.0.0.1",
                str(port),
                *map(str, files[n::associations]),
            ]
        )
        for n in range(associations)
    ]
    if any(sender.wait() for sender in senders):
        raise RuntimeError("a sender failed")
    return time.perf_counter() - began


def main() -> None:
    """Print a table."""
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--count", type=int, default=200, help="instances a round")
    asked.add_argument("--rounds", type=int, default=3)
    asked.add_argument("--associations", type=int, nargs="+", default=[1, 8])
    asked.add_argument("--rows", type=int, nargs="+", default=[64, 512], help="of the square slices")
    options = asked.parse_args()
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as place:
        work = Path(place)
        for rows in options.rows:
            files = slices(work / f"{rows}", options.count, rows)
            for associations in options.associations:
                print(compare(work, files, associations, options.rounds))


def compare(work: Path, files: list[Path], associations: int, rounds: int) -> str:
    """A line of the table: medians over the rounds."""
    taken: dict[str, list[float]] = {"camlucida": [], "storescp": []}
    memory = 0
    for _ in range(rounds):
        for name, seconds in taken.items():
            with running(name, work / "kept") as (port, process):
                seconds.append(send(port, files, associations))
                if name == "camlucida":
                    memory = max(memory, process.memory_info().rss)
            shutil.rmtree(work / "kept")
    size = files[0].stat().st_size
    ratio = statistics.median(a / b for a, b in zip(taken["camlucida"], taken["storescp"], strict=True))
    rates = {name: len(files) / statistics.median(seconds) for name, seconds in taken.items()}
    said = ", ".join(f"{name} {rate:6.1f}/s {rate * size / 1e6:6.1f} MB/s" for name, rate in rates.items())
    return (
        f"{size / 1000:6.0f} kB, {associations} associations: {said}; time {ratio:5.1f} times storescp's; "
        f"{memory >> 20} MiB"
    )


if __name__ == "__main__":
    main()
