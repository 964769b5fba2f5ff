"""QIDO-RS: studies, series and instances by their attributes (PS3.18 10.6)."""

from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from typing import Any, NamedTuple

from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import JSONResponse
from sqlalchemy import ColumnElement, Select, distinct, func, select
from sqlalchemy.orm import Session

from camlucida.dicom.header import INSTANCE_LEVEL, SERIES_LEVEL, STUDY_LEVEL
from camlucida.store.tables import InstanceRow
from camlucida.web.dicomweb import attributes
from camlucida.web.dicomweb.addresses import retrieve_url
from camlucida.web.dicomweb.attributes import Attribute, tags
from camlucida.web.dicomweb.media_types import wants_json

router = APIRouter()

MOST_PARAMETERS = 100
LARGEST_OFFSET = 2**31
MORE = (
    '299 camlucida "The number of results exceeded the maximum supported by the server. Additional results '
    'can be requested."'
)
LITERAL = (
    '299 camlucida "The fuzzymatching parameter is not supported. Only literal matching has been performed."'
)
SWITCHES = frozenset({"fuzzymatching", "emptyvaluematching", "multiplevaluematching", "accept"})


class Level(StrEnum):
    """What is looked for."""

    STUDY = "study"
    SERIES = "series"
    INSTANCE = "instance"


OWN = {Level.STUDY: STUDY_LEVEL, Level.SERIES: SERIES_LEVEL, Level.INSTANCE: INSTANCE_LEVEL}
MOST_RESULTS = {Level.STUDY: 1000, Level.SERIES: 10_000, Level.INSTANCE: 10_000}
PLACES = ("StudyInstanceUID", "SeriesInstanceUID")
PARENTS = ("StudyInstanceUID", "SeriesInstanceUID", "SpecificCharacterSet")


class Query(NamedTuple):
    """What a client asks for."""

    place: list[ColumnElement[bool]]  # which studies and series are looked through
    conditions: list[ColumnElement[bool]]
    included: set[str]  # tags beside those of the level
    limit: int
    offset: int
    warnings: list[str]


@router.get("/studies")
def studies(request: Request) -> JSONResponse:
    """Search for studies."""
    return _answer(request, Level.STUDY, {})


@router.get("/series")
def all_series(request: Request) -> JSONResponse:
    """Search for series of all studies."""
    return _answer(request, Level.SERIES, {})


@router.get("/instances")
def all_instances(request: Request) -> JSONResponse:
    """Search for instances of all studies."""
    return _answer(request, Level.INSTANCE, {})


@router.get("/studies/{study}/series")
def series(request: Request, study: str) -> JSONResponse:
    """Search for series of a study."""
    return _answer(request, Level.SERIES, {"StudyInstanceUID": study})


@router.get("/studies/{study}/instances")
def instances_of_study(request: Request, study: str) -> JSONResponse:
    """Search for instances of a study."""
    return _answer(request, Level.INSTANCE, {"StudyInstanceUID": study})


@router.get("/studies/{study}/series/{series}/instances")
def instances(request: Request, study: str, series: str) -> JSONResponse:
    """Search for instances of a series."""
    return _answer(request, Level.INSTANCE, {"StudyInstanceUID": study, "SeriesInstanceUID": series})


def _answer(request: Request, level: Level, parents: Mapping[str, str]) -> JSONResponse:
    media_type = wants_json(request)
    query = _query(request, level, parents)
    with request.app.state.home.database.read() as session:
        rows = _rows(session, level, query)
        if len(rows) > query.limit:
            query.warnings.append(MORE)
        found = _results(request, session, level, query, rows[: query.limit])
    headers = {"Warning": ", ".join(query.warnings)} if query.warnings else None
    return JSONResponse(found, media_type=media_type, headers=headers)


def _query(request: Request, level: Level, parents: Mapping[str, str]) -> Query:
    parameters = request.query_params.multi_items()
    if len(parameters) > MOST_PARAMETERS:
        raise HTTPException(
            400, f"There are {len(parameters)} parameters; at most {MOST_PARAMETERS} are read."
        )
    query = Query([], [], _shown(level, parents), _limit(request, level), _offset(request), [])
    for keyword, uid in parents.items():
        query.place.append(attributes.COLUMNS[keyword] == uid)
    for name, text in parameters:
        if name == "includefield":
            _include(query, level, text)
        elif name == "fuzzymatching" and text.casefold() == "true":
            query.warnings.append(LITERAL)
        elif name not in SWITCHES | {"limit", "offset"}:
            _match(query, level, attributes.attribute(name), text)
    return query


def _shown(level: Level, parents: Mapping[str, str]) -> set[str]:
    """What is told of each result: its own level, and of the levels above what the address does not say."""
    keywords = {*OWN[level], *PARENTS[: list(Level).index(level)], "SpecificCharacterSet"}
    if "StudyInstanceUID" not in parents:
        keywords.update(STUDY_LEVEL)
    if level is Level.INSTANCE and "SeriesInstanceUID" not in parents:
        keywords.update(SERIES_LEVEL)
    return set(tags(keywords))


def _searched(level: Level) -> tuple[str, ...]:
    levels = list(Level)[: list(Level).index(level) + 1]
    return tuple(keyword for one in levels for keyword in OWN[one])


def _match(query: Query, level: Level, wanted: Attribute, text: str) -> None:
    if wanted.keyword == "ModalitiesInStudy":
        found = attributes.has_modality(text)
    elif wanted.keyword in _searched(level):
        query.included.add(wanted.tag)
        found = attributes.condition(wanted, text)
    else:
        raise HTTPException(
            400,
            f"{wanted.keyword} is not searched at the level {level}: see docs/reference/dicomweb.md.",
        )
    if found is not None:
        (query.place if wanted.keyword in PLACES else query.conditions).append(found)


def _include(query: Query, level: Level, text: str) -> None:
    for name in text.split(","):
        if name == "all":
            query.included.update(tags(_searched(level)))
        elif name.strip() and "." not in name:  # what lies in sequences is not kept apart
            query.included.add(attributes.attribute(name.strip()).tag)


def _limit(request: Request, level: Level) -> int:
    return min(_whole(request, "limit", MOST_RESULTS[level]), MOST_RESULTS[level])


def _offset(request: Request) -> int:
    return _whole(request, "offset", 0)


def _whole(request: Request, name: str, default: int) -> int:
    text = request.query_params.get(name, "")
    if not text:
        return default
    if not (text.isascii() and text.isdecimal() and len(text) < 12 and int(text) < LARGEST_OFFSET):
        raise HTTPException(400, f"The parameter {name} is no whole number from 0 on.")
    return int(text)


def _rows(session: Session, level: Level, query: Query) -> Sequence[InstanceRow]:
    """One more than asked for, to know whether there are more; the newest studies first.

    A study that arrives between two pages makes one appear twice, and none is lost.
    """
    found = select(InstanceRow).where(~InstanceRow.conflicting, *query.place, *query.conditions)
    if level is not Level.INSTANCE:
        found = found.where(InstanceRow.id.in_(_first_of_each(level).where(*query.place)))
    newest = InstanceRow.id.desc() if level is Level.STUDY else InstanceRow.id
    return session.scalars(found.order_by(newest).limit(query.limit + 1).offset(query.offset)).all()


def _first_of_each(level: Level) -> Select[int]:
    """The instance of each study or series that came first: it speaks for all."""
    columns = [InstanceRow.study_instance_uid, InstanceRow.series_instance_uid]
    return (
        select(func.min(InstanceRow.id))
        .where(~InstanceRow.conflicting)
        .group_by(*columns[: 1 if level is Level.STUDY else 2])
    )


def _results(
    request: Request, session: Session, level: Level, query: Query, rows: Sequence[InstanceRow]
) -> list[dict[str, Any]]:
    related = _related(session, level, rows)
    return [
        {
            **{tag: value for tag, value in row.header.items() if tag in query.included},
            "00080005": {"vr": "CS", "Value": ["ISO_IR 192"]},
            "00080056": {"vr": "CS", "Value": ["ONLINE"]},
            **related(row),
            "00081190": {"vr": "UR", "Value": [_url(request, level, row)]},
        }
        for row in rows
    ]


def _url(request: Request, level: Level, row: InstanceRow) -> str:
    uids = (row.study_instance_uid, row.series_instance_uid, row.sop_instance_uid)
    return retrieve_url(request, *uids[: list(Level).index(level) + 1])


def _related(session: Session, level: Level, rows: Sequence[InstanceRow]) -> Any:
    """What is counted of each result (PS3.18 tables 10.6.3-3 and 10.6.3-4)."""
    if level is Level.INSTANCE:
        return lambda row: {"00083002": {"vr": "UI", "Value": [row.transfer_syntax_uid]}}
    studies = {row.study_instance_uid for row in rows}
    if level is Level.SERIES:
        counts = _series_counts(session, studies)
        return lambda row: {"00201209": _integer(counts[row.study_instance_uid, row.series_instance_uid])}
    totals = _study_counts(session, studies)
    modalities, classes = _modalities(session, studies), _classes(session, studies)
    return lambda row: {
        "00080061": {"vr": "CS", "Value": modalities.get(row.study_instance_uid, [])},
        "00080062": {"vr": "UI", "Value": classes[row.study_instance_uid]},
        "00201206": _integer(totals[row.study_instance_uid][0]),
        "00201208": _integer(totals[row.study_instance_uid][1]),
    }


def _series_counts(session: Session, studies: set[str]) -> dict[tuple[str, str], int]:
    columns = (InstanceRow.study_instance_uid, InstanceRow.series_instance_uid)
    found = session.execute(
        select(*columns, func.count())
        .where(~InstanceRow.conflicting, InstanceRow.study_instance_uid.in_(studies))
        .group_by(*columns)
    )
    return {(study, series): count for study, series, count in found}


def _study_counts(session: Session, studies: set[str]) -> dict[str, tuple[int, int]]:
    found = session.execute(
        select(
            InstanceRow.study_instance_uid,
            func.count(distinct(InstanceRow.series_instance_uid)),
            func.count(),
        )
        .where(~InstanceRow.conflicting, InstanceRow.study_instance_uid.in_(studies))
        .group_by(InstanceRow.study_instance_uid)
    )
    return {study: (series, instances) for study, series, instances in found}


def _modalities(session: Session, studies: set[str]) -> dict[str, list[str]]:
    """Modalities of each study, in the order in which their series came."""
    modality = InstanceRow.header[("00080060", "Value", 0)].as_string()
    first = _first_of_each(Level.SERIES).where(InstanceRow.study_instance_uid.in_(studies))
    found = session.execute(
        select(InstanceRow.study_instance_uid, modality)
        .where(InstanceRow.id.in_(first))
        .order_by(InstanceRow.id)
    )
    return _grouped((study, word) for study, word in found if word)


def _classes(session: Session, studies: set[str]) -> dict[str, list[str]]:
    """SOP classes of each study."""
    found = session.execute(
        select(InstanceRow.study_instance_uid, InstanceRow.sop_class_uid)
        .where(~InstanceRow.conflicting, InstanceRow.study_instance_uid.in_(studies))
        .distinct()
    )
    return _grouped((study, sop_class) for study, sop_class in found)


def _grouped(pairs: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    grouped: dict[str, list[str]] = {}
    for study, word in dict.fromkeys(pairs):
        grouped.setdefault(study, []).append(word)
    return grouped


def _integer(count: int) -> dict[str, Any]:
    return {"vr": "IS", "Value": [count]}
