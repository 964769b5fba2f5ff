"""What happened, in the order in which it was told: rows are added, and never changed.

The rows are the leaves of a hash tree (`hash_tree`, RFC 6962): leaf n is the hash of what row n + 1 says, as
canonical JSON. Each row keeps the nodes of the tree that it completes, so the tree needs no table of its own,
and nothing of it is ever written anew.
"""

import getpass
import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import func, insert, select
from sqlalchemy.orm import Session

from camlucida.records import Event, EventKind, ViewState
from camlucida.store.audit import hash_tree
from camlucida.store.audit.hash_tree import HASH_BYTES
from camlucida.store.home import Home
from camlucida.store.keys import new_key
from camlucida.store.postgresql import without_nul
from camlucida.store.tables import EventRow, ExplanationRow, now

MOST_OF_REASON = 300  # characters
SAID = (
    *("id", "key", "kind", "happened", "received", "tab"),
    *("study_key", "image_key", "explanation_key", "view", "who"),
)
"""The columns that a leaf is made of: all that the row says. Old leaves are made of these: see `content`."""


def keep(home: Home, events: Sequence[Event], who: str) -> int:
    """Keep what is not kept yet, all of it or nothing; how many were new."""
    once = {event.key: event for event in events}
    with home.database.write() as session:
        known = set(session.scalars(select(EventRow.key).where(EventRow.key.in_(once))))
        return _append(session, [event for key, event in once.items() if key not in known], who)


def add(session: Session, kind: EventKind, explanation: ExplanationRow, view: ViewState, who: str) -> None:
    """Add what the station itself has taken of a reader: within the transaction that keeps the thing."""
    image = explanation.image
    note(session, kind, who, view, study=image.study.key, image=image.key, explanation=explanation.key)


def explained(session: Session, explanation: ExplanationRow) -> None:
    """Add what came of an explanation, and which map it is."""
    model = explanation.model
    view: ViewState = {
        "state": str(explanation.state),
        "model": f"{model.name}@{model.version}",
        "method": explanation.method,
        **({"digest": explanation.digest} if explanation.digest else {}),
        **({"reason": explanation.reason[:MOST_OF_REASON]} if explanation.reason else {}),
    }
    add(session, EventKind.EXPLAINED, explanation, view, STATION)


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
    _append(session, [Event(new_key(), kind, now(), "", study, image, explanation, view or {})], who)


STATION = "station"
"""Who did what nobody asked for at that moment: a rule, a worker."""


def operator() -> str:
    """Who uses the command line: the name of the operating system's user."""
    return f"cli:{getpass.getuser()}"


def count(session: Session) -> int:
    """How many events the trail has."""
    return session.scalar(select(func.max(EventRow.id))) or 0


def content(row: Mapping[str, Any]) -> bytes:
    """What a leaf is made of: the columns `SAID` of a row as JSON in ASCII, by name, without spaces.

    A moment is written in UTC with six digits of its second. This form never changes; a column that comes
    later is left out of it where it is empty.
    """
    return json.dumps(
        {name: _said(row[name]) for name in SAID}, sort_keys=True, separators=(",", ":"), allow_nan=False
    ).encode()


def _said(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="microseconds")
    return value


def node(session: Session, level: int, index: int) -> bytes:
    """A node of the tree, which the row of its last entry keeps."""
    row = hash_tree.last_entry(level, index) + 1
    kept = session.scalar(select(EventRow.nodes).where(EventRow.id == row)) or b""
    return kept[level * HASH_BYTES : (level + 1) * HASH_BYTES]


def _append(session: Session, events: Iterable[Event], who: str) -> int:
    """Add events at the end; how many. The session holds the writer's lock, so the end stays where it is."""
    size = count(session)
    rows: list[dict[str, Any]] = []

    def earlier(level: int, index: int) -> bytes:
        place = hash_tree.last_entry(level, index) - size
        if place < 0:
            return node(session, level, index)
        kept: bytes = rows[place]["nodes"]
        return kept[level * HASH_BYTES : (level + 1) * HASH_BYTES]

    for index, event in enumerate(events, start=size):
        row = _row(index + 1, event, who)
        hashes = hash_tree.completed(index, hash_tree.leaf(content(row)), earlier)
        rows.append({**row, "nodes": b"".join(hashes)})
    if rows:
        session.execute(insert(EventRow), rows)
    return len(rows)


def _row(number: int, event: Event, who: str) -> dict[str, Any]:
    """As PostgreSQL keeps it, too: what is hashed must be what will be read."""
    row: dict[str, Any] = {
        "id": number,
        "key": event.key,
        "kind": event.kind.value,
        "happened": event.happened,
        "tab": event.tab,
        "study_key": event.study,
        "image_key": event.image,
        "explanation_key": event.explanation,
        "view": dict(event.view),
        "who": who,
        "received": now(),
    }
    return {name: without_nul(value) for name, value in row.items()}
