"""Studies and their images: taken in once, however often they come."""

import hashlib
import json
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import structlog
from sqlalchemy import Select, literal, or_, select, true
from sqlalchemy.orm import Session, selectinload

from camlucida.dicom.read import read_dicom
from camlucida.errors import DamagedBlob, InputError, UnknownStudy
from camlucida.records import EventKind, FileFormat, Image, Patient, ViewState
from camlucida.rendering.header import header
from camlucida.store import pixels
from camlucida.store.audit import events
from camlucida.store.blobs import digest_of_file
from camlucida.store.home import Home
from camlucida.store.keys import new_key
from camlucida.store.tables import FileKind, FileRow, ImageRow, Origin, StudyRow

SHORTEST_NAME = 6  # characters of a key's beginning: fewer are soon those of several
Read = Callable[[Sequence[Path]], Sequence[Image]]
OTHER_PIXELS = "Another image with the same SOP Instance UID and other pixels is kept, too."


_log = structlog.get_logger()
_renewing = threading.Lock()


class KeptImage(NamedTuple):
    """An image that is kept: its id, and whether it was not before."""

    id: int
    new: bool


class Taken(NamedTuple):
    """What came of keeping some images: how many are new, and how many were known."""

    new: int = 0
    known: int = 0


def files_digest(paths: Sequence[Path]) -> str:
    """SHA-256 of the contents of files together, in any order."""
    return _digest(sorted(digest_of_file(path) for path in paths))


def count_of_files(home: Home, digest: str) -> int:
    """How many intact images of exactly these files are kept."""
    with home.database.read() as session:
        rows = session.scalars(
            select(ImageRow).where(ImageRow.files_digest == digest).options(selectinload(ImageRow.files))
        ).all()
    if all(home.blobs.intact(file.digest) for row in rows for file in row.files):
        return len(rows)
    return 0


def keep(
    home: Home, images: Sequence[Image], originals: Sequence[Path], *, who: str = events.STATION
) -> Taken:
    """As `keep_images`; how many are new, and how many were known."""
    kept = keep_images(home, images, originals, who=who)
    new = sum(one.new for one in kept)
    return Taken(new, len(kept) - new)


def keep_images(
    home: Home,
    images: Sequence[Image],
    originals: Sequence[Path],
    *,
    who: str = events.STATION,
    origin: Origin = Origin.IMPORTED,
    sender: str = "",
) -> list[KeptImage]:
    """Keep images and the files that they were read from, all or nothing; the trail tells of new ones.

    An image with the SOP Instance UIDs, frame and pixels of a kept one is that image; what is damaged of it
    is written again.
    """
    digest = files_digest(originals)
    files = [_keep_original(home, n, path) for n, path in enumerate(originals)]
    slices = [_keep_slices(home, image) for image in images]
    with home.database.write() as session:
        kept = [
            _keep_row(session, image, digest, [*files, *planes])
            for image, planes in zip(images, slices, strict=True)
        ]
        for one in kept:
            if one.new:
                _note(session, one.id, who, {"origin": origin.value, "sender": sender})
        return kept


def _note(session: Session, image_id: int, who: str, view: ViewState) -> None:
    row = session.get_one(ImageRow, image_id)
    view = {**view, "modality": row.modality}
    events.note(session, EventKind.IMPORTED, who, view, study=row.study.key, image=row.key)


def _keep_row(session: Session, image: Image, digest: str, files: "Sequence[_File]") -> KeptImage:
    kept = session.scalar(select(ImageRow).where(ImageRow.identity == _identity(image, digest)))
    if kept is None:
        row = _row(session, image, digest, files)
        session.add(row)
        session.flush()  # the next image may belong to the same study
        return KeptImage(row.id, new=True)
    if kept.files_digest == digest:
        _renew(kept, files)
    return KeptImage(kept.id, new=False)


def find_study(session: Session, name: str) -> StudyRow:
    """The study that a user means: its key or a beginning of it, Study Instance UID, or accession number.

    Raises
    ------
    UnknownStudy
        There is none, or more than one. The sentence does not repeat the name, which may be a patient's.
    """
    meant = [StudyRow.study_instance_uid == name, StudyRow.accession_number == name]
    if len(name) >= SHORTEST_NAME:
        meant.append(StudyRow.key.startswith(name.lower(), autoescape=True))
    found = session.scalars(select(StudyRow).where(or_(*meant)).limit(2)).all() if name else []
    if not found:
        raise UnknownStudy
    if len(found) > 1:
        raise UnknownStudy(
            "This means more than one study here; name one by its key, which `camlucida store size` lists."
        )
    return found[0]


def of_same_patient(study: StudyRow) -> Select[StudyRow]:
    """Other studies by patient ID, the latest first.

    Another birth date is another patient, as hospitals give the same numbers.
    """
    births = ("", study.birth_date)
    return (
        select(StudyRow)
        .where(
            literal(study.patient_id) != "",
            StudyRow.patient_id == study.patient_id,
            StudyRow.id != study.id,
            StudyRow.birth_date.in_(births) if study.birth_date else true(),
        )
        .order_by(StudyRow.study_date.desc(), StudyRow.study_time.desc(), StudyRow.id.desc())
    )


def load(home: Home, row: ImageRow) -> Image:
    """The Image as it was when it was kept.

    Raises
    ------
    DamagedBlob
        A kept file is missing or damaged, or the pixels are not those that were kept.
    """
    planes = list(kept_slices(home, row).values())
    image = pixels.rebuild(row.header, row.source, patient(row.study), planes)
    if image.digest != row.pixel_digest:
        raise DamagedBlob("The kept pixels of an image are not those that were imported; import it again.")
    return image


def kept_slices(home: Home, row: ImageRow, position: int | None = None) -> dict[int, bytes]:
    """The kept pixels of an image, or of one slice of it, by position; made again if they are damaged.

    Raises
    ------
    DamagedBlob
        They are missing or damaged, and cannot be made of the originals.
    """
    try:
        return _slices(home, row, position)
    except DamagedBlob as error:
        with _renewing:  # a large volume is read once, however many ask for its slices
            try:
                return _slices(home, row, position)
            except DamagedBlob:
                make_again(home, row.id, error)
    with home.database.read() as session:
        return _slices(home, session.get_one(ImageRow, row.id), position)


def make_again(home: Home, image_id: int, found: DamagedBlob, read: Read = read_dicom) -> None:
    """Make the kept pixels of an image again from its original files; `read` is for other files than DICOM.

    Raises
    ------
    DamagedBlob
        The originals are not whole either, are not what `read` reads, or are another image by now.
    """
    with home.database.read() as session:
        row = session.get_one(ImageRow, image_id)
        originals = [file.digest for file in row.files if file.kind == FileKind.ORIGINAL]
        pixel_digest = row.pixel_digest
    try:
        paths = [home.blobs.path(digest) for digest in originals]
        images = [image for image in read(paths) if image.digest == pixel_digest] if paths else []
    except InputError:
        images = []
    if not images:
        raise found
    keep_images(home, images, paths)
    _log.error("kept pixels were damaged or missing, and are made again", digest=found.digest)


def _slices(home: Home, row: ImageRow, position: int | None) -> dict[int, bytes]:
    return {
        file.position: home.blobs.get(file.digest)
        for file in row.files
        if file.kind == FileKind.PIXELS and position in {None, file.position}
    }


def patient(study: StudyRow) -> Patient:
    """Whose study it is."""
    return Patient(study.patient_name, study.patient_id, study.birth_date, study.sex)


class _File(NamedTuple):
    kind: FileKind
    position: int
    digest: str
    bytes: int


def _keep_original(home: Home, position: int, path: Path) -> _File:
    return _File(FileKind.ORIGINAL, position, home.blobs.put_file(path), path.stat().st_size)


def _keep_slices(home: Home, image: Image) -> list[_File]:
    return [
        _File(FileKind.PIXELS, n, home.blobs.put(content), len(content))
        for n, content in enumerate(pixels.slices(image))
    ]


def _renew(row: ImageRow, files: Sequence[_File]) -> None:
    """Point to the files as they were written just now: another zstd may pack the same pixels otherwise."""
    fresh = {(file.kind.value, file.position): file for file in files}
    for kept in row.files:
        file = fresh.get((kept.kind, kept.position))
        if file is not None:  # thumbnails are made of these, later
            kept.digest, kept.bytes = file.digest, file.bytes


def _identity(image: Image, digest: str) -> str:
    """SHA-256 of what makes an image the same image: its UIDs (or its file), its frame and its pixels."""
    uids = sorted(image.source.sop_instance_uids) or [digest]
    return _digest([*uids, str(image.source.frame_number), image.digest])


def _row(session: Session, image: Image, digest: str, files: Sequence[_File]) -> ImageRow:
    source = image.source
    if _same_uids(session, image):
        image = replace(image, notes=(*image.notes, OTHER_PIXELS))
    return ImageRow(
        key=new_key(),
        study=_study(session, image, digest),
        identity=_identity(image, digest),
        files_digest=digest,
        pixel_digest=image.digest,
        modality=image.modality,
        series_instance_uid=source.series_instance_uid,
        series_description=source.series_description,
        view_position=source.view_position,
        frame_number=source.frame_number,
        header=header(image),
        source=json.loads(json.dumps(pixels.origin(source))),
        files=[FileRow(**file._asdict()) for file in files],
    )


def _same_uids(session: Session, image: Image) -> bool:
    source = image.source
    if not source.sop_instance_uids:
        return False
    others = session.scalars(
        select(ImageRow.source).where(ImageRow.series_instance_uid == source.series_instance_uid)
    )
    same = (list(source.sop_instance_uids), source.frame_number)
    return any((other["sop_instance_uids"], other["frame_number"]) == same for other in others)


def _study(session: Session, image: Image, digest: str) -> StudyRow:
    source = image.source
    uid = source.study_instance_uid or f"2.25.{int(digest[:32], 16)}"  # PS3.5 B.2: a UUID as a UID
    study = session.scalar(select(StudyRow).where(StudyRow.study_instance_uid == uid))
    if study is not None:
        return study
    named = source.study_description or ("" if source.format is FileFormat.DICOM else Path(source.path).name)
    return StudyRow(
        key=new_key(),
        study_instance_uid=uid,
        patient_name=source.patient.name,
        patient_id=source.patient.patient_id,
        birth_date=source.patient.birth_date,
        sex=source.patient.sex,
        study_date=source.study_date,
        study_time=source.study_time,
        description=named,
        accession_number=source.accession_number,
        phantom=source.phantom,
    )


def _digest(words: Sequence[str]) -> str:
    return hashlib.sha256("\n".join(words).encode()).hexdigest()
