"""What is kept for how long, by the rules of `retention.toml` in the home folder; without it, all of it.

Rows change first, in one transaction; files that no row names any more go afterwards. Whoever ends the
process in between leaves files that the next time takes.
"""

import tomllib
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from sqlalchemy import ColumnElement, Select, and_, delete, not_, select, true
from sqlalchemy.orm import InstrumentedAttribute, Session

from camlucida.errors import StoreError
from camlucida.records import EventKind, ViewState
from camlucida.store.audit import events
from camlucida.store.blobs import GRACE
from camlucida.store.home import Home
from camlucida.store.tables import (
    DeliveryRow,
    DeliveryState,
    EventRow,
    ExplanationRow,
    FileKind,
    FileRow,
    FlagRow,
    ImageRow,
    InstanceRow,
    Intent,
    ModelRow,
    OpinionRow,
    Origin,
    State,
    StudyRow,
    now,
)
from camlucida.store.upkeep import uses
from camlucida.store.upkeep.uses import DROPPED, LOOKED, Use

FILE = "retention.toml"
REMOVED = "The map was removed by a rule of retention."
AT_ONCE = 500

Days = Annotated[int, Field(ge=1)]


class Rules(BaseModel):
    """After how many days what goes; None: never."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    originals_days: Days | None = None
    pixels_days: Days | None = None
    evidence_days: Days | None = None
    replaced_models_days: Days | None = None
    results_days: Days | None = None
    also_flagged: bool = False
    also_seen: bool = False


class Removed(NamedTuple):
    """What a rule removes: so many rows let go of their files."""

    rule: str
    number: int


class Pruned(NamedTuple):
    """What was removed, or would be."""

    rules: tuple[Removed, ...]
    files: int
    bytes: int


def read_rules(folder: Path) -> Rules:
    """The rules of a home folder; none where there is no file.

    Raises
    ------
    StoreError
        The file cannot be read, is not TOML, or says something impossible.
    """
    path = folder / FILE
    try:
        return Rules.model_validate(tomllib.loads(path.read_text("utf-8")) if path.exists() else {})
    except OSError as error:
        raise StoreError(f"{path} cannot be read: {error.strerror}.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise StoreError(f"{path} is not TOML: {error}.") from error
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        word = ".".join(str(part) for part in first["loc"])
        raise StoreError(f"{path}: {word}: {first['msg']}; see docs/how-to/keep-the-store.md.") from error


def prune(home: Home, rules: Rules, who: str, *, do: bool = False, moment: datetime | None = None) -> Pruned:
    """Remove what the rules say, and files that no row names; without `do`, say what would be removed.

    What was put within a day stays: its row may be about to come.
    """
    moment = moment or now()
    kept = {entry.digest: entry for entry in home.blobs.entries() if entry.put < moment - GRACE}
    found: list[Pruned] = []
    with suppress(_OnlyAsked), home.database.write() as session:
        removed = tuple(_apply(session, rules, moment))
        session.flush()
        used = {digest for digest, _ in uses.named(session)} | set(_protected(session, rules))
        unused = [kept[digest] for digest in kept.keys() - used]
        found.append(Pruned(removed, len(unused), sum(entry.bytes for entry in unused)))
        if not do:
            raise _OnlyAsked
        view: ViewState = {one.rule: one.number for one in removed}
        view["files"] = len(unused)
        events.note(session, EventKind.PRUNED, who, view)
    if do:
        _remove(home, [entry.digest for entry in unused], moment - GRACE)
    return found[0]


class _OnlyAsked(Exception):  # noqa: N818 - no fault: the transaction is given up
    pass


def _remove(home: Home, digests: Sequence[str], before: datetime) -> None:
    """Remove files, while nobody can say in a row that he wants them; what was put again stays."""
    for start in range(0, len(digests), AT_ONCE):
        some = digests[start : start + AT_ONCE]
        with home.database.write() as session:
            for digest in set(some) - uses.are_named(session, some):
                home.blobs.remove(digest, before)


def _protected(session: Session, rules: Rules) -> Iterator[str]:
    for digest, use in uses.remembered(session):
        if not (rules.also_flagged if use is Use.REMARKED else rules.also_seen):
            yield digest


def _apply(session: Session, rules: Rules, moment: datetime) -> Iterator[Removed]:
    ways: dict[str, Callable[[Session, Rules, datetime], int]] = {
        "replaced_models_days": _of_replaced_models,
        "evidence_days": _evidence,
        "results_days": _results,
        "pixels_days": _pixels,  # before the originals: of which they are made again
        "originals_days": _originals,
    }
    for rule, way in ways.items():
        days = getattr(rules, rule)
        if days is not None:
            yield Removed(rule, way(session, rules, moment - timedelta(days=days)))


def _of_replaced_models(session: Session, rules: Rules, before: datetime) -> int:
    return _forget(session, rules, before, ~ModelRow.current)


def _evidence(session: Session, rules: Rules, before: datetime) -> int:
    return _forget(session, rules, before, ExplanationRow.id > 0)


def _forget(session: Session, rules: Rules, before: datetime, condition: ColumnElement[bool]) -> int:
    rows = session.scalars(
        select(ExplanationRow)
        .join(ExplanationRow.model)
        .where(condition, ExplanationRow.state == State.DONE, ExplanationRow.finished < before, *_free(rules))
    ).all()
    for row in rows:
        row.state, row.reason, row.digest, row.bytes = State.REFUSED, REMOVED, None, 0
    return len(rows)


def _results(session: Session, _: Rules, before: datetime) -> int:
    return _forget_instances(session, before, InstanceRow.origin == Origin.RESULT)


def _pixels(session: Session, rules: Rules, before: datetime) -> int:
    """Those of DICOM images whose originals are kept: they are made again when somebody asks for them."""
    with_original = select(FileRow.image_id).where(FileRow.kind == FileKind.ORIGINAL)
    files = session.execute(
        select(FileRow, ImageRow.source)
        .join(ImageRow, ImageRow.id == FileRow.image_id)
        .join(ImageRow.study)
        .where(
            FileRow.kind == FileKind.PIXELS,
            FileRow.digest != DROPPED,
            FileRow.image_id.in_(with_original),
            ImageRow.created < before,
            *_free_studies(rules),
        )
    ).all()
    dropped = [file for file, source in files if source["format"] == "dicom"]
    for file in dropped:
        file.digest, file.bytes = DROPPED, 0
    return len(dropped)


def _originals(session: Session, rules: Rules, before: datetime) -> int:
    """Files as they came, of images and by themselves; pixels that were dropped are not left without them."""
    dropped = select(FileRow.image_id).where(FileRow.digest == DROPPED)
    files = session.scalars(
        select(FileRow)
        .join(ImageRow, ImageRow.id == FileRow.image_id)
        .join(ImageRow.study)
        .where(
            FileRow.kind == FileKind.ORIGINAL,
            FileRow.image_id.not_in(dropped),
            ImageRow.created < before,
            *_free_studies(rules),
        )
    ).all()
    for file in files:
        session.delete(file)
    session.flush()
    still = select(FileRow.digest).where(FileRow.kind == FileKind.ORIGINAL)
    came = (InstanceRow.origin != Origin.RESULT) & InstanceRow.digest.not_in(still)
    protected = select(StudyRow.study_instance_uid).where(not_(and_(true(), *_free_studies(rules))))
    came &= InstanceRow.study_instance_uid.not_in(protected)
    return len(files) + _forget_instances(session, before, came)


def _forget_instances(session: Session, before: datetime, condition: ColumnElement[bool]) -> int:
    """Forget instances, with what became of their deliveries; not those that wait for something."""
    to_be_sent = select(DeliveryRow.instance_id).where(DeliveryRow.state == DeliveryState.WAITING)
    ids = session.scalars(
        select(InstanceRow.id).where(
            condition,
            InstanceRow.intent != Intent.WAITING,
            InstanceRow.received < before,
            InstanceRow.id.not_in(to_be_sent),
        )
    ).all()
    for start in range(0, len(ids), AT_ONCE):
        some = ids[start : start + AT_ONCE]
        session.execute(delete(DeliveryRow).where(DeliveryRow.instance_id.in_(some)))
        session.execute(delete(InstanceRow).where(InstanceRow.id.in_(some)))
    return len(ids)


def _free(rules: Rules) -> list[ColumnElement[bool]]:
    """What nobody has flagged, judged or seen, as far as the rules ask for that."""
    conditions: list[ColumnElement[bool]] = []
    if not rules.also_flagged:
        remarks = (FlagRow, OpinionRow)
        conditions += [ExplanationRow.id.not_in(select(table.explanation_id)) for table in remarks]
    if not rules.also_seen:
        conditions.append(ExplanationRow.key.not_in(_seen(EventRow.explanation_key)))
        seen = [EventRow.view[word].as_string() for word in ("digest", "other_digest")]
        conditions += [
            ExplanationRow.digest.not_in(select(one).where(EventRow.kind.in_(LOOKED), one.is_not(None)))
            for one in seen
        ]
    return conditions


def _free_studies(rules: Rules) -> list[ColumnElement[bool]]:
    """As `_free`, of whole studies: without pixels and originals, nothing can be drawn again."""
    conditions: list[ColumnElement[bool]] = []
    if not rules.also_flagged:
        explained = select(ImageRow.study_id).join(ImageRow.explanations)
        conditions += [
            StudyRow.id.not_in(explained.join(table, table.explanation_id == ExplanationRow.id))
            for table in (FlagRow, OpinionRow)
        ]
    if not rules.also_seen:
        conditions.append(StudyRow.key.not_in(_seen(EventRow.study_key)))
    return conditions


def _seen(column: InstrumentedAttribute[str]) -> Select[str]:
    return select(column).where(EventRow.kind.in_(LOOKED))
