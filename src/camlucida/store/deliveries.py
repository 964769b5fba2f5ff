"""Which instance is to be sent where, and how far that has come.

A row is wanted first; then the instance is sent; then its row says so. A crash in between sends the same
object again, which is harmless: the same UID with the same bytes.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import ColumnElement, and_, func, or_, select, update
from sqlalchemy.orm import Session, joinedload

from camlucida.records import EventKind, ViewState
from camlucida.store import counters
from camlucida.store.audit import events
from camlucida.store.counters import Counter, Stage
from camlucida.store.dialects import insert
from camlucida.store.tables import DeliveryRow, DeliveryState, ExplanationRow, StudyRow, now

BACK_OFF = (
    timedelta(seconds=5),
    timedelta(seconds=15),
    timedelta(minutes=1),
    timedelta(minutes=5),
    timedelta(minutes=30),  # this and all later ones
)
GIVE_UP_AFTER = timedelta(hours=72)  # a long weekend


class Tally(NamedTuple):
    """How many deliveries to one destination are in one state, for one reason."""

    destination: str
    state: DeliveryState
    reason: str
    number: int


def want(session: Session, instance_id: int, destination: str) -> bool:
    """Ask for an instance to be sent; asking again changes nothing. Whether it was not asked for before."""
    done = session.execute(
        insert(DeliveryRow)
        .values(instance_id=instance_id, destination=destination, state=DeliveryState.WAITING)
        .on_conflict_do_nothing(index_elements=["instance_id", "destination"])
        .returning(DeliveryRow.id)
    )
    return done.first() is not None


def due(
    session: Session,
    destination: str,
    moment: datetime,
    limit: int = 100,
    instance_ids: Sequence[int] | None = None,
) -> Sequence[DeliveryRow]:
    """Deliveries to send now, with their instances, longest due first; of these instances only, if given.

    A clock that was set back leaves moments far in the future; they count as due.
    """
    query = (
        select(DeliveryRow)
        .where(_due_at(destination, moment))
        .options(joinedload(DeliveryRow.instance))
        .order_by(DeliveryRow.due, DeliveryRow.id)
        .limit(limit)
    )
    if instance_ids is not None:
        query = query.where(DeliveryRow.instance_id.in_(instance_ids))
    return session.scalars(query).all()


def sent(session: Session, delivery_id: int, who: str = events.STATION) -> None:
    """Note that the receiver keeps it; the trail tells who had it sent."""
    row = session.get_one(DeliveryRow, delivery_id)
    _tell(session, row, who)
    row.state, row.reason, row.finished, row.tries = DeliveryState.SENT, "", now(), row.tries + 1
    counters.count(session, Counter.DELIVERIES, DeliveryState.SENT)
    counters.observe(session, [(Stage.SEND, (now() - row.created).total_seconds())])


def _tell(session: Session, row: DeliveryRow, who: str) -> None:
    instance = row.instance
    of = StudyRow.study_instance_uid == instance.study_instance_uid
    study = session.scalar(select(StudyRow.key).where(of)) or ""
    explanation = session.get(ExplanationRow, instance.explanation_id) if instance.explanation_id else None
    view: ViewState = {"destination": row.destination, "sop_class_uid": instance.sop_class_uid}
    key = explanation.key if explanation else ""
    events.note(session, EventKind.SENT, who, view, study=study, explanation=key)


def refused(session: Session, delivery_id: int, reason: str) -> None:
    """Note that the receiver will never take it: it is not tried again unless a user asks."""
    row = session.get_one(DeliveryRow, delivery_id)
    if row.state == DeliveryState.WAITING:  # another process may have sent it in the meantime
        row.tries += 1
        _give_up(row, reason)


def failed(
    session: Session,
    delivery_id: int,
    reason: str,
    *,
    moment: datetime | None = None,
    give_up_after: timedelta = GIVE_UP_AFTER,
) -> None:
    """Note that a try failed: the next is due after a back-off, or it is given up."""
    row = session.get_one(DeliveryRow, delivery_id)
    if row.state == DeliveryState.WAITING:
        _put_off(row, reason, moment or now(), give_up_after)


def not_reached(
    session: Session,
    destination: str,
    reason: str,
    *,
    moment: datetime | None = None,
    give_up_after: timedelta = GIVE_UP_AFTER,
) -> int:
    """Note that the destination could not be reached, for all that was due there. How many these are."""
    moment = moment or now()
    rows = session.scalars(select(DeliveryRow).where(_due_at(destination, moment))).all()
    for row in rows:
        _put_off(row, reason, moment, give_up_after)
    return len(rows)


def again(
    session: Session,
    destination: str | None = None,
    instance_ids: Sequence[int] | None = None,
    *,
    even_sent: bool = False,
) -> int:
    """Make deliveries due at once, as if never tried: those given up and those that wait. How many.

    With `even_sent` those that were sent, too: a receiver may have lost them.
    """
    states = [DeliveryState.WAITING, DeliveryState.GIVEN_UP, *([DeliveryState.SENT] if even_sent else [])]
    query = update(DeliveryRow)
    if instance_ids is not None:
        query = query.where(DeliveryRow.instance_id.in_(instance_ids))
    if destination is not None:
        query = query.where(DeliveryRow.destination == destination)
    values = {"state": DeliveryState.WAITING, "tries": 0, "due": now(), "reason": "", "finished": None}
    done = session.execute(
        query.where(DeliveryRow.state.in_(states)).values(values).returning(DeliveryRow.id)
    )
    return len(done.all())


def of_instances(session: Session, destination: str, instance_ids: Sequence[int]) -> Sequence[DeliveryRow]:
    """The deliveries of these instances to a destination, with the instances, in the order of asking."""
    return session.scalars(
        select(DeliveryRow)
        .where(DeliveryRow.destination == destination, DeliveryRow.instance_id.in_(instance_ids))
        .options(joinedload(DeliveryRow.instance))
        .order_by(DeliveryRow.id)
    ).all()


def status(session: Session) -> Sequence[Tally]:
    """How many deliveries are in which state, by destination and reason."""
    rows = session.execute(
        select(DeliveryRow.destination, DeliveryRow.state, DeliveryRow.reason, func.count())
        .group_by(DeliveryRow.destination, DeliveryRow.state, DeliveryRow.reason)
        .order_by(DeliveryRow.destination, DeliveryRow.state, func.count().desc())
    )
    return [Tally(name, DeliveryState(state), reason, count) for name, state, reason, count in rows]


def back_off(tries: int) -> timedelta:
    """How long to wait after so many failed tries."""
    return BACK_OFF[min(tries, len(BACK_OFF)) - 1]


def exhausted(tries: int, give_up_after: timedelta) -> bool:
    """Whether the waits before and after so many failed tries come to more than `give_up_after`."""
    waited = sum(BACK_OFF[:tries], timedelta()) + max(0, tries - len(BACK_OFF)) * BACK_OFF[-1]
    return waited > give_up_after


def _put_off(row: DeliveryRow, reason: str, moment: datetime, give_up_after: timedelta) -> None:
    row.tries += 1
    if exhausted(row.tries, give_up_after):
        _give_up(row, reason)
    else:
        row.reason, row.due = reason, moment + back_off(row.tries)


def _give_up(row: DeliveryRow, reason: str) -> None:
    row.state, row.reason, row.finished = DeliveryState.GIVEN_UP, reason, now()


def _due_at(destination: str, moment: datetime) -> ColumnElement[bool]:
    return and_(
        DeliveryRow.destination == destination,
        DeliveryRow.state == DeliveryState.WAITING,
        or_(DeliveryRow.due <= moment, DeliveryRow.due > moment + 2 * BACK_OFF[-1]),
    )
