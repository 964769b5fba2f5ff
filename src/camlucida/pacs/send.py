"""Send what is to be delivered: one destination never waits for another, and nothing is lost by a stop."""

import hashlib
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from functools import partial
from typing import NamedTuple

import structlog
from sqlalchemy.exc import DatabaseError

from camlucida.errors import CamlucidaError, NotReached, PacsError, UnknownDestination
from camlucida.pacs import dicomweb, dimse
from camlucida.pacs.configuration import Configuration, Destination, Dimse
from camlucida.pacs.verdict import Fate, Parcel, Verdict
from camlucida.store import deliveries
from camlucida.store.audit import events
from camlucida.store.database import not_written
from camlucida.store.home import Home
from camlucida.store.tables import DeliveryRow, now
from camlucida.store.turn import turn

BATCH = 100  # deliveries that are read, and sent over one association, at once
POLL_SECONDS = 1.0

_log = structlog.get_logger()


class Outcome(NamedTuple):
    """What came of sending one instance. `reason` holds no patient data."""

    destination: str
    sop_class_uid: str
    fate: Fate
    reason: str


def destination_named(configuration: Configuration, name: str) -> Destination:
    """The destination of this name in pacs.toml.

    Raises
    ------
    UnknownDestination
        There is none.
    """
    if name not in configuration.destination:
        known = ", ".join(configuration.destination)
        cure = f"there are: {known}" if known else "`camlucida pacs init` writes one with examples"
        raise UnknownDestination(f"pacs.toml has no destination “{name}”; {cure}.")
    return configuration.destination[name]


def send_to(
    home: Home,
    name: str,
    destination: Destination,
    *,
    moment: datetime | None = None,
    stop: Callable[[], bool] = lambda: False,
    instance_ids: Sequence[int] | None = None,
    who: str = events.STATION,
) -> Iterator[Outcome]:
    """Send once what is due now to one destination, or these instances of it; what is told is noted already.

    `who` has it sent.

    Where the destination is not reached, all that was due there is put off, and told.
    """
    with _turn(home, name, stop) as mine:
        if mine:
            yield from _send(home, name, destination, moment, stop, instance_ids, who)


def _turn(home: Home, name: str, stop: Callable[[], bool]) -> AbstractContextManager[bool]:
    """One process at a time sends to a destination, or two would send each object twice."""

    def wait(seconds: float) -> bool:
        time.sleep(seconds)
        return stop()

    return turn(home, wait, f"sending-{hashlib.sha256(name.encode()).hexdigest()[:16]}.lock")


def _send(
    home: Home,
    name: str,
    destination: Destination,
    moment: datetime | None,
    stop: Callable[[], bool],
    instance_ids: Sequence[int] | None,
    who: str,
) -> Iterator[Outcome]:
    begun = moment or now()
    while not stop():
        with home.database.read() as session:
            rows = deliveries.due(session, name, begun, BATCH, instance_ids)
            parcels = [_parcel(home, row) for row in rows]
        if not parcels:
            return
        done = 0
        try:
            for parcel, verdict in _store(destination, parcels, stop):
                _note(home, destination, parcel.delivery_id, verdict, moment, who)
                yield Outcome(name, parcel.sop_class_uid, verdict.fate, verdict.reason)
                done += 1
            if not done and not stop():
                raise NotReached(f"“{name}” ends each association as soon as it has taken it.")
        except PacsError as error:
            yield from _put_off(home, name, destination, str(error), moment, instance_ids)
            return


class Sender:
    """Sends what becomes due while the station runs: a thread for each destination."""

    def __init__(self, home: Home, configuration: Configuration) -> None:
        self.home = home
        self.configuration = configuration
        self._stop = threading.Event()
        self._wake = {name: threading.Event() for name in configuration.destination}
        self._threads: list[threading.Thread] = []

    def start(self) -> None:
        """Begin sending."""
        for name, destination in self.configuration.destination.items():
            thread = threading.Thread(
                target=self._run, args=(name, destination), name=f"send-{name}", daemon=True
            )
            thread.start()
            self._threads.append(thread)

    def wake(self) -> None:
        """Look at once whether something is due."""
        for event in self._wake.values():
            event.set()

    def stop(self, seconds: float = 30.0) -> None:
        """End after the instance that is being sent; what is not sent is sent after the next start."""
        self._stop.set()
        self.wake()
        for thread in self._threads:
            thread.join(seconds)
        self._threads.clear()

    def _run(self, name: str, destination: Destination) -> None:
        wake = self._wake[name]
        while not self._stop.is_set():
            try:
                outcomes = send_to(self.home, name, destination, stop=self._stop.is_set)
                _tell(name, _tally(outcomes))
            except Exception as error:  # noqa: BLE001 - a full disk: told, and tried again
                told = not_written(error) if isinstance(error, DatabaseError) else error
                text = str(told) if isinstance(told, CamlucidaError) else type(told).__name__
                _log.error("sending failed", destination=name, error=text)
                self._stop.wait(deliveries.BACK_OFF[0].total_seconds())
            wake.wait(POLL_SECONDS)
            wake.clear()


def _store(
    destination: Destination, parcels: Sequence[Parcel], stop: Callable[[], bool]
) -> Iterator[tuple[Parcel, Verdict]]:
    if isinstance(destination, Dimse):
        return dimse.store(destination, parcels, stop)
    return dicomweb.store(destination, parcels, stop)


def _parcel(home: Home, row: DeliveryRow) -> Parcel:
    instance = row.instance
    return Parcel(
        row.id,
        instance.sop_class_uid,
        instance.sop_instance_uid,
        instance.transfer_syntax_uid,
        partial(home.blobs.path, instance.digest),
    )


def _note(
    home: Home,
    destination: Destination,
    delivery_id: int,
    verdict: Verdict,
    moment: datetime | None,
    who: str,
) -> None:
    with home.database.write() as session:
        if verdict.fate is Fate.KEPT:
            deliveries.sent(session, delivery_id, who)
        elif verdict.fate is Fate.NEVER:
            deliveries.refused(session, delivery_id, verdict.reason)
        else:
            limit = timedelta(hours=destination.give_up_hours)
            deliveries.failed(session, delivery_id, verdict.reason, moment=moment, give_up_after=limit)


def _put_off(
    home: Home,
    name: str,
    destination: Destination,
    reason: str,
    moment: datetime | None,
    instance_ids: Sequence[int] | None,
) -> list[Outcome]:
    limit = timedelta(hours=destination.give_up_hours)
    with home.database.write() as session:
        rows = deliveries.due(session, name, moment or now(), -1, instance_ids)
        told = [Outcome(name, row.instance.sop_class_uid, Fate.LATER, reason) for row in rows]
        deliveries.not_reached(session, name, reason, moment=moment, give_up_after=limit)
    return told


def _tally(outcomes: Iterator[Outcome]) -> Mapping[tuple[Fate, str], int]:
    """How often each fate and reason came, without keeping every outcome in memory."""
    found: dict[tuple[Fate, str], int] = {}
    for outcome in outcomes:
        key = (outcome.fate, outcome.reason)
        found[key] = found.get(key, 0) + 1
    return found


def _tell(name: str, tally: Mapping[tuple[Fate, str], int]) -> None:
    for (fate, reason), number in tally.items():
        if fate is Fate.KEPT:
            _log.info("sent", destination=name, instances=number)
        elif fate is Fate.LATER:
            _log.warning("not sent yet", destination=name, instances=number, reason=reason)
        else:
            _log.warning("refused by the receiver", destination=name, instances=number, reason=reason)
