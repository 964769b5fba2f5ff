"""How much room is taken, and by what: evidence is counted apart from pixels."""

from typing import NamedTuple

from sqlalchemy import ColumnElement, Select, Subquery, func, select
from sqlalchemy.orm import Session

from camlucida.store.home import Home
from camlucida.store.tables import ExplanationRow, FileKind, FileRow, ImageRow, InstanceRow, Origin, StudyRow


class Sizes(NamedTuple):
    """Bytes on the disk by kind. A file that several images share counts once."""

    originals: int  # files and instances as they came
    pixels: int  # decoded stored values, compressed, and small pictures of them
    evidence: int  # predictions, maps, trust and provenance
    results: int  # DICOM objects that were written of explanations
    database: int
    unused: int  # blobs that no row names, left by a crash: harmless


class StudySize(NamedTuple):
    """Bytes of one study; `evidence` is what explanations add to it."""

    key: str
    study_date: str
    description: str
    images: int
    originals: int
    pixels: int
    explanations: int
    evidence: int
    results: int  # DICOM objects that were written of explanations


def of_home(home: Home) -> Sizes:
    """Bytes of the whole home by kind."""
    kept = dict(home.blobs.sizes())
    with home.database.read() as session:
        kinds = {
            kind: set(session.scalars(select(FileRow.digest).where(FileRow.kind == kind)))
            for kind in FileKind
        }
        kinds[FileKind.PIXELS] |= kinds[FileKind.THUMBNAIL]
        evidence = set(
            session.scalars(select(ExplanationRow.digest).where(ExplanationRow.digest.is_not(None)))
        )
        written = InstanceRow.origin == Origin.RESULT
        results = set(session.scalars(select(InstanceRow.digest).where(written)))
        kinds[FileKind.ORIGINAL] |= set(session.scalars(select(InstanceRow.digest).where(~written)))
    used = kinds[FileKind.ORIGINAL] | kinds[FileKind.PIXELS] | evidence | results
    return Sizes(
        originals=sum(kept.get(digest, 0) for digest in kinds[FileKind.ORIGINAL]),
        pixels=sum(kept.get(digest, 0) for digest in kinds[FileKind.PIXELS]),
        evidence=sum(kept.get(digest, 0) for digest in evidence if digest),
        results=sum(kept.get(digest, 0) for digest in results - kinds[FileKind.ORIGINAL]),
        database=home.database.size(),
        unused=sum(size for digest, size in kept.items() if digest not in used),
    )


def by_rows(session: Session) -> dict[str, int]:
    """Bytes by kind as the rows have them: quick; a file that several images share counts for each."""
    files = select(FileRow.kind, func.sum(FileRow.bytes)).group_by(FileRow.kind)
    found = {str(kind): int(size) for kind, size in session.execute(files)}
    evidence = session.scalar(select(func.sum(ExplanationRow.bytes)))
    results = session.scalar(select(func.sum(InstanceRow.bytes)).where(InstanceRow.origin == Origin.RESULT))
    return {
        **{str(kind): found.get(kind, 0) for kind in FileKind},
        "evidence": int(evidence or 0),
        "results": int(results or 0),
    }


def of_studies(home: Home) -> list[StudySize]:
    """Bytes of each study, in the order in which they came."""
    with home.database.read() as session:
        studies = session.scalars(select(StudyRow).order_by(StudyRow.id)).all()
        shown = select(ImageRow.study_id, func.count()).where(~ImageRow.superseded)
        images = _pairs(session, shown.group_by(ImageRow.study_id))
        files = {kind: _pairs(session, _bytes_of_files(kind)) for kind in FileKind}
        written = _sums(_bytes_of_instances(InstanceRow.origin == Origin.RESULT).subquery())
        results = _pairs(session, written)
        explained = (
            select(ImageRow.study_id, func.count(), func.sum(ExplanationRow.bytes))
            .join(ExplanationRow.image)
            .where(ExplanationRow.digest.is_not(None))
            .group_by(ImageRow.study_id)
        )
        evidence = {study: (count, size) for study, count, size in session.execute(explained)}
    return [
        StudySize(
            study.key,
            study.study_date,
            study.description,
            images.get(study.id, 0),
            files[FileKind.ORIGINAL].get(study.id, 0),
            files[FileKind.PIXELS].get(study.id, 0) + files[FileKind.THUMBNAIL].get(study.id, 0),
            *evidence.get(study.id, (0, 0)),
            results.get(study.id, 0),
        )
        for study in studies
    ]


def _bytes_of_files(kind: FileKind) -> Select[int, int]:
    """Study and bytes; the frames of a multi-frame file share it, so each digest counts once a study."""
    once = (
        select(ImageRow.study_id, FileRow.digest, FileRow.bytes)
        .join(ImageRow, ImageRow.id == FileRow.image_id)
        .where(FileRow.kind == kind)
    )
    if kind == FileKind.ORIGINAL:  # an instance that arrived and the file of its image are one blob
        return _sums(once.union(_bytes_of_instances(InstanceRow.origin != Origin.RESULT)).subquery())
    return _sums(once.distinct().subquery())


def _bytes_of_instances(condition: ColumnElement[bool]) -> Select[int, str, int]:
    return (
        select(StudyRow.id.label("study_id"), InstanceRow.digest, InstanceRow.bytes)
        .join(StudyRow, StudyRow.study_instance_uid == InstanceRow.study_instance_uid)
        .where(condition)
        .distinct()
    )


def _sums(once: Subquery) -> Select[int, int]:
    return select(once.c.study_id, func.sum(once.c.bytes)).group_by(once.c.study_id)


def _pairs(session: Session, query: Select[int, int]) -> dict[int, int]:
    return {study: number for study, number in session.execute(query)}  # noqa: C416 - rows are not tuples to mypy
