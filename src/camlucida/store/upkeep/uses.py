"""Which kept files the rows name, and what for."""

from collections.abc import Iterator, Sequence
from enum import StrEnum

from sqlalchemy import ColumnElement, Select, select
from sqlalchemy.orm import Session

from camlucida.records import EventKind
from camlucida.store.tables import (
    EventRow,
    ExplanationRow,
    FileKind,
    FileRow,
    FlagRow,
    InstanceRow,
    ModelRow,
    OpinionRow,
    Origin,
)

DROPPED = "0" * 64
"""The digest of pixels that a rule of retention has dropped: they are made again when they are asked for."""

LOOKED = (
    *(EventKind.OPENED, EventKind.CHANGED, EventKind.LEFT),
    *(EventKind.FLAGGED, EventKind.JUDGED, EventKind.EXPORTED, EventKind.SENT),
)
"""Events by which somebody has seen a map, or has got it."""


class Use(StrEnum):
    """What a kept file is for."""

    ORIGINAL = "original"
    PIXELS = "pixels"
    THUMBNAIL = "thumbnail"
    EVIDENCE = "evidence"
    RESULT = "result"
    MODEL = "model"
    REMARKED = "remarked"  # a flag or an opinion is about it, which may be newer by now
    SEEN = "seen"  # an event says that somebody looked at it


def named(session: Session) -> Iterator[tuple[str, Use]]:
    """Digests of kept files with what they are for; the same one comes as often as it is named."""
    for kind in FileKind:
        of_kind = (FileRow.kind == kind) & (FileRow.digest != DROPPED)
        yield from _digests(session, select(FileRow.digest).where(of_kind), Use(kind.value))
    is_result = InstanceRow.origin == Origin.RESULT
    yield from _digests(session, select(InstanceRow.digest).where(is_result), Use.RESULT)
    yield from _digests(session, select(InstanceRow.digest).where(~is_result), Use.ORIGINAL)
    yield from _digests(session, select(ExplanationRow.digest), Use.EVIDENCE)
    yield from _of_models(session)


def remembered(session: Session) -> Iterator[tuple[str, Use]]:
    """Digests of maps that remarks and events name; they need not be kept any more."""
    for table in (FlagRow, OpinionRow):
        yield from _digests(session, select(table.digest), Use.REMARKED)
    for word in ("digest", "other_digest"):
        said: ColumnElement[str] = EventRow.view[word].as_string()
        seen = select(said).where(EventRow.kind.in_(LOOKED), said.is_not(None), said != "")
        yield from _digests(session, seen, Use.SEEN)


def are_named(session: Session, digests: Sequence[str]) -> set[str]:
    """Those of some digests that a row names, but for remarks and events."""
    found: set[str] = set()
    for column in (FileRow.digest, InstanceRow.digest, ExplanationRow.digest):
        found |= {digest for digest in session.scalars(select(column).where(column.in_(digests))) if digest}
    return found | {digest for digest, _ in _of_models(session)} & set(digests)


def _of_models(session: Session) -> Iterator[tuple[str, Use]]:
    for files in session.scalars(select(ModelRow.files)):
        yield from ((digest, Use.MODEL) for digest in (files or {}).values())


def _digests(session: Session, query: "Select[str]", use: Use) -> Iterator[tuple[str, Use]]:
    rows = session.scalars(query.distinct().execution_options(yield_per=1000))
    return ((digest, use) for digest in rows if digest)
