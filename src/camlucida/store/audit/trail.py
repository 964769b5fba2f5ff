"""Whether the audit trail is what it was: each row against its hash, the tree, and what was signed of it."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, NamedTuple, TypeAlias, TypeVar

from sqlalchemy import Row as SqlRow
from sqlalchemy import Select, String, Text, cast, func, select, text, type_coerce
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import InstrumentedAttribute, Session

from camlucida.errors import StoreError
from camlucida.store.audit import checkpoints, events, hash_tree
from camlucida.store.audit.checkpoints import Checkpoint, Key
from camlucida.store.audit.hash_tree import HASH_BYTES
from camlucida.store.home import Home
from camlucida.store.tables import AuditKeyRow, CheckpointRow, EventRow

AT_ONCE = 2000
MOST_MOVED = 200  # changed rows among which it is looked whose place they took
UNREADABLE = (SQLAlchemyError, StoreError, ValueError, TypeError)

Made = TypeVar("Made")
Root: TypeAlias = Callable[[], bytes | None]


class Fault(NamedTuple):
    """What is wrong with the events from `first` to `last`, in a sentence."""

    first: int
    last: int
    text: str


@dataclass
class Verdict:
    """What came of looking at the whole trail."""

    size: int = 0
    checkpoint: Checkpoint | None = None  # the last one that is genuine and agrees
    key: Key | None = None  # by which that one is signed
    checkpoints: int = 0  # how many are genuine and agree
    faults: list[Fault] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)


def count(home: Home) -> int:
    """How many events the trail has."""
    with home.database.read() as session:
        return events.count(session)


def verify(
    home: Home,
    *,
    key: Key | None = None,
    against: Sequence[str] = (),
    told: Callable[[int], None] = lambda _: None,
) -> Verdict:
    """Read every event and compare it with its hash, the tree and the signed checkpoints.

    `key`: the public key as it was kept elsewhere; without it, that of this home's key file is believed.
    `against`: texts of checkpoints that were kept elsewhere. `told` hears how many events have been read.
    """
    with home.database.read() as session:
        verdict = Verdict(size=events.count(session))
        verdict.faults += [Fault(0, 0, line) for line in _damage(session)]
        kept = _kept(session)
        key = key or checkpoints.own_key(home, kept.name)
        signed = _Signed(verdict, key, kept, [checkpoints.read(one) for one in against])
        tree = _Tree(verdict.faults, signed.check)
        changed: list[_Row] = []
        for row in _rows(session):
            tree.skip_to(row.id - 1)
            tree.add(row)
            if not row.agrees:
                changed.append(row)
            if row.id % AT_ONCE == 0:
                told(row.id)
        told(verdict.size)
        tree.skip_to(signed.largest)
        verdict.faults += _explained(changed)
    verdict.faults.sort()
    return verdict


class _Row(NamedTuple):
    """An event as it lies there; no content where it cannot be read, or is not as the station writes."""

    id: int
    said: Mapping[str, Any]
    content: bytes | None
    nodes: tuple[bytes, ...]

    @property
    def agrees(self) -> bool:
        """Whether it is what its own hash says."""
        whole = len(self.nodes) == (self.id & -self.id).bit_length()
        return whole and self.content is not None and hash_tree.leaf(self.content) == self.nodes[0]


class _Tree:
    """The tree as it is kept, compared at each node with what it is made of.

    Where the two differ, it goes on with what is kept: so only the place of the change is named, and what
    comes after it can still be compared with what was signed.
    """

    def __init__(self, faults: list[Fault], check: "Callable[[int, Root], None]") -> None:
        self._faults, self._check = faults, check
        self._size = 0
        self._whole: dict[tuple[int, int], bytes | None] = {}  # nodes that no larger one covers yet

    def add(self, row: _Row) -> None:
        """Take the next event."""
        index, level = self._size, 0
        made = row.nodes[0] if row.nodes else None
        while index & 1:
            left = self._whole.pop((level, index - 1), None)
            made = hash_tree.parent(left, made) if left is not None and made is not None else None
            level, index = level + 1, index >> 1
            kept = row.nodes[level] if level < len(row.nodes) else None
            if made is not None and kept is not None and kept != made:
                self._tell(level, row.id)
            made = kept or made
        self._whole[level, index] = made
        self._grown(row.id)

    def skip_to(self, size: int) -> None:
        """Go on behind events that are missing."""
        if size <= self._size:
            return
        first, before = self._size + 1, self._whole
        which = f"Event {size} is" if first == size else f"Events {first} to {size} are"
        self._faults.append(Fault(first, size, f"{which} missing."))
        self._whole = {node: before.get(node) for node in _nodes(size)}
        self._grown(size)

    def _grown(self, size: int) -> None:
        self._size = size
        self._check(size, self._root)

    def _root(self) -> bytes | None:
        """The hash of all so far; None where events are missing in it."""
        if None in self._whole.values():
            return None
        return hash_tree.root(self._size, lambda level, index: self._whole[level, index] or b"")

    def _tell(self, level: int, last: int) -> None:
        first = last - (1 << level) + 1
        self._faults.append(
            Fault(first, last, f"Among the events {first} to {last} one was changed, with its own hash.")
        )


def _nodes(size: int) -> Iterator[tuple[int, int]]:
    """Of a tree of so many entries, the nodes that no larger one covers."""
    for level in range(size.bit_length()):
        if size >> level & 1:
            yield level, (size >> level) - 1


class _Signed:
    """The checkpoints, and what the tree must have been at each."""

    def __init__(
        self, verdict: Verdict, key: Key | None, kept: "_Kept", against: Sequence[Checkpoint]
    ) -> None:
        self._verdict = verdict
        notes = [*kept.notes, *against]
        verdict.faults += [Fault(0, 0, line) for line in kept.faults]
        self._trusted = self._believed(key, kept.keys, notes)
        self._due: dict[int, list[Checkpoint]] = {}
        for note in notes:
            if self._signer(note) is None:
                verdict.faults.append(
                    Fault(0, 0, f"The checkpoint of {note.time} is not signed by a key of this station.")
                )
            else:
                self._due.setdefault(note.size, []).append(note)
        self.largest = max(self._due, default=0)
        self._agreed = 0  # the largest size at which one agreed
        self._broken = False

    def check(self, size: int, root_of: Root) -> None:
        """Compare the tree with what was signed at this size."""
        for note in self._due.get(size, ()):
            root = root_of()
            if root == note.root:
                self._agreed = size
                self._verdict.checkpoints += 1
                self._verdict.checkpoint, self._verdict.key = note, self._signer(note)
            elif root is not None and not self._broken:
                self._broken = True
                which = f"Among the events {self._agreed + 1} to {size}"
                self._verdict.faults.append(
                    Fault(
                        self._agreed + 1,
                        size,
                        f"{which} one is not what it was when the checkpoint of {note.time} was signed.",
                    )
                )

    def _signer(self, note: Checkpoint) -> Key | None:
        return next((key for key in self._trusted.values() if note.is_signed_by(key)), None)

    def _believed(
        self, key: Key | None, known: Sequence[Key], notes: Sequence[Checkpoint]
    ) -> Mapping[bytes, Key]:
        if key is None and known:
            key = known[-1]
            self._verdict.remarks.append(
                "The key file is not here, so the public key in the database itself is believed; --key names "
                "one that was kept elsewhere."
            )
        return checkpoints.trusted(key, known, notes) if key else {}


class _Kept(NamedTuple):
    notes: Sequence[Checkpoint]
    keys: Sequence[Key]
    faults: Sequence[str]

    @property
    def name(self) -> str:
        """Whose trail it is."""
        return next((one.name for one in self.keys), "") or next((one.name for one in self.notes), "")


def _kept(session: Session) -> _Kept:
    """The checkpoints and keys of the database; what cannot be read of them is told."""
    faults: list[str] = []
    notes = _read(session, CheckpointRow.note, checkpoints.read, faults, "Checkpoint")
    keys = _read(session, AuditKeyRow.verifier, Key.read, faults, "Public key")
    if sorted(note.size for note in notes) != sorted(session.scalars(select(CheckpointRow.size))):
        faults.append("The sizes beside the checkpoints are not those in them.")
    return _Kept(notes, keys, faults)


def _read(
    session: Session,
    column: InstrumentedAttribute[str],
    read: Callable[[str], Made],
    faults: list[str],
    what: str,
) -> list[Made]:
    number = column.class_.id
    found = []
    for one in session.scalars(select(number).order_by(number)).all():
        try:
            found.append(read(session.scalars(select(column).where(number == one)).one()))
        except UNREADABLE:
            faults.append(f"{what} {one} cannot be read.")
    return found


def _rows(session: Session) -> Iterator[_Row]:
    """All events in their order. Of some that cannot be read together, one after the other is tried."""
    last, at_once = 0, AT_ONCE
    query = _query(session)
    while True:
        try:
            found = session.execute(query.where(EventRow.id > last).limit(at_once)).all()
        except UNREADABLE:
            if at_once > 1:
                at_once = 1
                continue
            last, at_once = _next(session, last), AT_ONCE
            yield _Row(last, {}, None, ())
            continue
        if not found:
            return
        yield from map(_row, found)
        last = found[-1].id


def _query(session: Session) -> Select[Any]:
    """The columns as they lie there: reading must not put right what is not as the station writes it."""
    sqlite = session.get_bind().dialect.name == "sqlite"
    raw = {
        "happened": type_coerce(EventRow.happened, String),
        "received": type_coerce(EventRow.received, String),
        "view": type_coerce(EventRow.view, Text) if sqlite else cast(EventRow.view, Text),
        "nodes": EventRow.nodes,
    }
    columns = [raw.get(name, getattr(EventRow, name)).label(name) for name in (*events.SAID, "nodes")]
    return select(*columns).order_by(EventRow.id)


def _next(session: Session, last: int) -> int:
    number = session.scalar(select(func.min(EventRow.id)).where(EventRow.id > last))
    if number is None:
        raise StoreError(
            f"The database is damaged behind event {last}: nothing more can be read; put back a copy of it."
        )
    return number


def _row(found: SqlRow[Any]) -> _Row:
    kept = found._asdict()
    nodes = kept.pop("nodes")
    hashes = tuple(nodes[n : n + HASH_BYTES] for n in range(0, len(nodes), HASH_BYTES))
    try:
        said = {
            **kept,
            "happened": _moment(kept["happened"]),
            "received": _moment(kept["received"]),
            "view": _view(kept["view"]),
        }
        return _Row(kept["id"], said, events.content(said), hashes)
    except (ValueError, TypeError, RecursionError):
        return _Row(kept["id"], {}, None, hashes)


def _moment(raw: Any) -> datetime:
    """In UTC; on SQLite exactly as it is written there."""
    if isinstance(raw, datetime):
        return raw.replace(tzinfo=UTC)
    moment = datetime.fromisoformat(raw)
    if moment.isoformat(" ", "microseconds") != raw:
        raise ValueError("The moment is written in another way.")
    return moment.replace(tzinfo=UTC)


def _view(raw: str) -> Any:
    view = json.loads(raw)
    if json.dumps(view) != raw:
        raise ValueError("The view is written in another way.")
    return view


def _explained(changed: Sequence[_Row]) -> Iterator[Fault]:
    """Which events are not what their hashes say; of the first ones, whether they have changed places."""
    places = {row.nodes[0]: row.id for row in changed[:MOST_MOVED] if row.nodes}
    for number, row in enumerate(changed):
        before = _place_before(row, places) if number < MOST_MOVED else None
        if before is not None:
            text = f"Event {row.id} says what event {before} said: events were moved, added or taken away."
        elif row.content is None:
            text = f"Event {row.id} cannot be read, or is not written as the station writes."
        else:
            text = f"Event {row.id} was changed, or not added by the station: it is not what its hash says."
        yield Fault(row.id, row.id, text)


def _place_before(row: _Row, places: Mapping[bytes, int]) -> int | None:
    """The place for which what the row says was hashed."""
    if row.content is None:
        return None
    others = [place for place in places.values() if place != row.id]
    return next(
        (one for one in others if hash_tree.leaf(events.content({**row.said, "id": one})) in places), None
    )


def _damage(session: Session) -> Iterator[str]:
    """What SQLite finds wrong in the file, its indices included: a query through one would be wrong."""
    if session.get_bind().dialect.name != "sqlite":
        return
    for table in ("events", "checkpoints", "audit_keys"):
        try:
            lines = session.scalars(text(f"PRAGMA integrity_check({table})")).all()
        except UNREADABLE as error:
            lines = [type(error).__name__]
        if lines != ["ok"]:
            yield f"The database file is damaged in {table}: {lines[0]}."
