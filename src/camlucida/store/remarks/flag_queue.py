"""Flags as a scientist works through them: what is open, what came of the others, how many there are."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeVar

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session, aliased, joinedload, selectinload

from camlucida.errors import StoreError
from camlucida.records import EventKind, FlagReason, Outcome, Resolution
from camlucida.store.audit import events
from camlucida.store.home import Home
from camlucida.store.tables import LARGEST_ID, ExplanationRow, FlagRow, ImageRow, ModelRow, ResolutionRow

OPEN = "open"
"""The state of a flag that nobody has resolved; that of any other is its last outcome."""

STATES = (OPEN, *(outcome.value for outcome in Outcome))
MOST = 100
"""Flags of one page."""


@dataclass(frozen=True, slots=True)
class Sought:
    """Which flags are meant; what is empty hinders none. `model` is a name, or name@version."""

    states: tuple[str, ...] = ()
    model: str = ""
    finding: str = ""
    reasons: tuple[FlagReason, ...] = ()


class Queued(NamedTuple):
    """A flag with what came of it: the resolution that holds, or None while it is open."""

    flag: FlagRow
    resolution: ResolutionRow | None

    @property
    def state(self) -> str:
        """One of `STATES`."""
        return self.resolution.outcome if self.resolution else OPEN


class Count(NamedTuple):
    """How many flags of one kind there are."""

    model: str
    version: str
    finding: str
    reason: str
    state: str
    number: int


_Last = aliased(ResolutionRow)
Query = TypeVar("Query", bound="Select[*tuple[Any, ...]]")


def page(session: Session, sought: Sought, *, before: int | None = None, most: int = MOST) -> list[Queued]:
    """Flags with their explanation, image, study and model, newest first; those `before` a number."""
    query = _sought(select(FlagRow, _Last), sought).order_by(FlagRow.id.desc()).limit(most)
    if before is not None:
        query = query.where(FlagRow.id < before)
    image = joinedload(FlagRow.explanation).joinedload(ExplanationRow.image)
    rows = session.execute(
        query.options(
            joinedload(FlagRow.explanation).joinedload(ExplanationRow.model),
            image.joinedload(ImageRow.study),
            image.options(selectinload(ImageRow.files)),
            joinedload(_Last.model),
        )
    )
    return [Queued(flag, resolution) for flag, resolution in rows]


def number_of(session: Session, sought: Sought) -> int:
    """How many flags are meant."""
    return session.scalar(_sought(select(func.count(FlagRow.id)), sought)) or 0


def counts(session: Session) -> list[Count]:
    """All flags by model, finding, reason and state; by name."""
    state = func.coalesce(_Last.outcome, OPEN)
    kind = (ModelRow.name, ModelRow.version, FlagRow.finding, FlagRow.reason, state)
    query = _sought(select(*kind, func.count(FlagRow.id)), Sought()).group_by(*kind)
    return sorted(Count(*row) for row in session.execute(query))


def get(session: Session, number: int) -> FlagRow:
    """The flag of this number.

    Raises
    ------
    StoreError
        There is none.
    """
    row = session.get(FlagRow, number) if 0 < number <= LARGEST_ID else None
    if row is None:
        raise StoreError(f"There is no flag {number}; `camlucida flags list` shows them.")
    return row


def history(session: Session, number: int) -> Sequence[ResolutionRow]:
    """All that was ever said of what came of a flag, oldest first."""
    return session.scalars(
        select(ResolutionRow)
        .where(ResolutionRow.flag_id == number)
        .order_by(ResolutionRow.id)
        .options(joinedload(ResolutionRow.model))
    ).all()


def resolve(home: Home, number: int, resolution: Resolution) -> None:
    """Keep what came of a flag; an earlier resolution stays readable and no longer holds.

    Raises
    ------
    StoreError
        There is no such flag, no reason is given, or the repairing model or the other flag do not fit.
    """
    if not resolution.reason.strip():
        raise StoreError("Say why: a resolution has a reason.")
    with home.database.write() as session:
        flag = get(session, number)
        model = _repairing(session, flag, resolution)
        _must_fit(session, flag, resolution)
        session.add(
            ResolutionRow(
                flag_id=number,
                outcome=resolution.outcome,
                reason=resolution.reason.strip(),
                model_digest=model.digest if model else None,
                duplicate_of=resolution.duplicate_of,
                who=resolution.who,
            )
        )
        view = {"flag": number, "outcome": resolution.outcome.value}
        events.add(session, EventKind.RESOLVED, flag.explanation, {**view}, resolution.who)


def _sought(query: Query, sought: Sought) -> Query:
    last = select(func.max(ResolutionRow.id)).where(ResolutionRow.flag_id == FlagRow.id).scalar_subquery()
    query = (
        query.select_from(FlagRow)
        .join(FlagRow.explanation)
        .join(ExplanationRow.model)
        .outerjoin(_Last, _Last.id == last)
    )
    if sought.states:
        query = query.where(func.coalesce(_Last.outcome, OPEN).in_(sought.states))
    if sought.model:
        name, _, version = sought.model.partition("@")
        query = query.where(ModelRow.name == name)
        query = query.where(ModelRow.version == version) if version else query
    if sought.finding:
        query = query.where(FlagRow.finding == sought.finding)
    if sought.reasons:
        query = query.where(FlagRow.reason.in_(sought.reasons))
    return query


def _repairing(session: Session, flag: FlagRow, resolution: Resolution) -> ModelRow | None:
    """The model that no longer has the fault: another one than that of the flagged map."""
    if (resolution.outcome is Outcome.REPAIRED) != (resolution.repaired_by is not None):
        raise StoreError(
            "“repaired” names the model that repairs it, as name@version; no other outcome does."
        )
    if resolution.repaired_by is None:
        return None
    name, _, version = resolution.repaired_by.partition("@")
    named = select(ModelRow).where(ModelRow.name == name, ModelRow.version == version)
    model = session.scalar(named.order_by(ModelRow.current.desc(), ModelRow.created.desc()).limit(1))
    if model is None:
        raise StoreError(f"This station knows no model {resolution.repaired_by}; give it as name@version.")
    if model.digest == flag.explanation.model_digest:
        raise StoreError(
            f"The flagged map is by {resolution.repaired_by} itself; name the model that repairs it."
        )
    return model


def _must_fit(session: Session, flag: FlagRow, resolution: Resolution) -> None:
    """A duplicate names another flag, on the same image, that is none itself."""
    if (resolution.outcome is Outcome.DUPLICATE) != (resolution.duplicate_of is not None):
        raise StoreError(
            "“duplicate” names the number of the flag that says the same; no other outcome does."
        )
    if resolution.duplicate_of is None:
        return
    other = get(session, resolution.duplicate_of)
    if other.id == flag.id:
        raise StoreError(f"Flag {flag.id} cannot be a duplicate of itself.")
    if other.explanation.image_id != flag.explanation.image_id:
        raise StoreError(
            f"Flag {other.id} is on another image than flag {flag.id}: it is no duplicate of it."
        )
    said = history(session, other.id)
    if said and said[-1].outcome == Outcome.DUPLICATE:
        raise StoreError(
            f"Flag {other.id} is a duplicate itself, of flag {said[-1].duplicate_of}; name that one."
        )
