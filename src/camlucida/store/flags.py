"""Flags on maps: kept beside the explanation that was looked at, never changed."""

from camlucida.errors import StoreError
from camlucida.records import Flag, FlagReason
from camlucida.store.database import ExplanationRow, FlagRow
from camlucida.store.home import Home


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
        )
        session.add(row)
        session.flush()
        return row.id


def of_explanation(home: Home, explanation_id: int) -> list[Flag]:
    """The flags on an explanation, oldest first."""
    with home.database.read() as session:
        rows = session.query(FlagRow).filter_by(explanation_id=explanation_id).order_by(FlagRow.id).all()
        return [
            Flag(row.finding, FlagReason(row.reason), row.text, row.view, row.who, row.created)
            for row in rows
        ]
