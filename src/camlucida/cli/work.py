"""`camlucida work`: read and explain what arrives, and write the results. Torch is loaded when needed."""

import os
import signal
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import Annotated, Any

import structlog
import typer

from camlucida.cli import messages
from camlucida.cli.options import HomeOption
from camlucida.errors import StoreError
from camlucida.jobs.turn import turn
from camlucida.settings import settings
from camlucida.station import Did, Worker
from camlucida.store.home import Home

app = typer.Typer(add_completion=False)

POLL_SECONDS = 1.0
AFTER_TROUBLE = 10.0  # seconds: a full disk is not emptied by looking at it
GRACE = 5.0  # seconds for the step that is being done, when the process that started this one is gone
NICE = 5  # receiving and showing come before computing

_log = structlog.get_logger()


@app.command()
def work(
    home: HomeOption = None,
    once: Annotated[bool, typer.Option("--once", help="Do what is to be done now, and end.")] = False,
    until_stdin_ends: Annotated[bool, typer.Option("--until-stdin-ends", hidden=True)] = False,
) -> None:
    """Read, explain and write the results of what arrives, until Ctrl-C.

    `camlucida serve` does this by itself, in a process of its own; by hand it is for a server that was
    started with --no-work. Only one works in a home; a second one waits for its turn.
    """
    messages.hush_libraries()
    with closing(Home.open(home or settings().home)) as opened, _stopping() as stop:
        if until_stdin_ends:
            os.nice(NICE)
            threading.Thread(target=_watch_stdin, args=(stop,), daemon=True).start()
        with turn(opened.folder, _waiting(stop, once=once)) as mine:
            if not mine and once:
                raise StoreError("Another process works in this home: `camlucida serve` does it by itself.")
            if mine:
                _work(opened, stop, once=once)


def _work(home: Home, stop: threading.Event, *, once: bool) -> None:
    worker = Worker(home)
    if once:
        done = Counter[Did]()
        with messages.progress() as bar:
            for step in bar.track(_steps(worker, stop), description="Working"):
                done[step.did] += step.number
        _say(done)
        if done[Did.FAILED]:
            raise typer.Exit(1)
        return
    while not stop.is_set():
        try:
            for _ in _steps(worker, stop):
                pass
            stop.wait(POLL_SECONDS)
        except StoreError as error:
            _log.error("work has to wait", reason=str(error), seconds=AFTER_TROUBLE)
            stop.wait(AFTER_TROUBLE)


def _steps(worker: Worker, stop: threading.Event) -> Iterator[Any]:
    for step in worker.work():
        yield step
        if stop.is_set():
            return


def _say(done: Counter[Did]) -> None:
    messages.say(
        f"{messages.count(done[Did.READ], 'image')} read, "
        f"{messages.count(done[Did.EXPLAINED], 'explanation')} computed, "
        f"{messages.count(done[Did.WROTE], 'result object')} written, {done[Did.FAILED]} not."
    )


def _waiting(stop: threading.Event, *, once: bool) -> Callable[[float], bool]:
    """Waits for the turn, saying so once; with `once` it gives up."""
    told = False

    def wait(seconds: float) -> bool:
        nonlocal told
        if not told and not once:
            messages.note("Another process works in this home; this one waits for its turn.")
        told = True
        return once or stop.wait(seconds)

    return wait


@contextmanager
def _stopping() -> Iterator[threading.Event]:
    """Set by Ctrl-C and SIGTERM: what is being done is done first, so that nothing is torn."""
    stop = threading.Event()
    before: dict[int, Any] = {
        number: signal.signal(number, lambda *_: stop.set()) for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _watch_stdin(stop: threading.Event) -> None:
    """Nobody writes there: it ends when the process that started this one is gone."""
    while os.read(sys.stdin.fileno(), 1024):
        pass
    stop.set()
    threading.Event().wait(GRACE)
    os._exit(0)  # in the middle of something that takes long; the rows say what is still to be done
