"""From instances that arrived to images that are kept, one study after the other when it is complete.

What a row says is true whenever the process is stopped: an instance waits until its image is kept and all
that is wanted of it is wanted, and reading it once more keeps the same image, not another. Attempts are
counted before they are made, so that a file that ends its reader is set aside at last.
"""

import re
from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import NamedTuple

import structlog
from sqlalchemy import select
from sqlalchemy.orm import Session

from camlucida.dicom.read import SERIES_OF_SLICES, read_dicom, series_of
from camlucida.errors import DamagedBlob, StoreError, sentence
from camlucida.pacs import routing
from camlucida.pacs.configuration import Configuration
from camlucida.pacs.routing import Decision
from camlucida.store import explanations, instances, studies
from camlucida.store.attempts import MOST_ATTEMPTS
from camlucida.store.audit import events
from camlucida.store.home import Home
from camlucida.store.tables import ImageRow, InstanceRow, Intent, Origin

ENDED_ITS_READER = f"Reading it has ended the process {MOST_ATTEMPTS} times."
SAME_UID = "Another instance with the same SOP Instance UID came first; this one is kept apart."
NAMES = re.compile(r"^[0-9a-f]{64}( and \d+ more)?: ")  # of blobs: they tell nobody anything

_log = structlog.get_logger()


class Arrived(NamedTuple):
    """Images that are kept of instances that wait, and what the rules say of them."""

    instances: tuple[int, ...]  # ids
    images: tuple[int, ...]  # ids
    sop_instance_uids: frozenset[str]  # of all files that were read, earlier ones of the series included
    decision: Decision


class _Waiting(NamedTuple):
    """An instance to be read, or, without a decision, one that was read already: another slice."""

    id: int
    digest: str
    sop_instance_uid: str
    attempts: int
    decision: Decision | None
    origin: Origin
    sender: str
    path: Path = Path()

    @property
    def who(self) -> str:
        """Who brought it: the access token, or nobody whom the station knows."""
        return self.sender if self.origin is Origin.STOW and self.sender else events.STATION


def read_complete(
    home: Home, configuration: Configuration, models: AbstractSet[str] | None = None
) -> Iterator[Arrived]:
    """Read and keep the images of the studies that are complete; `settle` each when all is wanted of it.

    What is not for us and what cannot be read is settled here, with its reason. `models` are the names of
    those that are registered: what a rule has for others only waits until one of them is.

    Raises
    ------
    StoreError
        The images could not be kept (a full disk); the instances still wait.
    """
    with home.database.read() as session:
        complete = instances.complete_studies(session, timedelta(seconds=configuration.listen.quiet_seconds))
    for study_instance_uid in complete:
        waiting = _for_us(home, configuration, study_instance_uid, models)
        for group in _groups(waiting):
            yield from _read(home, group)


def settle(session: Session, arrived: Arrived) -> None:
    """Say that these were read; images that are a part of what came whole now are not shown any more."""
    _settle(session, arrived.instances, Intent.TAKEN)
    for image_id in _parts(session, arrived):
        explanations.supersede(session, image_id)


def _for_us(
    home: Home, configuration: Configuration, study_instance_uid: str, models: AbstractSet[str] | None
) -> list[_Waiting]:
    """The waiting instances of a study that are to be read, and those read before that may join them."""
    with home.database.write() as session:
        rows = instances.waiting(session, study_instance_uid)
        new = [one for row in rows if (one := _to_read(session, configuration, row, models))]
        series = {row.series_instance_uid for row in rows if row.intent == Intent.WAITING}
        found = [*new, *_read_before(session, study_instance_uid, series)]
    return list(_located(home, found))


def _to_read(
    session: Session, configuration: Configuration, row: InstanceRow, models: AbstractSet[str] | None
) -> _Waiting | None:
    decision = routing.decide(configuration, routing.facts(row.header, row.sender))
    no_image = routing.not_an_image(row.sop_class_uid, row.header)
    reason = no_image or _later(session, row) or decision.not_for_us
    if reason:
        instances.settle(session, [row], Intent.NOT_FOR_US, reason)
        return None
    if row.attempts >= MOST_ATTEMPTS:
        instances.settle(session, [row], Intent.UNREADABLE, ENDED_ITS_READER)
        return None
    if models is not None and decision.models and models.isdisjoint(decision.models):
        return None
    return _waiting(row, row.attempts, decision)


def _waiting(row: InstanceRow, attempts: int, decision: Decision | None) -> _Waiting:
    return _Waiting(
        row.id, row.digest, row.sop_instance_uid, attempts, decision, Origin(row.origin), row.sender
    )


def _later(session: Session, row: InstanceRow) -> str:
    """Why an instance is passed over whose UID came before with other content, unless that was unreadable."""
    if not row.conflicting:
        return ""
    first = session.scalars(
        select(InstanceRow).where(
            InstanceRow.sop_instance_uid == row.sop_instance_uid,
            InstanceRow.id < row.id,
            InstanceRow.intent != Intent.UNREADABLE,
        )
    ).first()
    return "" if first is None else SAME_UID


def _read_before(session: Session, study_instance_uid: str, series: set[str]) -> Iterator[_Waiting]:
    """Slices that were read already, of series of which more have come: the volume is made of all."""
    rows = session.scalars(
        select(InstanceRow).where(
            InstanceRow.study_instance_uid == study_instance_uid,
            InstanceRow.series_instance_uid.in_(series),
            InstanceRow.intent == Intent.TAKEN,
            InstanceRow.origin != Origin.RESULT,
        )
    )
    for row in rows:
        if routing.value(row.header, "Modality") in SERIES_OF_SLICES:
            yield _waiting(row, 0, None)


def _located(home: Home, waiting: Sequence[_Waiting]) -> Iterator[_Waiting]:
    """With the place of each file on the disk; one that is damaged there is set aside."""
    for one in waiting:
        try:
            yield one._replace(path=home.blobs.path(one.digest))
        except DamagedBlob as error:
            _set_aside(home, [one], error)


def _groups(waiting: Sequence[_Waiting]) -> list[list[_Waiting]]:
    """What is read together: the slices of a series, or one file; only where something new is in it."""
    by_path = {one.path: one for one in waiting}
    groups = [[by_path[path] for path in group] for group in series_of(list(by_path))]
    return [group for group in groups if any(one.decision for one in group)]


def _read(home: Home, group: Sequence[_Waiting]) -> Iterator[Arrived]:
    """Read a group; where that fails, without the files that cannot be read by themselves."""
    new = [one for one in group if one.decision]
    decision = next((one.decision for one in new if one.decision), None)
    if decision is None:
        return
    if len(group) > 1 and max(one.attempts for one in new) == MOST_ATTEMPTS - 1:
        group = _without_broken(home, group)  # ends at the file that ends its reader
        new = [one for one in group if one.decision]
    try:
        with _counted(home, new):
            images = read_dicom([one.path for one in group])
            kept = studies.keep_images(
                home,
                images,
                [one.path for one in group],
                who=new[0].who,
                origin=new[0].origin,
                sender=new[0].sender,
            )
    except StoreError:
        raise
    except Exception as error:  # noqa: BLE001 - one bad file must not end the others
        rest = _without_broken(home, group) if len(group) > 1 else []
        if len(rest) < len(group) and any(one.decision for one in rest):
            yield from _read(home, rest)
        else:
            _set_aside(home, rest or new, error)
        return
    yield Arrived(
        tuple(one.id for one in new),
        tuple(one.id for one in kept),
        frozenset(one.sop_instance_uid for one in group),
        decision,
    )


def _without_broken(home: Home, group: Sequence[_Waiting]) -> list[_Waiting]:
    """Read each new file by itself, and set aside those that cannot be read."""
    readable = []
    for one in group:
        try:
            if one.decision:
                with _counted(home, [one]):
                    read_dicom([one.path])
        except Exception as error:  # noqa: BLE001 - as above
            _set_aside(home, [one], error)
        else:
            readable.append(one)
    return readable


@contextmanager
def _counted(home: Home, waiting: Sequence[_Waiting]) -> Iterator[None]:
    """Count an attempt that ends the process; one that ends in any other way counts for nothing."""
    _count(home, waiting, 1)
    try:
        yield
    finally:
        _count(home, waiting, -1)


def _count(home: Home, waiting: Sequence[_Waiting], number: int) -> None:
    with home.database.write() as session:
        instances.attempt(session, _rows(session, [one.id for one in waiting]), number)


def _set_aside(home: Home, waiting: Sequence[_Waiting], error: Exception) -> None:
    said = NAMES.sub("", sentence(error))
    reason = said[:1].upper() + said[1:]
    _log.warning("instances cannot be read", number=len(waiting), reason=reason)
    with home.database.write() as session:
        _settle(session, [one.id for one in waiting if one.decision], Intent.UNREADABLE, reason)


def _settle(session: Session, ids: Sequence[int], intent: Intent, reason: str = "") -> None:
    instances.settle(session, _rows(session, ids), intent, reason)


def _rows(session: Session, ids: Sequence[int]) -> list[InstanceRow]:
    return [session.get_one(InstanceRow, one) for one in ids]


def _parts(session: Session, arrived: Arrived) -> list[int]:
    """Images, shown so far, all of whose instances are among those that were read now."""
    images = [session.get_one(ImageRow, one) for one in arrived.images]
    if not images or len(arrived.sop_instance_uids) == 1:
        return []
    others = session.scalars(
        select(ImageRow).where(
            ImageRow.study_id == images[0].study_id,
            ImageRow.series_instance_uid == images[0].series_instance_uid,
            ImageRow.id.not_in(arrived.images),
            ~ImageRow.superseded,
        )
    )
    return [row.id for row in others if arrived.sop_instance_uids.issuperset(row.source["sop_instance_uids"])]
