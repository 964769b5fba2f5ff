"""DICOM instances, whole, as they came or as we wrote them: kept once, whatever the sender repeats.

What is taken is on the disk before `take` returns, so that its receipt may be told to the sender.
"""

import hashlib
from collections.abc import Sequence
from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple

from sqlalchemy import Select, func, select
from sqlalchemy.exc import DatabaseError
from sqlalchemy.orm import Session

from camlucida.dicom.header import read_header
from camlucida.records import InstanceHeader
from camlucida.store import counters
from camlucida.store.blobs import CHUNK_BYTES, Part
from camlucida.store.counters import Counter, Stage
from camlucida.store.database import not_written
from camlucida.store.home import Home
from camlucida.store.tables import InstanceRow, Intent, Origin, now


class Kept(StrEnum):
    """What came of taking an instance."""

    NEW = "new"
    KNOWN = "known"  # the same SOP Instance UID and the same content are kept already
    CONFLICTING = "conflicting"  # the same SOP Instance UID with other content is kept: both are, apart


class Arrival(NamedTuple):
    """What came of taking an instance, and which row it is."""

    kept: Kept
    id: int
    sop_instance_uid: str
    study_instance_uid: str


def take(
    home: Home,
    source: Path | Part,
    origin: Origin,
    sender: str = "",
    *,
    header: InstanceHeader | None = None,
    intent: Intent = Intent.WAITING,
    explanation_id: int | None = None,
) -> Arrival:
    """Keep a DICOM instance, once: a copy of a file, or a part of `home.blobs` itself, which is gone then.

    It is on the disk when this returns. What is known already is not written again, unless it was damaged.
    `header`, if it has been read already.

    Raises
    ------
    InputError
        It is no DICOM instance, or too large.
    StoreError
        It could not be written: the sender must keep it. DiskFull if there is no room.
    """
    if isinstance(source, Part):
        source.finish()
    path = source.path if isinstance(source, Part) else source
    header = header or read_header(path)
    content = _Content.of(path, header.content_offset)
    try:
        known = _known(home, header, content)
        if known is not None:
            return known
        _keep(home, source, content.digest)
        row = _row(header, content, origin, sender, intent, explanation_id)
        with home.database.write() as session:
            return _enter(session, header, content, row)
    except DatabaseError as error:
        raise not_written(error) from error


def complete_studies(session: Session, quiet: timedelta) -> Sequence[str]:
    """Study Instance UIDs with waiting instances of which none came within the quiet period, oldest first.

    A clock that was set back makes receipts lie in the future; they count as long ago.
    """
    last = func.max(InstanceRow.received)
    moment = now()
    return session.scalars(
        select(InstanceRow.study_instance_uid)
        .where(InstanceRow.intent == Intent.WAITING)
        .group_by(InstanceRow.study_instance_uid)
        .having((last <= moment - quiet) | (last > moment + quiet))
        .order_by(last)
    ).all()


def waiting(session: Session, study_instance_uid: str) -> Sequence[InstanceRow]:
    """Instances of a study that wait to be read, in the order in which they came."""
    return session.scalars(
        select(InstanceRow)
        .where(
            InstanceRow.study_instance_uid == study_instance_uid,
            InstanceRow.intent == Intent.WAITING,
        )
        .order_by(InstanceRow.id)
    ).all()


class Tally(NamedTuple):
    """So many received instances in a state, for a reason."""

    intent: Intent
    reason: str
    number: int


def status(session: Session) -> Sequence[Tally]:
    """What has become of all instances that others gave us, our own results left out."""
    number = func.count().label("number")
    rows = session.execute(
        select(InstanceRow.intent, InstanceRow.reason, number)
        .where(InstanceRow.origin != Origin.RESULT)
        .group_by(InstanceRow.intent, InstanceRow.reason)
        .order_by(InstanceRow.intent, number.desc())
    )
    return [Tally(Intent(intent), reason, count) for intent, reason, count in rows]


def of_study(session: Session, study_instance_uid: str) -> Sequence[InstanceRow]:
    """Instances of a study that are shown (of those with the same UID, what came first), as they came."""
    return session.scalars(_shown().where(InstanceRow.study_instance_uid == study_instance_uid)).all()


def of_series(session: Session, study_instance_uid: str, series_instance_uid: str) -> Sequence[InstanceRow]:
    """As `of_study`, of one series."""
    return session.scalars(
        _shown().where(
            InstanceRow.study_instance_uid == study_instance_uid,
            InstanceRow.series_instance_uid == series_instance_uid,
        )
    ).all()


def find(session: Session, sop_instance_uid: str) -> InstanceRow | None:
    """The instance that is shown under this UID."""
    return session.scalar(_shown().where(InstanceRow.sop_instance_uid == sop_instance_uid))


def settle(session: Session, rows: Sequence[InstanceRow], intent: Intent, reason: str = "") -> None:
    """Say what became of instances, and why; `reason` holds no patient data."""
    waited = [(now() - row.received).total_seconds() for row in rows if row.intent == Intent.WAITING]
    counters.count(session, Counter.ARRIVALS, intent, len(waited))
    counters.observe(session, [(Stage.READ, seconds) for seconds in waited])
    for row in rows:
        row.intent, row.reason = intent, reason
    session.flush()


def attempt(session: Session, rows: Sequence[InstanceRow], number: int = 1) -> None:
    """Count an attempt at reading these, before it is made: it may end the process; -1 takes it back."""
    for row in rows:
        row.attempts += number
    session.flush()


def _shown() -> Select[InstanceRow]:
    return select(InstanceRow).where(~InstanceRow.conflicting).order_by(InstanceRow.id)


class _Content(NamedTuple):
    """What a file holds: digests of all of it and of its data set, without the file meta group."""

    digest: str
    content_digest: str
    bytes: int

    @classmethod
    def of(cls, path: Path, offset: int) -> "_Content":
        whole, content, size = hashlib.sha256(), hashlib.sha256(), 0
        with path.open("rb") as file:
            whole.update(file.read(offset))
            while chunk := file.read(CHUNK_BYTES):
                whole.update(chunk)
                content.update(chunk)
            size = file.tell()
        return cls(whole.hexdigest(), content.hexdigest(), size)


def _known(home: Home, header: InstanceHeader, content: _Content) -> Arrival | None:
    """The arrival of what is kept already, whole: without a lock, a copy or a row."""
    with home.database.read() as session:
        row = _same(session, header, content)
        if row is None or not home.blobs.intact(row.digest):
            return None
        return _arrival(Kept.KNOWN, row)


def _same(session: Session, header: InstanceHeader, content: _Content) -> InstanceRow | None:
    return session.scalar(
        select(InstanceRow).where(
            InstanceRow.sop_instance_uid == header.sop_instance_uid,
            InstanceRow.content_digest == content.content_digest,
        )
    )


def _keep(home: Home, source: Path | Part, digest: str) -> str:
    if isinstance(source, Part):
        return home.blobs.keep(source, digest)
    return home.blobs.put_file(source, digest)


def _enter(session: Session, header: InstanceHeader, content: _Content, row: InstanceRow) -> Arrival:
    """Add the row of a blob that was just written, or point the known row to it: its own was damaged."""
    known = _same(session, header, content)
    if known is not None:
        known.digest, known.bytes = content.digest, content.bytes
        return _arrival(Kept.KNOWN, known)
    row.conflicting = find(session, header.sop_instance_uid) is not None
    session.add(row)
    session.flush()
    return _arrival(Kept.CONFLICTING if row.conflicting else Kept.NEW, row)


def _arrival(kept: Kept, row: InstanceRow) -> Arrival:
    return Arrival(kept, row.id, row.sop_instance_uid, row.study_instance_uid)


def _row(
    header: InstanceHeader,
    content: _Content,
    origin: Origin,
    sender: str,
    intent: Intent,
    explanation: int | None,
) -> InstanceRow:
    return InstanceRow(
        sop_instance_uid=header.sop_instance_uid,
        content_digest=content.content_digest,
        digest=content.digest,
        bytes=content.bytes,
        study_instance_uid=header.study_instance_uid,
        series_instance_uid=header.series_instance_uid,
        sop_class_uid=header.sop_class_uid,
        transfer_syntax_uid=header.transfer_syntax_uid,
        header=header.attributes,
        origin=origin,
        sender=sender,
        intent=intent,
        explanation_id=explanation,
    )
