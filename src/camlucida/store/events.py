"""What happened, in the order in which it was told: rows are added, and never changed."""

import getpass
from collections.abc import Sequence

from sqlalchemy.dialects.sqlite import insert
from sqlalchemy.orm import Session

from camlucida.records import Event, EventKind, ViewState
from camlucida.store.home import Home
from camlucida.store.studies import new_key
from camlucida.store.tables import EventRow, ExplanationRow, now


def keep(home: Home, events: Sequence[Event], who: str) -> int:
    """Keep what is not kept yet, all of it or nothing; how many were new."""
    with home.database.write() as session:
        return sum(_add(session, event, who) for event in events)


def add(session: Session, kind: EventKind, explanation: ExplanationRow, view: ViewState, who: str) -> None:
    """Add what the station itself has taken of a reader: within the transaction that keeps the thing."""
    image = explanation.image
    note(session, kind, who, view, study=image.study.key, image=image.key, explanation=explanation.key)


def note(
    session: Session,
    kind: EventKind,
    who: str,
    view: ViewState | None = None,
    *,
    study: str = "",
    image: str = "",
    explanation: str = "",
) -> None:
    """Add what happened, within the transaction that does it; things are named by their opaque keys.

    `who` is a user, the name of an access token, `STATION` or `operator()`; `view` holds nothing of a
    patient.
    """
    event = Event(new_key(), kind, now(), "", study, image, explanation, view or {})
    _add(session, event, who)


STATION = "station"
"""Who did what nobody asked for at that moment: a rule, a worker."""


def operator() -> str:
    """Who uses the command line: the name of the operating system's user."""
    return f"cli:{getpass.getuser()}"


def _add(session: Session, event: Event, who: str) -> bool:
    added = session.execute(
        insert(EventRow)
        .values(
            key=event.key,
            kind=event.kind,
            happened=event.happened,
            tab=event.tab,
            study_key=event.study,
            image_key=event.image,
            explanation_key=event.explanation,
            view=event.view,
            who=who,
        )
        .on_conflict_do_nothing(index_elements=["key"])
        .returning(EventRow.id)
    )
    return added.first() is not None
