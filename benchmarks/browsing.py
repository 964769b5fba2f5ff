"""What the measurements in a browser share: Chromium with WebGL by software, and our station."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--use-gl=angle",
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@contextmanager
def served(home: Path) -> Iterator[str]:
    """`camlucida serve` over a home, in a process of its own; gives the link that it prints."""
    command = [sys.executable, "-m", "camlucida.cli", "serve", "--home", str(home), "--port", "0"]
    environment = {**os.environ, "COLUMNS": "400", "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(  # noqa: S603 - our own command
        command, stdout=subprocess.PIPE, text=True, env=environment
    ) as process:
        try:
            found = (re.search(r"http\S+/sign-in\?token=\S+", line) for line in process.stdout or ())
            yield next(link[0] for link in found if link)
        finally:
            process.terminate()
