"""How far the work has come: what waits, what was done each hour, what was refused or has failed, and why."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import String, cast, func, select
from sqlalchemy.orm import Session, joinedload

from camlucida.store.tables import (
    DeliveryRow,
    DeliveryState,
    ExplanationRow,
    ImageRow,
    InstanceRow,
    Intent,
    Lane,
    ModelRow,
    OrderRow,
    OrderState,
    State,
    now,
)

HOURS = 24
MOST_ROWS = 100
MOST_REASONS = 50


class OfModel(NamedTuple):
    """How many explanations of one model and method are in one state; a model without any has one line."""

    digest: str
    name: str
    version: str
    current: bool
    method: str | None
    state: str | None
    number: int


class Waiting(NamedTuple):
    """Explanations that are wanted of a model; of one that is not current they wait for ever."""

    model: str
    version: str
    current: bool
    method: str
    number: int
    since: datetime


class Reason(NamedTuple):
    """How many things ended for the same reason, and when the last of them did; `of` is what they are."""

    of: str
    reason: str
    number: int
    latest: datetime | None


class Due(NamedTuple):
    """Deliveries to one destination that wait: how many, when the next try is, why the last one failed."""

    destination: str
    number: int
    due: datetime
    reason: str


def of_models(session: Session) -> list[OfModel]:
    """Every model that the store knows, with its explanations by method and state."""
    rows = session.execute(
        select(
            ModelRow.digest,
            ModelRow.name,
            ModelRow.version,
            ModelRow.current,
            ExplanationRow.method,
            ExplanationRow.state,
            func.count(ExplanationRow.id),
        )
        .outerjoin(ExplanationRow, ExplanationRow.model_digest == ModelRow.digest)
        .group_by(ModelRow.digest, ExplanationRow.method, ExplanationRow.state)
        .order_by(ModelRow.name, ModelRow.version, ExplanationRow.method, ExplanationRow.state)
    )
    return [OfModel(*row) for row in rows]


def waiting(session: Session) -> list[Waiting]:
    """What is to be explained, by model and method, what has waited for longest first."""
    since = func.min(ExplanationRow.created)
    rows = session.execute(
        select(
            ModelRow.name,
            ModelRow.version,
            ModelRow.current,
            ExplanationRow.method,
            func.count(ExplanationRow.id),
            since,
        )
        .join(ExplanationRow.model)
        .where(ExplanationRow.state == State.WANTED)
        .group_by(ModelRow.digest, ExplanationRow.method)
        .order_by(since)
    )
    return [Waiting(*row) for row in rows]


def done_by_hour(session: Session, moment: datetime | None = None) -> list[tuple[datetime, int]]:
    """How many explanations were computed in each of the last hours (UTC), the present one last."""
    last = (moment or now()).replace(minute=0, second=0, microsecond=0)
    first = last - timedelta(hours=HOURS - 1)
    hour = func.substr(cast(ExplanationRow.finished, String), 1, 13)  # 2026-01-31 23
    rows = session.execute(
        select(hour, func.count(ExplanationRow.id))
        .where(ExplanationRow.state == State.DONE, ExplanationRow.finished >= first)
        .group_by(hour)
    )
    counted = {datetime.fromisoformat(f"{text}:00+00:00"): number for text, number in rows}
    hours = [first + timedelta(hours=step) for step in range(HOURS)]
    return [(one, counted.get(one, 0)) for one in hours]


def explanations_by_state(session: Session) -> dict[State, int]:
    """How many explanations are in each state, those of other model versions among them."""
    rows = session.execute(
        select(ExplanationRow.state, func.count(ExplanationRow.id)).group_by(ExplanationRow.state)
    )
    counted = {State(state): number for state, number in rows}
    return {state: counted.get(state, 0) for state in State}


def failed(session: Session) -> Sequence[ExplanationRow]:
    """Explanations that should have worked, the last first, with their models and images; not all if many."""
    return session.scalars(
        select(ExplanationRow)
        .where(ExplanationRow.state == State.FAILED)
        .order_by(ExplanationRow.finished.desc(), ExplanationRow.id.desc())
        .limit(MOST_ROWS)
        .options(
            joinedload(ExplanationRow.model), joinedload(ExplanationRow.image).joinedload(ImageRow.study)
        )
    ).all()


def running(session: Session) -> Sequence[ExplanationRow]:
    """Explanations that somebody computes now, with their models and images; not all if many."""
    return session.scalars(
        select(ExplanationRow)
        .where(ExplanationRow.state == State.WANTED, ExplanationRow.claimed_by != "")
        .order_by(ExplanationRow.id)
        .limit(MOST_ROWS)
        .options(
            joinedload(ExplanationRow.model), joinedload(ExplanationRow.image).joinedload(ImageRow.study)
        )
    ).all()


def refused(session: Session) -> list[Reason]:
    """Why models do not take images; `of` is the model's name. Parts of volumes that came whole are none."""
    number = func.count(ExplanationRow.id)
    rows = session.execute(
        select(ModelRow.name, ExplanationRow.reason, number, func.max(ExplanationRow.finished))
        .join(ExplanationRow.model)
        .join(ExplanationRow.image)
        .where(ExplanationRow.state == State.REFUSED, ~ImageRow.superseded)
        .group_by(ModelRow.name, ExplanationRow.reason)
        .order_by(number.desc())
        .limit(MOST_REASONS)
    )
    return [Reason(*row) for row in rows]


def arriving(session: Session) -> tuple[int, datetime | None]:
    """How many instances wait for their study to be complete, and since when."""
    number, since = session.execute(
        select(func.count(InstanceRow.id), func.min(InstanceRow.received)).where(
            InstanceRow.intent == Intent.WAITING
        )
    ).one()
    return number, since


def not_read(session: Session) -> list[Reason]:
    """Instances of which no image was made; `of` is whether no rule is for them or they cannot be read."""
    number = func.count(InstanceRow.id)
    rows = session.execute(
        select(InstanceRow.intent, InstanceRow.reason, number, func.max(InstanceRow.received))
        .where(InstanceRow.intent.in_([Intent.UNREADABLE, Intent.NOT_FOR_US]))
        .group_by(InstanceRow.intent, InstanceRow.reason)
        .order_by(number.desc())
        .limit(MOST_REASONS)
    )
    return [Reason(*row) for row in rows]


class Queue(NamedTuple):
    """How much waits in one lane, and since when the first of it does."""

    name: str
    number: int
    since: datetime | None


def queues(session: Session) -> list[Queue]:
    """What waits, on the whole way from what arrives to what is sent."""
    first = func.min(ExplanationRow.created)
    wanted = select(func.count(ExplanationRow.id), first).join(ExplanationRow.model)
    wanted = wanted.where(ExplanationRow.state == State.WANTED, ModelRow.current)
    ordered = select(func.count(OrderRow.id), func.min(OrderRow.created))
    to_send = select(func.count(DeliveryRow.id), func.min(DeliveryRow.created))
    queries = {
        **{lane.value: wanted.where(ExplanationRow.lane == lane) for lane in Lane},
        "results": ordered.where(OrderRow.state == OrderState.WANTED),
        "deliveries": to_send.where(DeliveryRow.state == DeliveryState.WAITING),
    }
    told = [Queue(name, *session.execute(query).one()) for name, query in queries.items()]
    return [Queue("arrivals", *arriving(session)), *told]


def troubles(session: Session) -> dict[str, int]:
    """How much has ended badly and stays so until somebody acts, by kind."""
    queries = {
        "explanations": select(func.count(ExplanationRow.id)).where(ExplanationRow.state == State.FAILED),
        "results": select(func.count(OrderRow.id)).where(OrderRow.state == OrderState.REFUSED),
        "deliveries": select(func.count(DeliveryRow.id)).where(DeliveryRow.state == DeliveryState.GIVEN_UP),
        "unreadable": select(func.count(InstanceRow.id)).where(InstanceRow.intent == Intent.UNREADABLE),
    }
    return {name: session.scalar(query) or 0 for name, query in queries.items()}


def orders_by_state(session: Session) -> dict[OrderState, int]:
    """How many orders of result objects are in each state."""
    rows = session.execute(select(OrderRow.state, func.count(OrderRow.id)).group_by(OrderRow.state))
    counted = {OrderState(state): number for state, number in rows}
    return {state: counted.get(state, 0) for state in OrderState}


def orders_refused(session: Session) -> list[Reason]:
    """Why result objects were not written; `of` is their profile."""
    number = func.count(OrderRow.id)
    rows = session.execute(
        select(OrderRow.profile, OrderRow.reason, number, func.max(OrderRow.created))
        .where(OrderRow.state == OrderState.REFUSED)
        .group_by(OrderRow.profile, OrderRow.reason)
        .order_by(number.desc())
        .limit(MOST_REASONS)
    )
    return [Reason(*row) for row in rows]


def deliveries_due(session: Session) -> list[Due]:
    """What waits to be sent, by destination; the reason is that of the delivery that is due next."""
    of_one = DeliveryRow.destination
    place = func.row_number().over(partition_by=of_one, order_by=(DeliveryRow.due, DeliveryRow.id))
    number = func.count().over(partition_by=of_one)
    ranked = (
        select(of_one, number.label("number"), DeliveryRow.due, DeliveryRow.reason, place.label("place"))
        .where(DeliveryRow.state == DeliveryState.WAITING)
        .subquery()
    )
    first = select(ranked.c.destination, ranked.c.number, ranked.c.due, ranked.c.reason)
    rows = session.execute(first.where(ranked.c.place == 1).order_by(ranked.c.destination))
    return [Due(*row) for row in rows]
