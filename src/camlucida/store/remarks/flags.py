"""Flags on maps: kept beside the explanation that was looked at, never changed."""

from dataclasses import asdict
from typing import Any

from camlucida.errors import StoreError
from camlucida.records import EventKind, Flag, FlagReason, Region, ViewState
from camlucida.store.audit import events
from camlucida.store.home import Home
from camlucida.store.tables import ExplanationRow, FlagRow


def keep(home: Home, explanation_id: int, flag: Flag) -> int:
    """Keep a flag; its id.

    Raises
    ------
    StoreError
        The explanation has no map that could have been looked at.
    """
    with home.database.write() as session:
        explanation = session.get(ExplanationRow, explanation_id)
        if explanation is None or explanation.digest is None:
            raise StoreError("There is no map to flag: this explanation has not been computed.")
        row = FlagRow(
            explanation_id=explanation_id,
            finding=flag.finding,
            reason=flag.reason,
            text=flag.text,
            view=flag.view,
            digest=explanation.digest,
            who=flag.who,
            region=asdict(flag.region) if flag.region else None,
        )
        session.add(row)
        session.flush()
        view: ViewState = {"flag": row.id, "finding": flag.finding, "reason": flag.reason.value}
        events.add(session, EventKind.FLAGGED, explanation, view, flag.who)
        return row.id


def of_explanation(home: Home, explanation_id: int) -> list[Flag]:
    """The flags on an explanation, oldest first."""
    with home.database.read() as session:
        rows = session.query(FlagRow).filter_by(explanation_id=explanation_id).order_by(FlagRow.id).all()
        return [as_record(row) for row in rows]


def as_record(row: FlagRow) -> Flag:
    """The flag as it was said."""
    return Flag(
        row.finding,
        FlagReason(row.reason),
        row.text,
        row.view,
        row.who,
        row.created,
        _region(row.region),
    )


def _region(kept: dict[str, Any] | None) -> Region | None:
    if kept is None:
        return None
    return Region(kept["axis"], kept["at"], tuple((row, column) for row, column in kept["places"]))
