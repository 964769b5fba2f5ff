"""Debian's Chromium, WebGL by software, and the station as a process for it to look at."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect, sync_playwright

ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--use-gl=angle",
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
    "--force-color-profile=srgb",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]

# Playwright's 5 s and 30 s are for a machine with nothing else to do; what comes sooner ends the wait sooner.
PATIENCE = 60_000  # milliseconds
expect.set_options(timeout=PATIENCE)


@contextmanager
def chromium() -> Iterator[Browser]:
    """A browser without a window."""
    program = shutil.which("chromium") or shutil.which("chromium-browser")
    if program is None:
        pytest.fail("Chromium is not installed, and pages are tested in it: apt-get install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=ARGUMENTS)
        browser.on("context", lambda made: made.set_default_timeout(PATIENCE))
        yield browser
        browser.close()


@contextmanager
def served(home: Path, *options: str) -> Iterator[str]:
    """`camlucida serve` over a home, in a process of its own; gives the link that it prints."""
    command = [sys.executable, "-m", "camlucida.cli", "serve", "--home", str(home), "--port", "0", *options]
    environment = {**os.environ, "COLUMNS": "400", "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(  # noqa: S603 - our own command
        command, stdout=subprocess.PIPE, text=True, env=environment
    ) as process:
        try:
            links = (re.search(r"^Open (http\S+)", line) for line in process.stdout)
            link = next((found[1] for found in links if found), None)
            assert link, "`camlucida serve` ended without printing a link."
            yield link
        finally:
            process.terminate()
