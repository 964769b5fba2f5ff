"""The tables of the station: what is kept, what is wanted, who may look.

Rows hold names, numbers and digests; whatever is large lies in `blobs`, under its digest.
"""

from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import (
    JSON,
    DateTime,
    Dialect,
    Double,
    ForeignKey,
    Index,
    String,
    TypeDecorator,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

from camlucida.errors import StoreError
from camlucida.store.dialects import Binary, ByteCount

LARGEST_ID = 2**31 - 1
"""PostgreSQL's integers have 32 bits: it refuses to look for a larger number."""


class UtcDateTime(TypeDecorator[datetime]):
    """A moment with its time zone: SQLite forgets zones, so UTC is written and UTC comes back."""

    impl = DateTime
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        """To naive UTC; a moment without a zone is refused."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise StoreError(f"{value.isoformat()} has no time zone; the store keeps moments in UTC.")
        return value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        """From naive UTC."""
        return None if value is None else value.replace(tzinfo=UTC)


def now() -> datetime:
    """The present moment, in UTC."""
    return datetime.now(UTC)


class Base(DeclarativeBase):
    """All tables of the station."""

    type_annotation_map = {datetime: UtcDateTime, float: Double, dict[str, Any]: JSON}  # noqa: RUF012 - SQLAlchemy's form


class StudyRow(Base):
    """A study with its patient; pictures without a study of their own get one each."""

    __tablename__ = "studies"

    id: Mapped[int] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(String(32), unique=True)  # opaque: what URLs say
    study_instance_uid: Mapped[str] = mapped_column(unique=True)
    patient_name: Mapped[str]
    patient_id: Mapped[str] = mapped_column(index=True)
    birth_date: Mapped[str]
    sex: Mapped[str]
    study_date: Mapped[str]
    study_time: Mapped[str]
    description: Mapped[str]
    accession_number: Mapped[str]
    phantom: Mapped[bool]
    created: Mapped[datetime] = mapped_column(default=now)

    images: Mapped[list["ImageRow"]] = relationship(back_populates="study", order_by="ImageRow.id")


class ImageRow(Base):
    """An image: a file, one frame of it, or a volume made of a series."""

    __tablename__ = "images"

    id: Mapped[int] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(String(32), unique=True)
    study_id: Mapped[int] = mapped_column(ForeignKey("studies.id"), index=True)
    identity: Mapped[str] = mapped_column(String(64), unique=True)  # SOP Instance UIDs, frame and pixels
    files_digest: Mapped[str] = mapped_column(String(64), index=True)  # of the original files together
    pixel_digest: Mapped[str] = mapped_column(String(64))
    modality: Mapped[str]
    series_instance_uid: Mapped[str]
    series_description: Mapped[str]
    view_position: Mapped[str]
    frame_number: Mapped[int | None]
    header: Mapped[dict[str, Any]]  # all of the Image but its values, patient and origin
    source: Mapped[dict[str, Any]]  # where it came from, without patient and path
    superseded: Mapped[bool] = mapped_column(default=False)  # a part of a volume that arrived whole later
    models_named: Mapped[bool] = mapped_column(default=False)  # by a rule: no other model is asked by itself
    created: Mapped[datetime] = mapped_column(default=now)

    study: Mapped[StudyRow] = relationship(back_populates="images")
    files: Mapped[list["FileRow"]] = relationship(order_by="FileRow.position")
    explanations: Mapped[list["ExplanationRow"]] = relationship(
        back_populates="image", order_by="ExplanationRow.id"
    )


class FileKind(StrEnum):
    """What a kept file is."""

    ORIGINAL = "original"  # as it came
    PIXELS = "pixels"  # decoded stored values of an image, or of one slice of a volume, zstd
    THUMBNAIL = "thumbnail"  # a small picture of a slice, JPEG


class FileRow(Base):
    """A blob that belongs to an image."""

    __tablename__ = "files"
    __table_args__ = (UniqueConstraint("image_id", "kind", "position"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    image_id: Mapped[int] = mapped_column(ForeignKey("images.id"), index=True)
    kind: Mapped[str]
    position: Mapped[int]
    digest: Mapped[str] = mapped_column(String(64), index=True)
    bytes: Mapped[int] = mapped_column(ByteCount)


class ModelRow(Base):
    """A model that has explained, or shall explain, images of this store."""

    __tablename__ = "models"

    digest: Mapped[str] = mapped_column(String(64), primary_key=True)
    name: Mapped[str]
    version: Mapped[str]
    current: Mapped[bool]  # False: retired or replaced; its maps are kept but not shown as current
    created: Mapped[datetime] = mapped_column(default=now)
    gpu: Mapped[bool] = mapped_column(default=False)  # its explanations stand in the lanes of GPU workers
    # The blobs of its folder by file name, where several machines work: each fetches it by digest.
    files: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    retired: Mapped[bool] = mapped_column(default=False)  # on one machine, and so on all


class PredictionRow(Base):
    """What a model says of one finding on one image."""

    __tablename__ = "predictions"
    __table_args__ = (UniqueConstraint("image_id", "model_digest", "position"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    image_id: Mapped[int] = mapped_column(ForeignKey("images.id"), index=True)
    model_digest: Mapped[str] = mapped_column(ForeignKey("models.digest"))
    position: Mapped[int]
    name: Mapped[str]
    operating_point: Mapped[float | None]
    logit: Mapped[float]
    probability: Mapped[float]

    model: Mapped[ModelRow] = relationship()


class State(StrEnum):
    """How far an explanation has come."""

    WANTED = "wanted"  # to be computed; also after a crash half-way
    DONE = "done"  # kept, with its blob
    REFUSED = "refused"  # the model does not take this image; the reason says why
    FAILED = "failed"  # should have worked and did not, three times; tried again at the next start
    CANCELLED = "cancelled"  # somebody wants it no more; the reason says who, and asking wants it again


class Lane(StrEnum):
    """The queue that a wanted explanation stands in; workers take them in this order."""

    INTERACTIVE = "interactive"  # somebody asked for it, and waits
    GPU_INTERACTIVE = "gpu-interactive"  # the same, by a model that wants a GPU
    PRECOMPUTE = "precompute"  # the station explains by itself
    GPU = "gpu"  # the same, by a model that wants a GPU


class ExplanationRow(Base):
    """What is wanted and what is done: one row for each image, model and method."""

    __tablename__ = "explanations"
    __table_args__ = (
        UniqueConstraint("image_id", "model_digest", "method"),
        Index("ix_explanations_queue", "state", "lane", "id"),  # what is next is found without sorting
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(String(32), unique=True)
    image_id: Mapped[int] = mapped_column(ForeignKey("images.id"), index=True)
    model_digest: Mapped[str] = mapped_column(ForeignKey("models.digest"), index=True)
    method: Mapped[str]
    state: Mapped[str] = mapped_column(index=True)
    reason: Mapped[str] = mapped_column(default="")
    digest: Mapped[str | None] = mapped_column(String(64), index=True)  # of the encoded Explanation
    bytes: Mapped[int] = mapped_column(ByteCount, default=0)
    attempts: Mapped[int] = mapped_column(default=0)  # so that one that kills its worker ends
    created: Mapped[datetime] = mapped_column(default=now)
    finished: Mapped[datetime | None]
    lane: Mapped[str] = mapped_column(default=Lane.PRECOMPUTE)
    due: Mapped[datetime | None]  # not before; None: at once
    claimed_by: Mapped[str] = mapped_column(default="")  # the worker that computes it: see `claims`
    claimed_until: Mapped[datetime | None]  # then anybody may take it
    steps_done: Mapped[int] = mapped_column(default=0)  # of a method that takes many passes
    steps: Mapped[int] = mapped_column(default=0)

    image: Mapped[ImageRow] = relationship(back_populates="explanations")
    model: Mapped[ModelRow] = relationship()


class Origin(StrEnum):
    """How an instance came into the store."""

    STORE = "c-store"  # DIMSE C-STORE, PS3.4 B
    STOW = "stow-rs"  # DICOMweb, PS3.18 10.5
    FOLDER = "folder"  # the watched folder
    FETCHED = "fetched"  # C-MOVE or WADO-RS, asked for by us
    IMPORTED = "imported"  # `camlucida import`
    RESULT = "result"  # written by us, of an explanation


class Intent(StrEnum):
    """What is still to be done with an instance that arrived."""

    WAITING = "waiting"  # for its study to be complete; also after a crash half-way
    TAKEN = "taken"  # read and kept as (part of) an image
    NOT_FOR_US = "not for us"  # kept, and not explained; the reason says why
    UNREADABLE = "unreadable"  # kept, and no image could be read of it; the reason says why


class InstanceRow(Base):
    """A DICOM instance as it came or as we wrote it, whole, in a blob.

    The same SOP Instance UID with another content is another row, marked `conflicting`: nothing is
    overwritten, and what came first is what is shown.
    """

    __tablename__ = "instances"
    __table_args__ = (
        UniqueConstraint("sop_instance_uid", "content_digest"),
        # What came first of each study and series is found without reading the rows (QIDO-RS); SQLite wants
        # the condition as SQLAlchemy writes it.
        Index(
            "ix_instances_shown",
            "study_instance_uid",
            "series_instance_uid",
            "id",
            sqlite_where=text("conflicting = 0"),
            postgresql_where=text("NOT conflicting"),
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    sop_instance_uid: Mapped[str] = mapped_column(String(64), index=True)
    content_digest: Mapped[str] = mapped_column(String(64))  # of the data set, without the file meta group
    digest: Mapped[str] = mapped_column(String(64), index=True)  # of the blob: a Part 10 file
    bytes: Mapped[int] = mapped_column(ByteCount)
    study_instance_uid: Mapped[str] = mapped_column(String(64), index=True)
    series_instance_uid: Mapped[str] = mapped_column(String(64), index=True)
    sop_class_uid: Mapped[str] = mapped_column(String(64))
    transfer_syntax_uid: Mapped[str] = mapped_column(String(64))
    header: Mapped[dict[str, Any]]  # DICOM JSON (PS3.18 F) of what is searched and shown, no bulk data
    origin: Mapped[str]
    sender: Mapped[str]  # AE title, or the name of an access token: never a patient's
    conflicting: Mapped[bool] = mapped_column(default=False)
    intent: Mapped[str] = mapped_column(index=True)
    reason: Mapped[str] = mapped_column(default="")
    attempts: Mapped[int] = mapped_column(default=0)  # at reading it, so that one that kills its reader ends
    explanation_id: Mapped[int | None] = mapped_column(ForeignKey("explanations.id"), index=True)
    received: Mapped[datetime] = mapped_column(default=now)


class WorkerRow(Base):
    """A process that computes, or did: what the operator is shown of it."""

    __tablename__ = "workers"

    name: Mapped[str] = mapped_column(primary_key=True)  # as in `claimed_by`
    lanes: Mapped[str]  # comma-separated
    started: Mapped[datetime] = mapped_column(default=now)
    seen: Mapped[datetime] = mapped_column(default=now, index=True)  # last
    ended: Mapped[str] = mapped_column(default="")  # why, if it did; "" while it runs


class WatchedFileRow(Base):
    """A file in a watched folder that was looked at: it is taken again when it has changed."""

    __tablename__ = "watched_files"

    path: Mapped[str] = mapped_column(primary_key=True)  # may name a patient, as the rest of this database
    bytes: Mapped[int] = mapped_column(ByteCount)
    modified: Mapped[int] = mapped_column(ByteCount)  # nanoseconds, by the clock of whoever wrote it
    reason: Mapped[str]  # why it was not taken, or ""


class OrderState(StrEnum):
    """How far an order for result objects has come."""

    WANTED = "wanted"  # waits for its explanation, or to be written; also after a crash
    DONE = "done"  # all objects are kept, and their deliveries wanted
    REFUSED = "refused"  # the explanation was refused or failed, or cannot be written; the reason says why


class OrderRow(Base):
    """Result objects that a rule or a user wants of an explanation, and where they shall go."""

    __tablename__ = "orders"
    __table_args__ = (UniqueConstraint("explanation_id", "profile", "destination"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    explanation_id: Mapped[int] = mapped_column(ForeignKey("explanations.id"), index=True)
    profile: Mapped[str]
    destination: Mapped[str]  # a name in pacs.toml, or "": kept here only
    rule: Mapped[str]  # the name of the rule that wants it, or "": a user
    state: Mapped[str] = mapped_column(index=True)
    reason: Mapped[str] = mapped_column(default="")
    attempts: Mapped[int] = mapped_column(default=0)  # so that one that kills its worker ends
    created: Mapped[datetime] = mapped_column(default=now)

    explanation: Mapped[ExplanationRow] = relationship()


class DeliveryState(StrEnum):
    """How far the sending of an instance has come."""

    WAITING = "waiting"  # to be sent when `due`; also after a crash or a failed try
    SENT = "sent"  # the receiver said that it keeps it
    GIVEN_UP = "given up"  # the receiver refuses it, or too many tries failed; the reason says why


class DeliveryRow(Base):
    """An instance that is to be sent to a destination, once."""

    __tablename__ = "deliveries"
    __table_args__ = (UniqueConstraint("instance_id", "destination"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    instance_id: Mapped[int] = mapped_column(ForeignKey("instances.id"), index=True)
    destination: Mapped[str]
    state: Mapped[str] = mapped_column(index=True)
    tries: Mapped[int] = mapped_column(default=0)
    due: Mapped[datetime] = mapped_column(default=now)
    reason: Mapped[str] = mapped_column(default="")  # of the last failed try
    created: Mapped[datetime] = mapped_column(default=now)
    finished: Mapped[datetime | None]

    instance: Mapped[InstanceRow] = relationship()


class FlagRow(Base):
    """A radiologist's remark on the map of one finding; it is never changed."""

    __tablename__ = "flags"

    id: Mapped[int] = mapped_column(primary_key=True)
    explanation_id: Mapped[int] = mapped_column(ForeignKey("explanations.id"), index=True)
    finding: Mapped[str]
    reason: Mapped[str]
    text: Mapped[str]
    view: Mapped[dict[str, Any]]  # what was looked at: bounded
    digest: Mapped[str] = mapped_column(String(64))  # of the encoded Explanation that was looked at
    who: Mapped[str]  # the name of an access token, or "browser"
    created: Mapped[datetime] = mapped_column(default=now)
    region: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))

    explanation: Mapped[ExplanationRow] = relationship()


class ResolutionRow(Base):
    """What came of a flag; rows are added, and the last one holds (migration 0008 refuses changes)."""

    __tablename__ = "flag_resolutions"

    id: Mapped[int] = mapped_column(primary_key=True)
    flag_id: Mapped[int] = mapped_column(ForeignKey("flags.id"), index=True)
    outcome: Mapped[str]
    reason: Mapped[str]
    model_digest: Mapped[str | None] = mapped_column(ForeignKey("models.digest"))  # that repaired it
    duplicate_of: Mapped[int | None] = mapped_column(ForeignKey("flags.id"))
    who: Mapped[str]
    created: Mapped[datetime] = mapped_column(default=now)

    model: Mapped[ModelRow | None] = relationship()


class OpinionRow(Base):
    """Whether a reader agrees with a finding; never changed: the last one of a reader holds."""

    __tablename__ = "opinions"

    id: Mapped[int] = mapped_column(primary_key=True)
    explanation_id: Mapped[int] = mapped_column(ForeignKey("explanations.id"), index=True)
    finding: Mapped[str]
    stance: Mapped[str]
    digest: Mapped[str] = mapped_column(String(64))  # of the encoded Explanation that was looked at
    who: Mapped[str]  # the name of an access token, or "browser"
    created: Mapped[datetime] = mapped_column(default=now)

    explanation: Mapped[ExplanationRow] = relationship()


class EventRow(Base):
    """What happened; the database itself refuses to change or delete it (migration 0003).

    It names study, image and explanation by their keys, not by foreign keys: it outlasts them. The rows are
    the leaves of a hash tree, see `events`: they are added there, and nowhere else.
    """

    __tablename__ = "events"
    __table_args__ = tuple(
        Index(f"ix_events_{name}", name, "id") for name in ("study_key", "who", "kind", "happened")
    )

    id: Mapped[int] = mapped_column(primary_key=True)  # its place in the trail: from 1, without gaps
    key: Mapped[str] = mapped_column(String(32), unique=True)  # made where it happened: sent twice, kept once
    kind: Mapped[str]
    happened: Mapped[datetime]  # by the browser's clock, where a reader did it
    tab: Mapped[str] = mapped_column(String(32))
    study_key: Mapped[str] = mapped_column(String(64))
    image_key: Mapped[str] = mapped_column(String(64))
    explanation_key: Mapped[str] = mapped_column(String(64))
    view: Mapped[dict[str, Any]]  # bounded
    who: Mapped[str]  # a user, the name of an access token, "browser", "station" or "cli:" with a user
    received: Mapped[datetime] = mapped_column(default=now)
    nodes: Mapped[bytes]  # 32 bytes for each node of the hash tree that this row completes, its leaf first


class CheckpointRow(Base):
    """What the trail was at a moment, signed; never changed either."""

    __tablename__ = "checkpoints"

    id: Mapped[int] = mapped_column(primary_key=True)
    size: Mapped[int] = mapped_column(index=True)  # how many events it covers
    note: Mapped[str]  # the signed text


class ForwardedRow(Base):
    """How far the trail has been told to a syslog server."""

    __tablename__ = "forwarded"

    destination: Mapped[str] = mapped_column(primary_key=True)
    event_id: Mapped[int]  # the last event that was told


class AuditKeyRow(Base):
    """A key by which checkpoints are, or were, signed: its public part."""

    __tablename__ = "audit_keys"

    id: Mapped[int] = mapped_column(primary_key=True)
    verifier: Mapped[str] = mapped_column(unique=True)  # name, key id and public key


class WorklistRow(Base):
    """A study as it is searched and sorted: made of the other tables, see `worklist_upkeep`."""

    __tablename__ = "worklist"

    study_id: Mapped[int] = mapped_column(ForeignKey("studies.id", ondelete="CASCADE"), primary_key=True)
    patient: Mapped[str] = mapped_column(Binary)  # the name, folded
    patient_id: Mapped[str]
    study_date: Mapped[str] = mapped_column(Binary)  # with the time
    description: Mapped[str] = mapped_column(Binary)  # folded
    words: Mapped[str]  # all that a text is searched in, folded
    modality: Mapped[str] = mapped_column(Binary)  # of all images: "CT", "CT/PT"
    images: Mapped[int]
    state: Mapped[str] = mapped_column(Binary)  # the first in `worklist.STATES` that one of its images is in
    strongest: Mapped[float]  # probability of any finding; -1 without one
    reported: Mapped[bool]  # a finding reaches its operating point
    flagged: Mapped[bool]

    __table_args__ = tuple(
        Index(f"ix_worklist_{name}", name, "study_id")
        for name in ("patient", "study_date", "description", "modality", "images", "state", "strongest")
    )


class WorklistFindingRow(Base):
    """The most probable prediction of a finding in a study, by any current model."""

    __tablename__ = "worklist_findings"
    __table_args__ = (
        # A finding's studies are found, sorted and counted in the index alone.
        Index("ix_worklist_findings_name", "name", "probability", "study_id", "reported"),
        {"sqlite_with_rowid": False},
    )

    study_id: Mapped[int] = mapped_column(ForeignKey("studies.id", ondelete="CASCADE"), primary_key=True)
    name: Mapped[str] = mapped_column(Binary, primary_key=True)
    model: Mapped[str]
    operating_point: Mapped[float | None]
    probability: Mapped[float]
    reported: Mapped[bool]


class WorklistChangeRow(Base):
    """A study whose line in the worklist is to be written anew, before the transaction ends."""

    __tablename__ = "worklist_changes"

    study_id: Mapped[int] = mapped_column(primary_key=True)


class CounterRow(Base):
    """How often something has happened, or its seconds together: see `counters`."""

    __tablename__ = "counters"

    name: Mapped[str] = mapped_column(String(32), primary_key=True)
    label: Mapped[str] = mapped_column(String(64), primary_key=True)  # of a short list of ours
    value: Mapped[float]


class TokenRow(Base):
    """A sign-in token, of which only the SHA-256 is kept; it opens the station once."""

    __tablename__ = "tokens"

    sha256: Mapped[str] = mapped_column(String(64), primary_key=True)
    expires: Mapped[datetime]
    used: Mapped[datetime | None]
    created: Mapped[datetime] = mapped_column(default=now)


class UserRow(Base):
    """Somebody who signs in with a name and a password."""

    __tablename__ = "users"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(64), unique=True)
    password: Mapped[str]  # its argon2id hash, with salt and parameters
    roles: Mapped[list[str]] = mapped_column(JSON)
    disabled: Mapped[bool] = mapped_column(default=False)
    created: Mapped[datetime] = mapped_column(default=now)


class VisitRow(Base):
    """A signed-in browser: the SHA-256 of what its cookie says."""

    __tablename__ = "visits"

    sha256: Mapped[str] = mapped_column(String(64), primary_key=True)
    user_id: Mapped[int | None] = mapped_column(
        ForeignKey("users.id"), index=True
    )  # None: by a one-time link
    expires: Mapped[datetime]
    created: Mapped[datetime] = mapped_column(default=now)

    user: Mapped[UserRow | None] = relationship()


class SignInTryRow(Base):
    """Failed tries to sign in with one name, or from one address: of both the SHA-256 only."""

    __tablename__ = "sign_in_tries"

    sha256: Mapped[str] = mapped_column(String(64), primary_key=True)
    number: Mapped[int]
    latest: Mapped[datetime]


class AccessTokenRow(Base):
    """A token with which a program (a DICOMweb client, OHIF) may use the station: its SHA-256 only."""

    __tablename__ = "access_tokens"

    sha256: Mapped[str] = mapped_column(String(64), primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    roles: Mapped[list[str]] = mapped_column(JSON)
    expires: Mapped[datetime | None]
    created: Mapped[datetime] = mapped_column(default=now)
    used: Mapped[datetime | None]  # last
