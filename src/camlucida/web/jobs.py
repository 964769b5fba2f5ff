"""The work of the station: what waits, what is done, what has failed and why; and trying that again."""

from datetime import datetime
from enum import StrEnum
from itertools import groupby
from typing import TYPE_CHECKING, Annotated, Any

import structlog
from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, ConfigDict, StringConstraints
from sqlalchemy.orm import Session

from camlucida.records import EventKind, ViewState
from camlucida.store import deliveries, explanations, orders, progress
from camlucida.store.audit import events
from camlucida.store.tables import DeliveryState, ExplanationRow, OrderState, State
from camlucida.store.turn import is_taken
from camlucida.web.access import Visitor, who_asks
from camlucida.web.asking import cancelled
from camlucida.web.body import bounded
from camlucida.web.explanations import row_of

if TYPE_CHECKING:
    from camlucida.store.home import Home

router = APIRouter()

MOST_BYTES = 1_000

_log = structlog.get_logger()


class What(StrEnum):
    """What can be tried again."""

    EXPLANATIONS = "explanations"  # that have failed
    RESULTS = "results"  # objects that could not be written
    DELIVERIES = "deliveries"  # that were given up, or wait for their next try


class Again(BaseModel):
    """What to try again: all of it, or what goes to one destination."""

    model_config = ConfigDict(extra="forbid")

    what: What
    destination: Annotated[str, StringConstraints(max_length=100)] | None = None


@router.get("/jobs")
def jobs(request: Request) -> dict[str, Any]:
    """All that the station has to do, and what came of it."""
    home: Home = request.app.state.home
    with home.database.read() as session:
        return {
            "working": is_taken(home),
            "arrivals": _arrivals(session),
            "explanations": _explanations(session),
            "results": _results(session),
            "deliveries": _deliveries(session),
        }


@router.post("/jobs/again", status_code=202)
def again(
    request: Request,
    wanted: Annotated[Again, Depends(bounded(Again, MOST_BYTES))],
    visitor: Annotated[Visitor, Depends(who_asks)],
) -> dict[str, int]:
    """Try again what has failed; `number` is how many things are wanted again."""
    home: Home = request.app.state.home
    number = _again(home, wanted, visitor.name)
    _log.info("tried again", what=wanted.what.value, number=number, who=visitor.name)
    return {"number": number}


@router.post("/jobs/{key}/cancel", status_code=202)
def cancel(request: Request, key: str) -> dict[str, Any]:
    """Want an explanation no more, whoever wanted it; one that is being computed is ended."""
    home: Home = request.app.state.home
    with home.database.write() as session:
        return cancelled(session, row_of(session, key), who_asks(request).name)


def _again(home: "Home", wanted: Again, who: str) -> int:
    if wanted.what is What.EXPLANATIONS:
        return explanations.retry(home, who)
    with home.database.write() as session:
        if wanted.what is What.RESULTS:
            number = orders.again(session)
        else:
            number = deliveries.again(session, wanted.destination)
        view: ViewState = {"what": wanted.what.value, "number": number}
        events.note(session, EventKind.TRIED_AGAIN, who, view)
        return number


def _arrivals(session: Session) -> dict[str, Any]:
    number, since = progress.arriving(session)
    return {
        "waiting": number,
        "since": _moment(since),
        "not_read": [_reason(one) for one in progress.not_read(session)],
    }


def _explanations(session: Session) -> dict[str, Any]:
    counted = progress.explanations_by_state(session)
    return {
        "waiting": [{**one._asdict(), "since": _moment(one.since)} for one in progress.waiting(session)],
        "running": [_running(row) for row in progress.running(session)],
        "done": counted[State.DONE],
        "done_by_hour": [
            {"hour": _moment(hour), "number": number} for hour, number in progress.done_by_hour(session)
        ],
        "failed": counted[State.FAILED],
        "failures": [_failure(row) for row in progress.failed(session)],
        "refused": [_reason(one) for one in progress.refused(session)],
    }


def _running(row: ExplanationRow) -> dict[str, Any]:
    return {
        "key": row.key,
        "study": row.image.study.key,
        "image": row.image.key,
        "model": f"{row.model.name}@{row.model.version}",
        "method": row.method,
        "attempt": row.attempts,
        "progress": {"done": row.steps_done, "of": row.steps} if row.steps else None,
    }


def _failure(row: ExplanationRow) -> dict[str, Any]:
    return {
        "key": row.key,
        "study": row.image.study.key,
        "image": row.image.key,
        "model": f"{row.model.name}@{row.model.version}",
        "current": row.model.current,
        "method": row.method,
        "reason": row.reason,
        "finished": _moment(row.finished),
    }


def _results(session: Session) -> dict[str, Any]:
    counted = progress.orders_by_state(session)
    return {
        "waiting": counted[OrderState.WANTED],
        "done": counted[OrderState.DONE],
        "refused": [_reason(one) for one in progress.orders_refused(session)],
    }


def _deliveries(session: Session) -> list[dict[str, Any]]:
    """One entry a destination."""
    due = {one.destination: one for one in progress.deliveries_due(session)}
    return [
        {
            "destination": destination,
            "waiting": due[destination].number if destination in due else 0,
            "due": _moment(due[destination].due) if destination in due else None,
            "reason": due[destination].reason if destination in due else "",
            "sent": sum(one.number for one in tallies if one.state is DeliveryState.SENT),
            "given_up": [
                {"of": "", "reason": one.reason, "number": one.number, "latest": None}
                for one in tallies
                if one.state is DeliveryState.GIVEN_UP
            ],
        }
        for destination, group in groupby(deliveries.status(session), lambda tally: tally.destination)
        for tallies in [list(group)]
    ]


def _reason(one: progress.Reason) -> dict[str, Any]:
    return {**one._asdict(), "latest": _moment(one.latest)}


def _moment(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None
