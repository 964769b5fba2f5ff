"""Whether readers agree with findings: each change of mind is kept, and the last one holds."""

from camlucida.errors import StoreError
from camlucida.records import EventKind, Opinion, Stance
from camlucida.store.audit import events
from camlucida.store.home import Home
from camlucida.store.tables import ExplanationRow, OpinionRow


def keep(home: Home, explanation_id: int, opinion: Opinion) -> None:
    """Keep a reader's opinion of a finding.

    Raises
    ------
    StoreError
        There is nothing computed that one could have an opinion of.
    """
    with home.database.write() as session:
        explanation = session.get(ExplanationRow, explanation_id)
        if explanation is None or explanation.digest is None:
            raise StoreError("There is no finding to judge: this explanation has not been computed.")
        session.add(
            OpinionRow(
                explanation_id=explanation_id,
                finding=opinion.finding,
                stance=opinion.stance,
                digest=explanation.digest,
                who=opinion.who,
            )
        )
        view = {"finding": opinion.finding, "stance": opinion.stance.value}
        events.add(session, EventKind.JUDGED, explanation, {**view}, opinion.who)


def of_explanation(home: Home, explanation_id: int) -> list[Opinion]:
    """The opinions that hold: the last one of each reader of each finding, without those withdrawn."""
    with home.database.read() as session:
        rows = session.query(OpinionRow).filter_by(explanation_id=explanation_id).order_by(OpinionRow.id)
        last = {(row.who, row.finding): row for row in rows}
        return [
            Opinion(row.finding, Stance(row.stance), row.who, row.created)
            for row in last.values()
            if row.stance != Stance.WITHDRAWN
        ]
