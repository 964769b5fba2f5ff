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
from sqlalchemy.orm import Session

from camlucida.dicom.header import read_header
from camlucida.store.database import InstanceRow, Intent, Origin, now
from camlucida.store.home import Home


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
    path: Path,
    origin: Origin,
    sender: str = "",
    *,
    intent: Intent = Intent.WAITING,
    explanation_id: int | None = None,
) -> Arrival:
    """Keep a copy of a DICOM file, once.

    Raises
    ------
    InputError
        It is no DICOM instance, or too large.
    StoreError
        It could not be written: the sender must keep it.
    """
    header = read_header(path)
    content_digest = _content_digest(path, header.content_offset)
    digest = home.blobs.put_file(path)
    with home.database.write() as session:
        same = session.scalars(
            select(InstanceRow).where(InstanceRow.sop_instance_uid == header.sop_instance_uid)
        ).all()
        known = next((row for row in same if row.content_digest == content_digest), None)
        if known is not None:
            return Arrival(Kept.KNOWN, known.id, known.sop_instance_uid, known.study_instance_uid)
        row = InstanceRow(
            sop_instance_uid=header.sop_instance_uid,
            content_digest=content_digest,
            digest=digest,
            bytes=path.stat().st_size,
            study_instance_uid=header.study_instance_uid,
            series_instance_uid=header.series_instance_uid,
            sop_class_uid=header.sop_class_uid,
            transfer_syntax_uid=header.transfer_syntax_uid,
            header=header.attributes,
            origin=origin,
            sender=sender,
            conflicting=bool(same),
            intent=intent,
            explanation_id=explanation_id,
        )
        session.add(row)
        session.flush()
        kept = Kept.CONFLICTING if same else Kept.NEW
        return Arrival(kept, row.id, row.sop_instance_uid, row.study_instance_uid)


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


def of_explanation(session: Session, explanation_id: int) -> Sequence[InstanceRow]:
    """The result objects that were written of an explanation."""
    return session.scalars(_shown().where(InstanceRow.explanation_id == explanation_id)).all()


def find(session: Session, sop_instance_uid: str) -> InstanceRow | None:
    """The instance that is shown under this UID."""
    return session.scalar(_shown().where(InstanceRow.sop_instance_uid == sop_instance_uid))


def settle(session: Session, rows: Sequence[InstanceRow], intent: Intent, reason: str = "") -> None:
    """Say what became of instances, and why; `reason` holds no patient data."""
    for row in rows:
        row.intent, row.reason = intent, reason
    session.flush()


def attempt(session: Session, rows: Sequence[InstanceRow]) -> None:
    """Count one more attempt at reading these, before it is made: it may end the process."""
    for row in rows:
        row.attempts += 1
    session.flush()


def _shown() -> Select[InstanceRow]:
    return select(InstanceRow).where(~InstanceRow.conflicting).order_by(InstanceRow.id)


def _content_digest(path: Path, offset: int) -> str:
    with path.open("rb") as file:
        file.seek(offset)
        return hashlib.file_digest(file, "sha256").hexdigest()
