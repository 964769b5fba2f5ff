"""Commands as a user runs them: real processes, ended by their number."""

import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx2
import pytest

import forked
from camlucida.examples.phantom.dicom import write_radiograph
from camlucida.examples.phantom.radiograph import radiograph
from camlucida.models.registry import Registry
from example_models import write_model

COMMAND = [sys.executable, "-m", "camlucida.cli"]


class Running:
    """A command that goes on until it is told to end."""

    def __init__(self, *words: object) -> None:
        self.process = subprocess.Popen(  # noqa: S603 - our own command
            [*COMMAND, *map(str, words)],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=forked.ENVIRONMENT,
        )
        self.lines: list[str] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        self.lines.extend(iter(self.process.stdout.readline, ""))

    def link(self, seconds: float = 240) -> str:
        """The sign-in link, once it has been printed."""
        until = time.monotonic() + seconds
        while time.monotonic() < until and self.process.poll() is None:
            found = re.search(r"Open (http://\S+)", self.said())
            if found:
                return found.group(1)
            time.sleep(0.05)
        pytest.fail(f"no link within {seconds} s:\n{self.said()}")

    def said(self) -> str:
        return "".join(self.lines)

    @contextmanager
    def signed_in(self) -> Iterator[httpx2.Client]:
        """A browser that has followed the link."""
        link = self.link()
        base = link.partition("/sign-in")[0]
        with httpx2.Client(base_url=base, follow_redirects=True, timeout=120) as client:
            assert client.get(link).status_code in {200, 503}  # 503: a checkout without a built viewer
            yield client

    def end(self, with_signal: int = signal.SIGINT) -> int:
        self.process.send_signal(with_signal)
        code = self.process.wait(120)  # a step that is being done is done first
        self._reader.join(120)
        return code

    def close(self) -> None:
        with suppress(ProcessLookupError):
            self.process.kill()
        self.process.wait()
        self._reader.join(120)
        self.process.stdout.close()


@pytest.fixture
def start():
    """Starts a command that goes on; ends it after the test."""
    running = []

    def start_one(*words: object) -> Running:
        running.append(Running(*words))
        return running[-1]

    yield start_one
    for one in running:
        one.close()


@pytest.fixture(scope="session")
def run():
    """Runs a command to its end."""
    return forked.camlucida


@pytest.fixture(scope="session")
def films(tmp_path_factory) -> Path:
    """Three small phantom films in a folder."""
    folder = tmp_path_factory.mktemp("films")
    for seed in (1, 2, 3):
        write_radiograph(radiograph(seed, rows=96), folder / f"film-{seed}.dcm")
    return folder


@pytest.fixture(scope="session")
def small_model(tmp_path_factory) -> Path:
    """A folder with a small model of films."""
    return write_model(tmp_path_factory.mktemp("model") / "two-findings")


@pytest.fixture(scope="session")
def registered(tmp_path_factory, small_model) -> Path:
    """A home in which one small model is registered; to be copied, not to be used."""
    folder = tmp_path_factory.mktemp("registered")
    Registry(folder).add(small_model)
    return folder


@pytest.fixture(scope="session")
def imported(tmp_path_factory, registered, run, films) -> Path:
    """A home in which the films are explained, too; to be copied, not to be used."""
    folder = tmp_path_factory.mktemp("imported") / "home"
    shutil.copytree(registered, folder)
    done = run("import", films, "--home", folder)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture
def home(tmp_path, registered) -> Path:
    """A home in which one small model is registered."""
    return Path(shutil.copytree(registered, tmp_path / "home"))


@pytest.fixture
def full_home(tmp_path, imported) -> Path:
    """A home in which three films are explained by one small model."""
    return Path(shutil.copytree(imported, tmp_path / "full-home"))
