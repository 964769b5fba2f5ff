"""How fast the station shows what is kept, and how much room evidence takes.

`python benchmarks/station.py HOME` starts `camlucida serve` on a home (that of `camlucida demo`, say) as a
process of its own and asks it as a browser does, one request after the other: milliseconds of the clock.
"""

import argparse
import http.client
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np

COMMAND = [sys.executable, "-m", "camlucida.cli"]


def dcmtk(program: str) -> str:
    """Where a program of dcmtk lies. pynetdicom brings Python programs of the same names, beside this Python.

    Raises
    ------
    FileNotFoundError
        dcmtk is not installed.
    """
    own = Path(sys.executable).parent
    elsewhere = os.pathsep.join(folder for folder in os.get_exec_path() if Path(folder) != own)
    found = shutil.which(program, path=elsewhere)
    if found is None:
        raise FileNotFoundError(f"{program} is missing: apt-get install dcmtk")
    return found


class Browser:
    """One connection that stays open, with the cookie."""

    def __init__(self, link: str) -> None:
        parts = urlsplit(link)
        self.connection = http.client.HTTPConnection(parts.netloc, timeout=60)
        self.connection.request("GET", f"{parts.path}?{parts.query}")
        answer = self.connection.getresponse()
        answer.read()
        self.headers = {
            "Cookie": str(answer.headers["set-cookie"]).partition(";")[0],
            "Accept-Encoding": "gzip, zstd",
        }

    def get(self, path: str, *, encoding: str | None = None) -> bytes:
        """The body as it came over the wire."""
        headers = {**self.headers, **({"Accept-Encoding": encoding} if encoding else {})}
        self.connection.request("GET", path, headers=headers)
        return self._answer(path)

    def post(self, path: str, body: dict[str, Any]) -> bytes:
        """The answer to a JSON body, not packed."""
        headers = {**self.headers, "Accept-Encoding": "identity", "Content-Type": "application/json"}
        self.connection.request("POST", path, json.dumps(body), headers)
        return self._answer(path)

    def _answer(self, path: str) -> bytes:
        answer = self.connection.getresponse()
        content = answer.read()
        if answer.status != http.client.OK:
            raise RuntimeError(f"{answer.status} for {path}")
        return content

    def json(self, path: str) -> Any:
        """The body as JSON."""
        return json.loads(self.get(path, encoding="identity"))


def milliseconds(ask: Callable[[], object], times: int) -> str:
    """Median and 95th percentile of some repetitions."""
    taken = []
    for _ in range(times):
        began = time.perf_counter()
        ask()
        taken.append((time.perf_counter() - began) * 1000)
    return f"p50 {np.percentile(taken, 50):6.1f} ms   p95 {np.percentile(taken, 95):6.1f} ms"


def start(home: Path) -> tuple[subprocess.Popen[str], str]:
    """`camlucida serve` over a home, and the link that it prints."""
    serving = subprocess.Popen(  # noqa: S603 - our own command
        [*COMMAND, "serve", "--home", str(home), "--port", "0"], stdout=subprocess.PIPE, text=True
    )
    lines = iter(serving.stdout.readline, "") if serving.stdout else iter(())
    return serving, next(found.group(1) for line in lines if (found := re.search(r"Open (\S+)", line)))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("home", type=Path)
    parser.add_argument("--times", type=int, default=200)
    given = parser.parse_args()
    serving, link = start(given.home)
    try:
        measure(Browser(link), given.times)
    finally:
        serving.send_signal(signal.SIGINT)
        serving.wait()
    subprocess.run([*COMMAND, "store", "size", "--home", str(given.home)], check=True)  # noqa: S603


def measure(browser: Browser, times: int) -> None:
    """Print what a browser waits for: the worklist, an explanation with its values, the pixels."""
    studies = browser.json("/api/studies")["studies"]
    worklist = milliseconds(lambda: browser.get("/api/studies"), times)
    print(f"worklist of {len(studies)} studies            {worklist}")
    explained = (study for study in studies if study["state"] == "explained")
    image = browser.json(f"/api/studies/{next(explained)['key']}")["images"][0]
    key = next(one["key"] for one in image["explanations"] if one["state"] == "explained")
    paths = (f"/api/explanations/{key}", f"/api/explanations/{key}/values")
    findings = len(browser.json(paths[0])["saliency_map"]["findings"])
    print(
        f"explanation of {findings} findings + values  ",
        milliseconds(lambda: [browser.get(path) for path in paths], times),
    )
    for encoding in ("zstd", "identity"):
        path = f"/api/images/{image['key']}/pixels"
        size = len(browser.get(path, encoding=encoding)) / 1e6
        taken = milliseconds(lambda: browser.get(path, encoding=encoding), max(5, times // 10))  # noqa: B023 - called here
        print(f"pixels {image['space']} as {encoding} ({size:.1f} MB)", taken)


if __name__ == "__main__":
    main()
