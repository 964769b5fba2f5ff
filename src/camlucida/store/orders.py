"""Result objects that are wanted of explanations, and where they shall go.

An order is a row before anything is written; it is done when all its objects are kept and their deliveries
are wanted. Whatever stops the process in between, the row still says "wanted".
"""

from collections.abc import Sequence
from itertools import groupby
from typing import NamedTuple

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from camlucida.store.dialects import insert
from camlucida.store.tables import ExplanationRow, OrderRow, OrderState, State, now


class Ready(NamedTuple):
    """Orders for the same objects of the same explanation: they are written once."""

    explanation_id: int
    profile: str
    orders: tuple[int, ...]  # ids
    attempts: int


def want(session: Session, explanation_id: int, profile: str, destination: str, rule: str = "") -> None:
    """Ask for result objects; asking again changes nothing, unless they were refused."""
    session.execute(
        insert(OrderRow)
        .values(
            explanation_id=explanation_id,
            profile=profile,
            destination=destination,
            rule=rule,
            state=OrderState.WANTED,
            reason="",
            attempts=0,
            created=now(),
        )
        .on_conflict_do_update(
            index_elements=["explanation_id", "profile", "destination"],
            set_={"state": OrderState.WANTED, "reason": "", "attempts": 0},
            where=OrderRow.state == OrderState.REFUSED,
        )
    )


def ready(session: Session) -> list[Ready]:
    """Orders that are wanted and whose explanation is done, oldest first."""
    rows = session.scalars(
        select(OrderRow)
        .join(OrderRow.explanation)
        .where(OrderRow.state == OrderState.WANTED, ExplanationRow.state == State.DONE)
        .order_by(OrderRow.explanation_id, OrderRow.profile, OrderRow.id)
    )
    return [
        Ready(explanation, profile, tuple(one.id for one in same), max(one.attempts for one in same))
        for (explanation, profile), group in groupby(rows, lambda row: (row.explanation_id, row.profile))
        for same in [list(group)]
    ]


def attempt(session: Session, orders: Sequence[int], number: int = 1) -> None:
    """Count an attempt at writing these, before it is made: it may end the process; -1 takes it back."""
    session.execute(
        update(OrderRow).where(OrderRow.id.in_(orders)).values(attempts=OrderRow.attempts + number)
    )


def destinations(session: Session, orders: Sequence[int]) -> list[str]:
    """Where the objects of these orders shall go; none for those that are kept here only."""
    found = session.scalars(select(OrderRow.destination).where(OrderRow.id.in_(orders)).order_by(OrderRow.id))
    return [destination for destination in found if destination]


def done(session: Session, orders: Sequence[int], reason: str = "") -> None:
    """Say that their objects are kept and their deliveries wanted; `reason`: why some kinds are not there."""
    session.execute(
        update(OrderRow)
        .where(OrderRow.id.in_(orders))
        .values(state=OrderState.DONE, reason=reason, attempts=0)
    )


def refuse(session: Session, orders: Sequence[int], reason: str) -> None:
    """Say why nothing is written of these; `reason` holds no patient data."""
    session.execute(
        update(OrderRow).where(OrderRow.id.in_(orders)).values(state=OrderState.REFUSED, reason=reason)
    )


def unexplained(session: Session) -> list[tuple[int, str]]:
    """Orders that are wanted of an explanation that was refused, cancelled or has failed, with its reason."""
    rows = session.execute(
        select(OrderRow.id, ExplanationRow.reason)
        .join(OrderRow.explanation)
        .where(
            OrderRow.state == OrderState.WANTED,
            ExplanationRow.state.in_([State.REFUSED, State.FAILED, State.CANCELLED]),
        )
    )
    return [(order, reason) for order, reason in rows]


def want_again(session: Session, explanation_ids: Sequence[int]) -> None:
    """Want the refused orders of explanations that are tried again."""
    session.execute(
        update(OrderRow)
        .where(OrderRow.explanation_id.in_(explanation_ids), OrderRow.state == OrderState.REFUSED)
        .values(state=OrderState.WANTED, reason="", attempts=0)
    )


def again(session: Session) -> int:
    """Want all that was refused although its explanation is there; how many orders that are."""
    explained = select(ExplanationRow.id).where(ExplanationRow.state == State.DONE)
    done = session.execute(
        update(OrderRow)
        .where(OrderRow.state == OrderState.REFUSED, OrderRow.explanation_id.in_(explained))
        .values(state=OrderState.WANTED, reason="", attempts=0)
        .returning(OrderRow.id)
    )
    return len(done.all())
