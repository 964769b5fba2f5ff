"""Who computes what: a claim on a wanted explanation, for a time, so that no two compute the same.

    wanted ──take──> claimed ──keep, refuse, fail──> done, refused, failed
       ^                │
       └────────────────┴── given back, expired, failed for the first times (due again later)

A claim is renewed while the work goes on (`renew`). One that is not, because its worker or its machine is
gone, expires, and the explanation is wanted as before. Who comes back late finds that the claim is not his
any longer, and what he brings is thrown away.
"""

import os
import secrets
import socket
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from sqlalchemy import ColumnElement, case, or_, select, update
from sqlalchemy.orm import Session

from camlucida.store import counters
from camlucida.store.attempts import MOST_ATTEMPTS
from camlucida.store.audit import events
from camlucida.store.counters import Counter, Stage
from camlucida.store.home import Home
from camlucida.store.tables import ExplanationRow, Lane, ModelRow, State, WorkerRow, now

LEASE = timedelta(seconds=60)
SKEW = timedelta(seconds=45)
"""Clocks of several machines may differ by so much: claims are renewed before less than that is left."""
FIRST_WAIT = timedelta(seconds=10)  # until the second attempt; six times as long until the third
LONGEST_WAIT = FIRST_WAIT * 6 ** (MOST_ATTEMPTS - 2)
KEPT_FOR = timedelta(days=1)  # what is known of workers that are gone

ENDED_ITS_WORKER = (
    "Computing it has ended the process {} times; `camlucida import` without files tries again."
)
ENDED = "ended its worker"
ALL_LANES = tuple(Lane)
QUEUE = (
    case({lane: place for place, lane in enumerate(Lane)}, value=ExplanationRow.lane),
    ExplanationRow.id,
)
"""The order in which what is wanted is computed."""


class Claim(NamedTuple):
    """An explanation that is this worker's to compute."""

    id: int
    model_digest: str
    method: str
    by: str


def worker_name() -> str:
    """The name of this process among all workers of all machines."""
    return f"{_machine()}:{os.getpid()}:{secrets.token_hex(3)}"


def take(
    home: Home, by: str, model_digests: Sequence[str], lanes: Sequence[Lane] = ALL_LANES
) -> Claim | None:
    """Claim what is next of these models in these lanes: what somebody asked for first; None: nothing is.

    The attempt is counted before it is made, as it may end the process. What has ended too many has failed.
    """
    with home.database.read() as session:
        if _next(session, model_digests, lanes) is None:
            return None  # without the lock of a writer
    with home.database.write() as session:
        while (row := _next(session, model_digests, lanes)) is not None:
            if _begin(session, row, by):
                return Claim(row.id, row.model_digest, row.method, by)
            session.flush()
    return None


def take_one(home: Home, by: str, explanation_id: int) -> Claim | None:
    """Claim this very explanation, due or not; None: it is not wanted, or another worker computes it."""
    with home.database.write() as session:
        this = ExplanationRow.id == explanation_id
        row = session.scalar(select(ExplanationRow).where(this, *_unclaimed()))
        if row is None or not _begin(session, row, by):
            return None
        return Claim(row.id, row.model_digest, row.method, by)


def renew(home: Home, claim: Claim, steps_done: int = 0, steps: int = 0) -> bool:
    """Go on with a claim, and say how far it has come; False: it is not this worker's any longer.

    The worker was seen by that: one that computes for an hour is alive.
    """
    with home.database.write() as session:
        row = session.get(ExplanationRow, claim.id)
        if row is None or not holds(row, claim.by):
            return False
        row.claimed_until = now() + LEASE
        row.steps_done, row.steps = steps_done, steps
        session.execute(update(WorkerRow).where(WorkerRow.name == claim.by).values(seen=now()))
        return True


def holds(row: ExplanationRow, by: str) -> bool:
    """Whether a worker may still say what came of an explanation."""
    return row.state == State.WANTED and row.claimed_by == by


def give_back(home: Home, by: str) -> None:
    """Want again what a worker holds, as if it had not begun: it was ended on purpose, or had no room."""
    with home.database.write() as session:
        for row in _held(session, by):
            row.attempts = max(0, row.attempts - 1)
            release(row)


def lost(home: Home, by: str, reason: str) -> None:
    """The process of a worker has ended in the middle of what it holds: it is due again later, or failed."""
    with home.database.write() as session:
        for row in _held(session, by):
            fail(session, row, reason)
        session.execute(update(WorkerRow).where(WorkerRow.name == by).values(ended=reason))


def fail(session: Session, row: ExplanationRow, reason: str, kind: str = ENDED) -> None:
    """An attempt has failed: tried again after a while, or, after the last one, shown with its reason."""
    release(row)
    row.reason, row.finished = reason, now()
    if row.attempts >= MOST_ATTEMPTS:
        row.state, row.attempts = State.FAILED, 0
        count_end(session, row, kind)
    else:
        row.due = now() + FIRST_WAIT * 6 ** max(0, row.attempts - 1)


def count_end(session: Session, row: ExplanationRow, kind: str) -> None:
    """Count and note an explanation that was refused or has failed, and the class of its reason."""
    counters.count(session, Counter.EXPLANATIONS, State(row.state))
    counters.count(session, Counter.REFUSALS, kind)
    events.explained(session, row)


def release(row: ExplanationRow) -> None:
    """Take the claim from a row."""
    row.claimed_by, row.claimed_until, row.steps_done, row.steps, row.due = "", None, 0, 0, None


def release_of_the_dead(home: Home) -> None:
    """Want again at once what processes of this machine hold that are gone, without waiting for the lease.

    Their attempts stay counted: nobody knows what has ended them.
    """
    with home.database.read() as session:
        names = session.scalars(
            select(ExplanationRow.claimed_by)
            .where(ExplanationRow.state == State.WANTED, ExplanationRow.claimed_by != "")
            .distinct()
        ).all()
    for name in filter(_is_gone, names):
        with home.database.write() as session:
            for row in _held(session, name):
                release(row)


def hurry(home: Home) -> int:
    """Have what waits for its next attempt due at once; how many explanations that are."""
    with home.database.write() as session:
        late = session.scalars(
            select(ExplanationRow).where(ExplanationRow.state == State.WANTED, ExplanationRow.due > now())
        ).all()
        for row in late:
            row.due = None
    return len(late)


def put_off(home: Home, explanation_id: int) -> None:
    """Have what is free and of a current model due in a while: who was handed it has not its model yet."""
    current = select(ModelRow.digest).where(ModelRow.current)
    this = ExplanationRow.id == explanation_id
    with home.database.write() as session:
        session.execute(
            update(ExplanationRow)
            .where(this, *_unclaimed(), ExplanationRow.model_digest.in_(current))
            .values(due=now() + FIRST_WAIT)
        )


def expire(home: Home) -> int:
    """Want again what was claimed and not renewed in time: its worker or its machine is gone; how many."""
    moment, until = now(), ExplanationRow.claimed_until
    with home.database.write() as session:
        rows = session.scalars(
            select(ExplanationRow).where(
                ExplanationRow.state == State.WANTED,
                ExplanationRow.claimed_by != "",
                or_(until <= moment, until > moment + LEASE + SKEW),
            )
        ).all()
        for row in rows:
            release(row)
    return len(rows)


def seen(home: Home, by: str, lanes: Sequence[Lane]) -> None:
    """Say that a worker is there, and forget those that have been gone for long."""
    with home.database.write() as session:
        row = session.get(WorkerRow, by)
        if row is None:
            session.add(WorkerRow(name=by, lanes=",".join(lanes)))
        else:
            row.seen, row.lanes, row.ended = now(), ",".join(lanes), ""
        for old in session.scalars(select(WorkerRow).where(WorkerRow.seen < now() - KEPT_FOR)):
            session.delete(old)


def gone(home: Home, by: str) -> None:
    """A worker has ended as it should."""
    with home.database.write() as session:
        row = session.get(WorkerRow, by)
        if row is not None:
            session.delete(row)


def workers(session: Session) -> Sequence[WorkerRow]:
    """All workers that were seen within a day, the last first; `ended` says why one is gone."""
    return session.scalars(select(WorkerRow).order_by(WorkerRow.seen.desc(), WorkerRow.name)).all()


def is_alive(row: WorkerRow, moment: datetime | None = None) -> bool:
    """Whether a worker was seen within a lease."""
    return not row.ended and abs((moment or now()) - row.seen) < LEASE


def _unclaimed() -> list[ColumnElement[bool]]:
    """Wanted, and claimed by nobody. A clock that was set back makes nothing wait for ever."""
    moment, until = now(), ExplanationRow.claimed_until
    return [
        ExplanationRow.state == State.WANTED,
        or_(until.is_(None), until <= moment, until > moment + LEASE + SKEW),
    ]


def _is_due() -> ColumnElement[bool]:
    moment, due = now(), ExplanationRow.due
    return or_(due.is_(None), due <= moment, due > moment + LONGEST_WAIT)


def _next(session: Session, model_digests: Sequence[str], lanes: Sequence[Lane]) -> ExplanationRow | None:
    """Lane by lane: within one, the index has them in their order."""
    for lane in sorted(lanes, key=list(Lane).index):
        row = session.scalar(
            select(ExplanationRow)
            .where(
                *_unclaimed(),
                _is_due(),
                ExplanationRow.lane == lane,
                ExplanationRow.model_digest.in_(model_digests),
            )
            .order_by(ExplanationRow.id)
            .limit(1)
        )
        if row is not None:
            return row
    return None


def _begin(session: Session, row: ExplanationRow, by: str) -> bool:
    if row.attempts >= MOST_ATTEMPTS:
        row.state, row.finished = State.FAILED, now()
        row.reason = row.reason or ENDED_ITS_WORKER.format(row.attempts)
        release(row)
        count_end(session, row, ENDED)
        return False
    if not row.attempts:
        counters.observe(session, [(Stage.WAIT, (now() - row.created).total_seconds())])
    row.attempts += 1
    row.claimed_by, row.claimed_until = by, now() + LEASE
    return True


def _held(session: Session, by: str) -> Sequence[ExplanationRow]:
    return session.scalars(
        select(ExplanationRow).where(ExplanationRow.state == State.WANTED, ExplanationRow.claimed_by == by)
    ).all()


def _machine() -> str:
    """The host and its space of process ids: containers of one host have one each."""
    try:
        space = Path("/proc/self/ns/pid").stat().st_ino
    except OSError:  # not Linux
        space = 0
    return f"{socket.gethostname()}:{space}"


def _is_gone(name: str) -> bool:
    """Whether a worker is a process of this machine that is no more."""
    place, _, _ = name.rpartition(":")
    machine, _, pid = place.rpartition(":")
    if machine != _machine() or not pid.isdecimal():
        return False
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        pass  # somebody else's: it lives
    return False
