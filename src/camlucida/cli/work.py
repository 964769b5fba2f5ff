"""`camlucida work`: read and explain what arrives, and write the results.

The command itself has no network in it: it watches processes that compute, which are `camlucida work`, too.
Those load torch when it is needed, and say on their standard output what they do (see `jobs.hand`).
"""

import json
import os
import queue as queues
import signal
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from functools import partial
from typing import Annotated, Any

import structlog
import typer

from camlucida.cli import messages
from camlucida.cli.options import HomeOption
from camlucida.errors import InputError, StoreError
from camlucida.jobs.crew import Crew
from camlucida.jobs.hand import most_memory
from camlucida.jobs.heartbeat import beating
from camlucida.jobs.queue import Queue, put_back, queue_of
from camlucida.models.card import read_card
from camlucida.models.registry import Registered
from camlucida.pacs.configuration import read_configuration
from camlucida.settings import settings
from camlucida.station import Did, Worker
from camlucida.store import claims
from camlucida.store.claims import Claim
from camlucida.store.home import Home
from camlucida.store.tables import Lane
from camlucida.store.turn import KEEPING_HOUSE, Turn, is_shared, turn

app = typer.Typer(add_completion=False)

POLL_SECONDS = 1.0
SEEN_SECONDS = 15.0
AFTER_TROUBLE = 10.0  # seconds: a full disk is not emptied by looking at it
IDLE_SECONDS = 5.0  # since the last step: then what the next one would wait for is loaded
GRACE = 5.0  # seconds for the step that is being done, when the process that started this one is gone
NICE = 5  # receiving and showing come before computing
TAKEN_FIRST = 500  # of 1000: where memory ends, the system takes this process, and not the server's

_log = structlog.get_logger()


@app.command()
def work(
    context: typer.Context,
    home: HomeOption = None,
    once: Annotated[bool, typer.Option("--once", help="Do what is to be done now, and end.")] = False,
    queue: Annotated[
        str,
        typer.Option(
            help="What to compute, comma-separated: interactive (somebody waits), precompute, gpu (models "
            "whose card wants a GPU).",
        ),
    ] = "interactive,precompute,gpu",
    concurrency: Annotated[int, typer.Option(min=1, max=64, help="How many processes compute.")] = 1,
    until_stdin_ends: Annotated[bool, typer.Option("--until-stdin-ends", hidden=True)] = False,
) -> None:
    """Read, explain and write the results of what arrives, until Ctrl-C.

    `camlucida serve` does this by itself; by hand it is for a server that was started with --no-work. The
    networks run in processes of their own: what crashes, takes too long or too much memory ends one of them,
    and not this. Only one works in a home; a second one waits for its turn. With a PostgreSQL database any
    number may work, on any number of machines.
    """
    messages.hush_libraries()
    lanes = _lanes(queue)
    with closing(Home.open(home or settings().home)) as opened, _stopping() as stop:
        if until_stdin_ends:
            _compute(opened, lanes, stop, once=once)
            return
        read_configuration(opened.folder)  # what is wrong with it is said now, by this process
        crew = partial(
            Crew,
            opened,
            lanes=lanes,
            number=concurrency,
            verbose=context.find_root().params["verbose"],
            stopping=stop,
        )
        if is_shared(opened):
            _watch(crew, once=once)
            return
        with turn(opened, _waiting(stop, once=once)) as mine:
            if not mine and once:
                raise StoreError("Another process works in this home: `camlucida serve` does it by itself.")
            if mine:
                _watch(crew, once=once)


def _lanes(words: str) -> list[Lane]:
    """The lanes of these queues: "gpu" is both of a GPU."""
    known = {
        "interactive": [Lane.INTERACTIVE],
        "precompute": [Lane.PRECOMPUTE],
        "gpu": [Lane.GPU_INTERACTIVE, Lane.GPU],
    }
    known |= {lane.value: [lane] for lane in Lane if lane.value not in known}
    lanes: list[Lane] = []
    for word in words.split(","):
        if word not in known:
            raise InputError(f"“{word}” is no queue; there are interactive, precompute and gpu.")
        lanes += known[word]
    return sorted(set(lanes), key=list(Lane).index)


def _watch(crew: Callable[..., Crew], *, once: bool) -> None:
    """Have it done by processes, until the end."""
    if not once:
        crew().run()
        return
    said: queues.Queue[dict[str, Any]] = queues.Queue()
    one = crew(once=True, told=said.put)
    done = Counter[Did]()
    running = threading.Thread(target=one.run, name="crew")
    running.start()
    with messages.progress() as bar:
        for step in bar.track(_told(said, running), description="Working"):
            done[Did(step["step"])] += step["number"]
    if any(hand.code for hand in one.hands):  # they have said why
        raise typer.Exit(1)
    _say(done)
    if done[Did.FAILED]:
        raise typer.Exit(1)


def _told(said: "queues.Queue[dict[str, Any]]", running: threading.Thread) -> Iterator[dict[str, Any]]:
    """What is told of steps until all have ended."""
    while True:
        alive = running.is_alive()
        with suppress(queues.Empty):
            while True:
                line = said.get(timeout=0.1 if alive else 0)
                if "step" in line:
                    yield line
        if not alive:
            return


def _compute(home: Home, lanes: list[Lane], stop: threading.Event, *, once: bool) -> None:
    """Be one of the processes that compute."""
    tell = _telling()
    _give_way()
    threading.Thread(target=_watch_stdin, args=(stop,), daemon=True).start()
    house = Turn(home, KEEPING_HOUSE)
    with closing(queue_of(home, lanes, once=once)) as queue:
        tell(name=queue.by)
        claims.seen(home, queue.by, lanes)
        worker = Worker(home, queue, partial(_watched, home, tell), house.take)
        _go_on(home, worker, queue, tell, stop, once=once)
        claims.give_back(home, queue.by)
        claims.gone(home, queue.by)
    house.release()


def _go_on(
    home: Home, worker: Worker, queue: Queue, tell: Callable[..., None], stop: threading.Event, *, once: bool
) -> None:
    seen = worked = time.monotonic()
    ready = False

    def be_seen() -> None:
        nonlocal seen
        if time.monotonic() - seen > SEEN_SECONDS:
            seen = time.monotonic()
            claims.seen(home, queue.by, queue.lanes)
            put_back(home)

    while not stop.is_set():
        try:
            for step in worker.work():
                tell(step=step.did, number=step.number)
                if stop.is_set():
                    return
                be_seen()
                worked = time.monotonic()
            if once:
                return
            be_seen()
            if not ready and time.monotonic() - worked > IDLE_SECONDS:
                worker.get_ready()
                ready = True
            queue.wait(POLL_SECONDS)
        except StoreError as error:
            if once:
                raise
            _log.error("work has to wait", reason=str(error), seconds=AFTER_TROUBLE)
            stop.wait(AFTER_TROUBLE)
            with suppress(StoreError):  # what could not be kept is begun anew
                claims.give_back(home, queue.by)


@contextmanager
def _watched(home: Home, tell: Callable[..., None], claim: Claim, model: Registered) -> Iterator[Any]:
    """Tell what is computed and its limits, and renew its claim, while the block runs."""
    resources = read_card(model.folder).resources
    seconds = settings().explanation_seconds if resources.seconds is None else resources.seconds
    memory = settings().explanation_memory_gb if resources.memory_gb is None else resources.memory_gb
    tell(begun=claim.id, seconds=seconds, bytes=memory * 1e9 or most_memory())
    try:
        with beating(home, claim) as heartbeat:
            yield heartbeat.progress
    finally:
        tell(ended=claim.id)


def _telling() -> Callable[..., None]:
    """Writes lines of JSON to what was the standard output; what libraries print goes to stderr."""
    output = os.dup(sys.stdout.fileno())
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())

    def tell(**words: object) -> None:
        with suppress(BrokenPipeError):  # who reads is gone: stdin has ended, too
            os.write(output, json.dumps(words).encode() + b"\n")

    return tell


def _give_way() -> None:
    os.nice(NICE)
    # Linux shares processors between sessions first, and this process has one of its own (see sched(7)).
    for name, value in (("autogroup", NICE), ("oom_score_adj", TAKEN_FIRST)):
        with suppress(OSError), open(f"/proc/self/{name}", "w", encoding="ascii") as file:  # noqa: PTH123
            file.write(str(value))


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
