"""The worklist: studies searched, sorted and given in pages, however many there are.

A page begins after a study, named by its key: whatever arrives in the meantime, no study comes twice or is
left out. `skip` leaps over so many more, so that a scroll bar can be dragged to any place.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, ColumnExpressionArgument, RowMapping, Select, and_, func, select, tuple_
from sqlalchemy.orm import InstrumentedAttribute as Column
from sqlalchemy.orm import Session

from camlucida.store.dialects import occurs
from camlucida.store.tables import StudyRow, WorklistFindingRow, WorklistRow
from camlucida.store.worklist_upkeep import folded

SORTED_BY: dict[str, Column[Any]] = {
    "patient": WorklistRow.patient,
    "date": WorklistRow.study_date,
    "description": WorklistRow.description,
    "modality": WorklistRow.modality,
    "images": WorklistRow.images,
    "findings": WorklistRow.strongest,
    "state": WorklistRow.state,
}
"""Beside "arrival", the order in which they came."""

STATES = ("waiting", "explained", "failed", "refused")
MANY = 10_000
LAST = "~"  # sorts after all digits

_id, _sought = WorklistRow.study_id, WorklistFindingRow


@dataclass(frozen=True, slots=True)
class Search:
    """What is wanted of a study, and in which order they come; an empty field wants nothing."""

    text: str = ""  # each of its words occurs in name, patient ID, accession number or description
    finding: str = ""
    probability: float = 0.0  # at least, of the finding, or of any
    reported: bool = False  # the finding, or any, reaches its operating point
    flagged: bool = False
    first_date: str = ""  # YYYYMMDD
    last_date: str = ""
    state: str = ""
    modality: str = ""
    sort: str = "arrival"
    descending: bool = True


class Line(NamedTuple):
    """A study of the worklist with its most probable findings; the one that is searched for comes first."""

    study: RowMapping  # SHOWN
    findings: list[RowMapping]  # SAID


SHOWN = (
    *(StudyRow.id, StudyRow.key, StudyRow.patient_name, StudyRow.patient_id, StudyRow.study_date),
    *(StudyRow.description, StudyRow.phantom, WorklistRow.modality, WorklistRow.images),
    *(WorklistRow.state, WorklistRow.flagged),
)
SAID = (
    *(_sought.study_id, _sought.name, _sought.model),
    *(_sought.probability, _sought.operating_point, _sought.reported),
)


def total(session: Session, search: Search) -> int:
    """How many studies are found."""
    found = _found(session, replace(search, sort="arrival"))  # no other order is cheaper to count in
    return session.scalar(select(func.count()).select_from(found.query.subquery())) or 0


def page(
    session: Session,
    search: Search,
    *,
    after: int | None = None,
    skip: int = 0,
    limit: int = 100,
    findings: int = 3,
) -> list[Line]:
    """The studies that follow the study `after` (an id; None: from the first on), `skip` of them left out."""
    query, identifier = _found(session, search)
    column = _sorted_by(search, identifier)
    place = tuple_(column, identifier)
    if after is not None:
        last = tuple_(_value(session, search, column, after), after)
        query = query.where(place < last if search.descending else place > last)
    order = (column.desc(), identifier.desc()) if search.descending else (column, identifier)
    ids = session.scalars(query.order_by(*order).offset(skip).limit(limit)).all()
    return _lines(session, ids, search.finding, findings)


def find(session: Session, key: str) -> int | None:
    """The id of the study of a key."""
    return session.scalar(select(StudyRow.id).where(StudyRow.key == key))


def choices(session: Session) -> dict[str, list[str]]:
    """What can be chosen from: findings and modalities that there are."""
    together = _distinct(session, WorklistRow.modality)
    modalities = {one for several in together for one in several.split("/") if one}
    return {"findings": _distinct(session, _sought.name), "modalities": sorted(modalities)}


def _distinct(session: Session, column: Column[str]) -> list[str]:
    """All values of an indexed column, by leaps in its index: SQLite's DISTINCT would read all of it."""
    leap = select(func.min(column).label("value")).cte(recursive=True)
    following = select(func.min(column)).where(column > leap.c.value).scalar_subquery()
    leap = leap.union_all(select(following).where(leap.c.value.is_not(None)))
    return [value for value in session.scalars(select(leap.c.value)) if value is not None]


class _Found(NamedTuple):
    """A query of the studies that are found, and the column that it takes their ids from."""

    query: Select[int]
    id: Column[int]


def _found(session: Session, search: Search) -> _Found:
    """From which table the studies are found decides how long it takes, and SQLite cannot know it.

    A finding alone is read in its index. A finding that few studies have is read there first; one that many
    have is looked up for the studies that are found otherwise: LEFT JOIN keeps that order.
    """
    wanted = list(_wanted(search))
    if not search.finding:
        return _Found(select(_id).where(*wanted), _id)
    said = select(_sought.study_id).where(_sought.name == search.finding, *_said(search, _sought.probability))
    if not wanted and search.sort in ("findings", "arrival"):
        return _Found(said, _sought.study_id)
    if len(session.execute(said.offset(MANY).limit(1)).all()) == 0:
        return _Found(said.join(WorklistRow, _id == _sought.study_id).where(*wanted), _sought.study_id)
    same = and_(_sought.study_id == _id, _sought.name == search.finding)
    probability = func.coalesce(_sought.probability, -1)  # as it may be NULL, SQLite leaves the join as it is
    return _Found(select(_id).outerjoin(_sought, same).where(*wanted, *_said(search, probability)), _id)


def _said(
    search: Search, probability: ColumnElement[float] | Column[float]
) -> Iterator[ColumnExpressionArgument[bool]]:
    """What is asked of a finding."""
    yield probability >= search.probability
    if search.reported:
        yield _sought.reported


def _wanted(search: Search) -> Iterator[ColumnExpressionArgument[bool]]:
    """What is asked of a study beside a finding."""
    for word in folded(search.text).split():
        yield occurs(word, WorklistRow.words)
    if search.probability > 0 and not search.finding:
        yield WorklistRow.strongest >= search.probability
    if search.reported and not search.finding:
        yield WorklistRow.reported
    if search.flagged:
        yield WorklistRow.flagged
    if search.first_date:
        yield WorklistRow.study_date >= search.first_date
    if search.last_date:
        yield WorklistRow.study_date.between("0", search.last_date + LAST)
    if search.state:
        yield WorklistRow.state == search.state
    if search.modality:
        yield occurs(f"/{search.modality}/", "/" + WorklistRow.modality + "/")


def _sorted_by(search: Search, identifier: Column[int]) -> Column[Any]:
    if search.finding and search.sort == "findings":
        return _sought.probability
    return identifier if search.sort == "arrival" else SORTED_BY[search.sort]


def _value(session: Session, search: Search, column: Column[Any], study: int) -> Any:
    """What a study is sorted by, as it is now."""
    same = and_(_sought.study_id == _id, _sought.name == search.finding)
    return session.scalar(
        select(column).select_from(WorklistRow).outerjoin(_sought, same).where(_id == study)
    )


def _lines(session: Session, ids: Sequence[int], finding: str, most: int) -> list[Line]:
    studies = session.execute(
        select(*SHOWN).join(WorklistRow, _id == StudyRow.id).where(StudyRow.id.in_(ids))
    ).mappings()
    lines = {study["id"]: Line(study, []) for study in studies}
    place = func.row_number().over(
        partition_by=_sought.study_id,
        order_by=((_sought.name == finding).desc(), _sought.probability.desc()),
    )
    ranked = select(*SAID, place.label("place")).where(_sought.study_id.in_(ids)).subquery()
    best = select(ranked).where(ranked.c.place <= most).order_by(ranked.c.place)
    for row in session.execute(best).mappings():
        lines[row["study_id"]].findings.append(row)
    return [lines[identifier] for identifier in ids]
