"""A station under load: many readers of kept maps while studies arrive, maps on demand, memory over a soak.

`python benchmarks/load.py` starts `camlucida serve` on a new home as its users do (server, worker, DICOM) and
prints five figures with their conditions:

* kept maps: 50 readers who each open a map (its words and numbers, then its values), look at it for a second
  on average, and open the next, while phantom films of 512 rows arrive by C-STORE; milliseconds of the clock;
* the same without looking: 50 readers who ask again at once, which is the most that the server can do;
* on demand: from the click on another method until the map is in the store, one after the other, idle;
* arrivals: films that became maps and result objects, per minute, while the readers read;
* memory of the server and the worker over all of it (`--minutes` makes it a soak), and what 24 hours of the
  same would add.

Nothing is asked twice with a condition, so that no answer is "not modified": a browser's own cache is not
measured.
"""

import argparse
import asyncio
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import psutil
from station import Browser, dcmtk

from camlucida.examples.phantom.dicom import write_radiograph
from camlucida.examples.phantom.radiograph import radiograph
from camlucida.store import progress
from camlucida.store.home import Home
from camlucida.store.tables import State

MODEL = "phantom-radiograph"
COMMAND = [sys.executable, "-m", "camlucida.cli"]
ROWS = 512
LONGEST = 120.0  # seconds that anything may take before the measurement gives up
METHODS = ("layercam", "grad-cam++", "xgrad-cam", "hirescam")
KEPT_GOAL, ON_DEMAND_GOAL = 50.0, 500.0  # ms, p95
OK = b"HTTP/1.1 200"


@dataclass
class Running:
    """A station that runs: the process, how to sign in, where it listens for DICOM."""

    home: Path
    process: subprocess.Popen[str]
    link: str
    dicom_port: str
    memory: list[tuple[float, float, float]] = field(
        default_factory=list
    )  # seconds, MB of server, of workers

    @property
    def origin(self) -> str:
        """Host and port."""
        return urlsplit(self.link).netloc


@contextmanager
def station(home: Path, films: list[Path]) -> Iterator[Running]:
    """A home with these films explained, and the station over it."""
    (home / "pacs.toml").write_text("[listen]\nquiet_seconds = 0\n", "utf-8")
    bring = [*COMMAND, "import", "--home", str(home), "--model", MODEL, *map(str, films)]
    subprocess.run(bring, check=True, stdout=subprocess.DEVNULL)  # noqa: S603
    serve = [*COMMAND, "serve", "--home", str(home), "--port", "0", "--dicom-port", "0"]
    environment = {**os.environ, "COLUMNS": "400", "PYTHONUNBUFFERED": "1"}
    process = subprocess.Popen(serve, stdout=subprocess.PIPE, text=True, env=environment)  # noqa: S603
    link = port = ""
    while not (link and port) and process.stdout and (line := process.stdout.readline()):
        link = found[1] if (found := re.search(r"Open (\S+)", line)) else link
        port = found[1] if (found := re.search(r"DICOM: .*:(\d+)", line)) else port
    try:
        yield Running(home, process, link, port)
    finally:
        process.send_signal(signal.SIGINT)
        process.wait()


def keys(browser: Browser) -> list[str]:
    """Of every kept explanation."""
    browser.connection.close()  # the server has closed it if it was not used for 5 seconds
    studies = browser.json("/api/studies")["studies"]
    images = [image for study in studies for image in browser.json(f"/api/studies/{study['key']}")["images"]]
    return [one["key"] for image in images for one in image["explanations"] if one["state"] == "explained"]


def explained(home: Path) -> int:
    """How many explanations are kept."""
    with closing(Home.open(home)) as opened, opened.database.read() as session:
        return progress.explanations_by_state(session)[State.DONE]


# ---- readers ----


class Reader:
    """One reader with a connection that stays open."""

    def __init__(self, origin: str, cookie: str) -> None:
        self.host, _, port = origin.rpartition(":")
        self.port = int(port)
        self.origin, self.cookie = origin, cookie

    async def read(self, maps: list[str], until: float, pause: float, taken: list[float]) -> None:
        """Open maps until then."""
        chance = random.Random()  # noqa: S311 - nothing secret
        await self._connect()
        await asyncio.sleep(chance.random() * pause)  # nobody opens the first one at the same moment
        while time.monotonic() < until:
            key = chance.choice(maps)
            for path in (f"/api/explanations/{key}", f"/api/explanations/{key}/values"):
                began = time.perf_counter()
                await self._ask(path)
                taken.append((time.perf_counter() - began) * 1000)
            await asyncio.sleep(chance.expovariate(1 / pause) if pause else 0)
        self.writer.close()
        with suppress(ConnectionError):
            await self.writer.wait_closed()

    async def _connect(self) -> None:
        self.reader, self.writer = await asyncio.open_connection(self.host, self.port)

    async def _ask(self, path: str) -> None:
        try:
            await self._answer(path)
        except (asyncio.IncompleteReadError, ConnectionError):  # as browsers: it was not used for 5 seconds
            await self._connect()
            await self._answer(path)

    async def _answer(self, path: str) -> None:
        self.writer.write(
            f"GET {path} HTTP/1.1\r\nHost: {self.origin}\r\nCookie: {self.cookie}\r\n"
            "Accept-Encoding: gzip, zstd\r\n\r\n".encode()
        )
        head = await self.reader.readuntil(b"\r\n\r\n")
        length = re.search(rb"content-length: (\d+)", head, re.IGNORECASE)
        if not head.startswith(OK) or length is None:
            raise RuntimeError(f"{path} was answered with {head[:100]!r}")
        await self.reader.readexactly(int(length[1]))


def read_for(running: Running, cookie: str, maps: list[str], args: tuple[int, float, float]) -> list[float]:
    """So many readers for so many seconds with such pauses: milliseconds of every answer."""
    readers, seconds, pause = args
    taken: list[float] = []

    async def all_of_them() -> None:
        until = time.monotonic() + seconds
        each = [Reader(running.origin, cookie).read(maps, until, pause, taken) for _ in range(readers)]
        await asyncio.gather(*each)

    asyncio.run(all_of_them())
    return taken


# ---- what goes on beside them ----


def watch(running: Running, end: threading.Event) -> None:
    """Note the memory of the server and of its workers, twice a second."""
    server, began = psutil.Process(running.process.pid), time.monotonic()
    while not end.wait(0.5):
        with suppress(psutil.Error):
            beside = [child.memory_info().rss for child in server.children(recursive=True)]
            told = (server.memory_info().rss / 1e6, sum(beside) / 1e6)
            running.memory.append((time.monotonic() - began, *told))


def send(running: Running, films: list[Path], pause: float, end: threading.Event) -> None:
    """Send film after film by dcmtk's storescu."""
    for film in films:
        command = [dcmtk("storescu"), "-aec", "CAMLUCIDA", "127.0.0.1"]
        subprocess.run([*command, running.dicom_port, str(film)], check=True)  # noqa: S603
        if end.wait(pause):
            return


@contextmanager
def beside(target: object, *given: object) -> Iterator[None]:
    """A thread while the block runs; its last argument is the event that ends it."""
    end = threading.Event()
    thread = threading.Thread(target=target, args=(*given, end), daemon=True)  # type: ignore[arg-type]
    thread.start()
    try:
        yield
    finally:
        end.set()
        thread.join()


# ---- the tables ----


def percentiles(taken: list[float]) -> str:
    """p50, p95, p99 and the slowest."""
    p50, p95, p99 = np.percentile(taken, [50, 95, 99])
    return f"p50 {p50:6.1f}   p95 {p95:6.1f}   p99 {p99:6.1f}   slowest {max(taken):6.1f} ms"


def on_demand(browser: Browser, times: int) -> list[float]:
    """Milliseconds from the click on another method until the map's values are there."""
    studies = browser.json("/api/studies")["studies"]
    taken = []
    wishes = ((study["key"], method) for method in METHODS for study in studies)
    for study, method in list(wishes)[: times + 1]:
        image = browser.json(f"/api/studies/{study}")["images"][0]["key"]
        began = time.perf_counter()
        browser.connection.request(
            "POST",
            f"/api/images/{image}/explanations",
            f'{{"model": "{MODEL}", "method": "{method}"}}',
            {**browser.headers, "Content-Type": "application/json", "Sec-Fetch-Site": "same-origin"},
        )
        browser.connection.getresponse().read()
        while time.perf_counter() - began < LONGEST:
            told = browser.json(f"/api/studies/{study}")["images"][0]["explanations"]
            mine = next(one for one in told if one["method"] == method)
            if mine["state"] == "explained":
                browser.get(f"/api/explanations/{mine['key']}/values")
                taken.append((time.perf_counter() - began) * 1000)
                break
            time.sleep(0.01)
    return taken[1:]  # the first one loads the network


def memory_lines(memory: list[tuple[float, float, float]]) -> Iterator[str]:
    """The memory in each fifth of the time, and what a day of the same would add."""
    told = np.array(memory)
    fifth = max(1, len(told) // 5)
    seconds = told[-fifth:, 0].mean() - told[fifth : 2 * fifth, 0].mean()
    for column, name in ((1, "server"), (2, "worker")):
        fifths = [np.median(told[part * fifth : (part + 1) * fifth, column]) for part in range(5)]
        day = (fifths[-1] - fifths[1]) / max(seconds, 1.0) * 86400
        yield (
            f"{name}: {', '.join(f'{size:.1f}' for size in fifths)} MB in its fifths, most "
            f"{told[:, column].max():.0f} MB; second to last extrapolated: {day:+.0f} MB in 24 hours"
        )


def conditions() -> str:
    """What the figures were measured on."""
    load = os.getloadavg()[0]
    memory = psutil.virtual_memory().total / 1e9
    return f"{os.cpu_count()} cores, {memory:.0f} GB; load of the machine before the start: {load:.1f}"


def measure(running: Running, films: list[Path], given: argparse.Namespace) -> None:
    """Print the tables."""
    browser = Browser(running.link)
    maps = keys(browser)
    cookie = browser.headers["Cookie"]
    demanded = on_demand(browser, given.on_demand)
    name = f"on demand, {ROWS} px, idle, {len(demanded)} maps"
    print(f"{name}    {percentiles(demanded)} (goal: p95 {ON_DEMAND_GOAL:g})")
    known = explained(running.home)
    began = time.monotonic()
    with beside(watch, running):
        with beside(send, running, films, given.every):
            looking = read_for(running, cookie, maps, (given.readers, 60 * given.minutes, given.pause))
        minutes = (time.monotonic() - began) / 60
        arrived = explained(running.home) - known
        server = psutil.Process(running.process.pid)
        before = sum(server.cpu_times()[:2])
        hurried = read_for(running, cookie, maps, (given.readers, given.hurry, 0.0))
        spent = 1000 * (sum(server.cpu_times()[:2]) - before) / len(hurried)
    rate = len(looking) / (60 * given.minutes)
    name = f"kept maps, {given.readers} readers, {given.pause:g} s each, arrivals, {rate:.0f} answers/s"
    print(f"{name}    {percentiles(looking)} (goal: p95 {KEPT_GOAL:g})")
    rate = len(hurried) / given.hurry
    print(
        f"kept maps, {given.readers} readers without a pause, {rate:.0f} answers/s    {percentiles(hurried)}"
    )
    print(f"processor time of the server for each of those: {spent:.2f} ms")
    print(f"arrivals: {arrived} films became maps in {minutes:.1f} minutes, {arrived / minutes:.0f} a minute")
    for line in memory_lines(running.memory):
        print(line)


def main() -> None:
    """Draw the films and measure."""
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--readers", type=int, default=50)
    asked.add_argument("--pause", type=float, default=1.0, help="seconds that a reader looks, on average")
    asked.add_argument("--minutes", type=float, default=1.0, help="how long they read; 10 is a soak")
    asked.add_argument("--hurry", type=float, default=10.0, help="seconds of reading without a pause")
    asked.add_argument("--kept", type=int, default=20, help="films that are there already")
    asked.add_argument("--every", type=float, default=2.0, help="seconds between two films that arrive")
    asked.add_argument("--on-demand", type=int, default=30, help="maps on demand")
    given = asked.parse_args()
    print(conditions())
    with tempfile.TemporaryDirectory() as place:
        films = []
        arriving = int(60 * given.minutes / given.every) + 1
        for seed in range(given.kept + arriving):
            films.append(Path(place) / f"{seed}.dcm")
            write_radiograph(radiograph(seed, {"Effusion"} if seed % 2 else set(), rows=ROWS), films[-1])
        home = Path(place) / "home"
        home.mkdir()
        with station(home, films[: given.kept]) as running:
            measure(running, films[given.kept :], given)


if __name__ == "__main__":
    main()
