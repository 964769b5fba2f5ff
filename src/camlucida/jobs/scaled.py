"""The queue of many machines: Procrastinate in the station's own PostgreSQL says which row is next.

A trigger (migration 0007) puts a job into its tables, in a schema of their own, for each explanation that is
wanted and free, in the transaction that makes it so. A job only names a row: whether it is still wanted, and
whose it is, the row and its claim say. So a job that is lost or comes twice loses and doubles nothing.
"""

import asyncio
import logging
import queue
import threading
from collections.abc import Sequence
from contextlib import suppress
from typing import NamedTuple

import structlog
from procrastinate import App, PsycopgConnector
from sqlalchemy import text

from camlucida.store import claims
from camlucida.store.claims import Claim
from camlucida.store.home import Home
from camlucida.store.tables import ExplanationRow, Lane

SCHEMA = "procrastinate"
POLL = 5.0  # seconds, beside LISTEN
STALLED = 30.0  # seconds without a heartbeat, until a worker of Procrastinate counts as gone
TAKEN = 30.0  # seconds for the worker to take what it was handed
AFTER_TROUBLE = 5.0  # seconds until the database is asked again
LONGEST_END = 10.0

# Its functions and triggers name its tables without their schema.
PATH = text(f"SET LOCAL search_path = {SCHEMA}, public")
PRUNE = text("DELETE FROM procrastinate_workers WHERE last_heartbeat < now() - :age * interval '1s'")
GONE = text("DELETE FROM procrastinate_jobs WHERE status = 'doing' AND worker_id IS NULL")
# What is to be computed and has no job: that ended with its worker, or with its connection to the database.
LOST = text(
    "SELECT explanations.id FROM explanations JOIN models ON models.digest = explanations.model_digest "
    "WHERE explanations.state = 'wanted' AND explanations.claimed_by = '' AND models.current "
    "AND NOT EXISTS (SELECT FROM procrastinate_jobs WHERE status IN ('todo', 'doing') "
    "AND queueing_lock = 'explanation ' || explanations.id) ORDER BY explanations.id LIMIT 1000"
)
# The trigger makes the job, if it is still to be computed.
AGAIN = text("UPDATE explanations SET lane = lane WHERE id = ANY(:lost)")

_log = structlog.get_logger()
Event = asyncio.Future[None]


class Handed(NamedTuple):
    """A job that was handed on: which explanation, whether it was taken, whether it has ended."""

    explanation: int
    taken: Event
    ended: Event


class Scaled:
    """The queue of one process among many: Procrastinate's worker, in a thread, hands on one at a time."""

    def __init__(self, home: Home, lanes: Sequence[Lane] = claims.ALL_LANES) -> None:
        self._home, self.lanes = home, lanes
        self.by = claims.worker_name()
        self._handed: queue.Queue[Handed] = queue.Queue()
        self._doing: Event | None = None
        self._there = threading.Event()
        self._loop = asyncio.new_event_loop()
        self._closing = asyncio.Event()
        logging.getLogger("procrastinate").setLevel(logging.CRITICAL)  # we tell of it ourselves
        self._thread = threading.Thread(target=self._run, name="procrastinate", daemon=True)
        self._thread.start()

    def take(self, model_digests: Sequence[str]) -> Claim | None:
        """Claim what was handed on; None: nothing was."""
        while True:
            self._there.clear()
            try:
                handed = self._handed.get_nowait()
            except queue.Empty:
                return None
            self._tell(handed.taken)
            claim = None
            try:
                claim = self._claim(handed.explanation, model_digests)
            finally:
                if claim is None:  # or the database did not answer: the next may be handed on
                    self._tell(handed.ended)
            if claim is not None:
                self._doing = handed.ended
                return claim

    def done(self, claim: Claim) -> None:  # noqa: ARG002 - one at a time
        """Let Procrastinate hand on the next."""
        if self._doing is not None:
            self._tell(self._doing)
            self._doing = None

    def wait(self, seconds: float) -> None:
        """Wait until one is handed on, and not longer than this."""
        self._there.wait(seconds)

    def close(self) -> None:
        """Take nothing more."""
        self._loop.call_soon_threadsafe(self._closing.set)
        self._thread.join(LONGEST_END)

    def _claim(self, identifier: int, model_digests: Sequence[str]) -> Claim | None:
        with self._home.database.read() as session:
            row = session.get(ExplanationRow, identifier)
            known = row is not None and row.model_digest in model_digests
        if not known:  # it has come since the models were looked at; the job goes, and another one comes
            claims.put_off(self._home, identifier)
            return None
        return claims.take_one(self._home, self.by, identifier)

    def _tell(self, event: Event) -> None:
        self._loop.call_soon_threadsafe(_set, event)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._work())
        self._loop.close()

    async def _work(self) -> None:
        """Procrastinate's worker, begun anew when the connection was lost."""
        while not self._closing.is_set():
            working = asyncio.create_task(self._work_once())
            closing = asyncio.create_task(self._closing.wait())
            await asyncio.wait([working, closing], return_when=asyncio.FIRST_COMPLETED)
            working.cancel()
            with suppress(asyncio.CancelledError):
                try:
                    await working
                except Exception as error:  # noqa: BLE001 - whatever it is, the table still says what is wanted
                    _log.warning(
                        "the queue is not reached", reason=type(error).__name__, seconds=AFTER_TROUBLE
                    )
            closing.cancel()
            with suppress(asyncio.TimeoutError, asyncio.CancelledError):
                await asyncio.wait_for(self._closing.wait(), 0 if self._closing.is_set() else AFTER_TROUBLE)

    async def _work_once(self) -> None:
        address = self._home.database.engine.url.set(drivername="postgresql")
        connector = PsycopgConnector(
            conninfo=address.render_as_string(hide_password=False),
            kwargs={"options": f"-c search_path={SCHEMA}"},
        )
        app = App(connector=connector)

        @app.task(name="explain")
        async def explain(explanation_id: int) -> None:
            handed = Handed(explanation_id, self._loop.create_future(), self._loop.create_future())
            self._handed.put(handed)
            self._there.set()
            await asyncio.wait([handed.taken], timeout=TAKEN)
            if handed.taken.done():
                await handed.ended
            # Else this process cannot work now, as its disk is full, say: the sweep gives it to others.

        async with app.open_async():
            await app.run_worker_async(
                queues=[str(lane) for lane in self.lanes],
                concurrency=1,
                fetch_job_polling_interval=POLL,
                install_signal_handlers=False,
                delete_jobs="always",
                shutdown_graceful_timeout=1.0,
            )


def _set(event: Event) -> None:
    if not event.done():  # else the connection was lost meanwhile
        event.set_result(None)


def sweep(home: Home) -> int:
    """Put into the queue what has fallen out of it, because a worker or a machine is gone; how many claims.

    Whoever keeps house does so from time to time.
    """
    expired = claims.expire(home)
    with home.database.write() as session:
        session.execute(PATH)
        session.execute(PRUNE, {"age": STALLED})
        session.execute(GONE)
    with home.database.read() as session:  # a long look: nobody shall wait for it to write
        session.execute(PATH)
        lost = session.scalars(LOST).all()
    if lost:
        with home.database.write() as session:
            session.execute(AGAIN, {"lost": lost})
    return expired
