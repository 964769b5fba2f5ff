"""What has happened how often and how long it took, since the station began and over all its processes.

Counted in the transaction that does the thing, so that nothing is counted which did not happen, and a restart
of any process forgets nothing. Labels come from short lists of ours: never a word of a patient or a sender.
"""

import math
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from enum import StrEnum
from time import perf_counter

from sqlalchemy import select
from sqlalchemy.orm import Session

from camlucida import errors
from camlucida.store.dialects import insert
from camlucida.store.tables import CounterRow

BUCKETS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800, 7200, math.inf)
"""Upper bounds in seconds, each counted once: a reader adds those before it."""
OTHER = "other"


class Counter(StrEnum):
    """What is counted; the comment says what its label is."""

    ARRIVALS = "arrivals"  # instances that arrived and were settled: Intent
    EXPLANATIONS = "explanations"  # that ended: State
    REFUSALS = "refusals"  # explanations that were refused or failed: the class of the reason
    DELIVERIES = "deliveries"  # instances sent or given up: DeliveryState
    RESTARTS = "restarts"  # of a process that was not meant to end: its name
    SECONDS = "seconds"  # all seconds of a stage together: Stage
    BUCKET = "bucket"  # how often a stage took so long: Stage and upper bound, "explain 0.5"


class Stage(StrEnum):
    """A part of the way from what arrives to what is sent."""

    READ = "read"  # an instance: from its receipt until its image is kept
    WAIT = "wait"  # an explanation: from being wanted until somebody begins
    LOAD = "load"  # a network, when it was not loaded yet
    EXPLAIN = "explain"  # prediction, maps and trust of one image
    KEEP = "keep"  # writing an explanation's blob
    SEND = "send"  # an instance: from being wanted elsewhere until the receiver has it


class Stopwatch(dict[Stage, float]):
    """Seconds of the stages that were timed: `with stopwatch.time(Stage.LOAD): …`."""

    @contextmanager
    def time(self, stage: Stage) -> Iterator[None]:
        """Time the block."""
        began = perf_counter()
        yield
        self[stage] = perf_counter() - began


def count(session: Session, counter: Counter, label: str, number: float = 1) -> None:
    """Count what happened, within the transaction that does it."""
    _add(session, {(counter, label): number})


def observe(session: Session, seconds: Iterable[tuple[Stage, float]]) -> None:
    """Count how long stages took; a clock that was set back in between counts as no time."""
    added: defaultdict[tuple[Counter, str], float] = defaultdict(float)
    for stage, taken in seconds:
        added[Counter.BUCKET, f"{stage} {BUCKETS[bisect_left(BUCKETS, taken)]:g}"] += 1
        added[Counter.SECONDS, stage] += max(0.0, taken)
    _add(session, added)


def values(session: Session) -> dict[Counter, dict[str, float]]:
    """Every count by its label."""
    found: dict[Counter, dict[str, float]] = {counter: {} for counter in Counter}
    for row in session.scalars(select(CounterRow).order_by(CounterRow.name, CounterRow.label)):
        found[Counter(row.name)][row.label] = row.value
    return found


def class_of(error: BaseException) -> str:
    """The label of a refusal: an error's class where it is one of ours or a lack of memory."""
    name = type(error).__name__
    return name if hasattr(errors, name) or isinstance(error, MemoryError) else OTHER


def _add(session: Session, added: Mapping[tuple[Counter, str], float]) -> None:
    if not added:
        return
    rows = [{"name": name, "label": label, "value": value} for (name, label), value in added.items()]
    adding = insert(CounterRow)
    session.execute(
        adding.on_conflict_do_update(
            index_elements=["name", "label"], set_={"value": CounterRow.value + adding.excluded.value}
        ),
        rows,
    )
