"""Who did what, when: the audit trail asked."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Select, distinct, func, select
from sqlalchemy.orm import Session

from camlucida.errors import UnknownStudy
from camlucida.records import EventKind
from camlucida.store.studies import find_study
from camlucida.store.tables import EventRow

LOOKED = (EventKind.OPENED, EventKind.CHANGED)
AT_ONCE = 2000


@dataclass(frozen=True, slots=True)
class Search:
    """What is asked for: whatever is given has to be so. Moments are by the clock of who did it."""

    who: str = ""
    study: str = ""  # a key
    kinds: tuple[EventKind, ...] = ()
    since: datetime | None = None
    until: datetime | None = None  # before this moment


class Seen(NamedTuple):
    """What one person has seen of a study."""

    who: str
    first: datetime
    last: datetime
    opened: int  # how often
    images: int  # how many different ones
    maps: int  # how many different explanations


def study_key(session: Session, name: str) -> str:
    """The key of the study that a user means; of one that is kept no longer, its whole key.

    Raises
    ------
    UnknownStudy
        There is none, and no event of one.
    """
    try:
        return find_study(session, name).key
    except UnknownStudy:
        if session.scalar(select(EventRow.id).where(EventRow.study_key == name).limit(1)):
            return name
        raise


def latest(session: Session, search: Search, most: int) -> list[EventRow]:
    """The last events that were asked for, in their order."""
    rows = session.scalars(_chosen(select(EventRow), search).order_by(EventRow.id.desc()).limit(most))
    return list(reversed(rows.all()))


def all_of(session: Session, search: Search, size: int) -> Iterator[dict[str, Any]]:
    """The columns of all events that were asked for among the first `size`, in their order."""
    query = _chosen(select(EventRow.__table__), search).order_by(EventRow.id).limit(AT_ONCE)
    last = 0
    while found := session.execute(query.where(EventRow.id > last, EventRow.id <= size)).mappings().all():
        yield from map(dict, found)
        last = found[-1]["id"]


def count(session: Session, search: Search) -> int:
    """How many events were asked for."""
    return session.scalar(_chosen(select(func.count(EventRow.id)), search)) or 0


def who_saw(session: Session, study: str) -> list[Seen]:
    """Who has looked at a study, by its key; who did so first stands first."""
    maps = func.count(distinct(func.nullif(EventRow.explanation_key, "")))
    images = func.count(distinct(func.nullif(EventRow.image_key, "")))
    first = func.min(EventRow.happened)
    opened = func.count(EventRow.id).filter(EventRow.kind == EventKind.OPENED)
    rows = session.execute(
        select(EventRow.who, first, func.max(EventRow.happened), opened, images, maps)
        .where(EventRow.study_key == study, EventRow.kind.in_(LOOKED))
        .group_by(EventRow.who)
        .order_by(first, EventRow.who)
    )
    return [Seen(*row) for row in rows]


def _chosen(query: Select[Any], search: Search) -> Select[Any]:
    if search.who:
        query = query.where(EventRow.who == search.who)
    if search.study:
        query = query.where(EventRow.study_key == search.study)
    if search.kinds:
        query = query.where(EventRow.kind.in_(search.kinds))
    if search.since is not None:
        query = query.where(EventRow.happened >= search.since)
    if search.until is not None:
        query = query.where(EventRow.happened < search.until)
    return query
