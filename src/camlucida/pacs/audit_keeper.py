"""What keeps the audit trail while a station runs: signed checkpoints, and messages to a syslog server.

Nobody waits for it. What is to be sent is read from the trail itself, from where the last sending ended: a
server that is not reached, or a station that was stopped, delays messages and loses none. One that was on its
way when the connection broke may come twice; by UDP, nobody is told of one that was lost on the network.
"""

import threading
from datetime import timedelta
from time import monotonic

import structlog
from sqlalchemy import select
from sqlalchemy.exc import DatabaseError
from sqlalchemy.orm import Session

from camlucida.errors import CamlucidaError
from camlucida.pacs import audit_message, syslog
from camlucida.pacs.audit_message import Subject
from camlucida.pacs.syslog import Address, Connection
from camlucida.records import Event, EventKind
from camlucida.settings import settings
from camlucida.store.audit import events
from camlucida.store.home import Home
from camlucida.store.tables import EventRow, ForwardedRow, StudyRow, now
from camlucida.store.turn import TELLING, Turn

POLL_SECONDS = 1.0
CHECKPOINT_SECONDS = 30.0  # how often it is looked whether one is due
LONGEST_PAUSE = 60.0  # between two tries to reach the server
AT_ONCE = 200

_log = structlog.get_logger()


class AuditKeeper:
    """Runs in a thread until it is stopped."""

    def __init__(self, home: Home, *, url: str = "", longest: timedelta = timedelta(minutes=10)) -> None:
        """`url`: the syslog server's, or none; `longest`: after which an event is in a checkpoint."""
        self._home, self._longest = home, longest
        self._address = Address.read(url) if url else None
        self._turn = Turn(home, TELLING)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="audit", daemon=True)
        self._pause = POLL_SECONDS
        self._checkpoint_due = monotonic() + CHECKPOINT_SECONDS

    def start(self) -> None:
        """Begin."""
        if self._address:
            begin(self._home, self._address)
        self._thread.start()

    def stop(self, seconds: float = 5.0) -> None:
        """End, after a last look."""
        self._stop.set()
        self._thread.join(seconds)

    def _run(self) -> None:
        self._tell_activity(start=True)
        while not self._stop.wait(self._pause):
            self._look()
        self._look()
        self._turn.release()
        self._tell_activity(start=False)

    def _look(self) -> None:
        try:
            if monotonic() >= self._checkpoint_due or self._stop.is_set():
                self._checkpoint_due = monotonic() + CHECKPOINT_SECONDS
                self._sign()
            if self._address and self._turn.take():  # of several servers over one store, one tells
                forward(self._home, self._address)
            self._pause = POLL_SECONDS if self._address else CHECKPOINT_SECONDS
        except (CamlucidaError, DatabaseError) as error:
            told = str(error) if isinstance(error, CamlucidaError) else type(error).__name__
            _log.warning("the audit trail is not told elsewhere for now", reason=told)
            self._pause = min(2 * self._pause, LONGEST_PAUSE)

    def _sign(self) -> None:
        from camlucida.store.audit import checkpoints  # noqa: PLC0415 - cryptography: not at every start

        if self._stop.is_set():
            checkpoints.keep_up(self._home, least_events=1)
        else:
            checkpoints.keep_up(self._home, longest=self._longest)

    def _tell_activity(self, *, start: bool) -> None:
        if self._address is None:
            return
        try:
            with _connection(self._address) as connection:
                content = audit_message.activity(now().isoformat(timespec="milliseconds"), start=start)
                connection.send(syslog.framed(content, now()))
        except CamlucidaError as error:
            _log.warning("the audit trail is not told elsewhere for now", reason=str(error))


def begin(home: Home, address: Address) -> None:
    """Tell a server that is new of what happens from now on."""
    with home.database.write() as session:
        if session.get(ForwardedRow, _name(address)) is None:
            session.add(ForwardedRow(destination=_name(address), event_id=events.count(session)))


def forward(home: Home, address: Address) -> int:
    """Send what the server has not been told of yet; how many messages.

    Raises
    ------
    NotReached
        The server is not, or no longer, there; what was not sent is sent the next time.
    """
    sent = 0
    while True:
        with home.database.read() as session:
            row = session.get(ForwardedRow, _name(address))
            last = row.event_id if row else 0
            found = session.scalars(
                select(EventRow).where(EventRow.id > last).order_by(EventRow.id).limit(AT_ONCE)
            ).all()
            told = [(one.id, one.happened, _message(session, one, address)) for one in found]
        if not told:
            return sent
        with _connection(address) as connection:
            for _, moment, content in told:
                if content is not None:
                    connection.send(syslog.framed(content, moment))
                    sent += 1
        _note(home, address, told[-1][0])


def _note(home: Home, address: Address, last: int) -> None:
    with home.database.write() as session:
        row = session.get(ForwardedRow, _name(address))
        if row is None:
            session.add(ForwardedRow(destination=_name(address), event_id=last))
        else:
            row.event_id = max(row.event_id, last)


def _message(session: Session, row: EventRow, address: Address) -> bytes | None:
    event = Event(
        row.key, EventKind(row.kind), row.happened, row.tab, row.study_key, row.image_key, view=row.view
    )
    return audit_message.message(row.id, event, row.who, _subject(session, row.study_key, address))


def _subject(session: Session, key: str, address: Address) -> Subject | None:
    """The patient is named to a server that is reached in secret only."""
    study = session.scalar(select(StudyRow).where(StudyRow.key == key)) if key else None
    if study is None:
        return None
    return Subject(study.study_instance_uid, study.patient_id if address.transport == "tls" else "")


def _connection(address: Address) -> Connection:
    return Connection(address, settings().audit_syslog_ca)


def _name(address: Address) -> str:
    return f"{address.transport}://{address.host}:{address.port}"
