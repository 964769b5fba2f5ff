"""From DICOM instances to our images and explanations: how a viewer that shows the one finds the other.

The UIDs stand in the body, so that no address of ours, and no log of an address, holds one.
"""

from collections.abc import Collection, Iterator
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, ConfigDict, Field, StringConstraints
from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload, selectinload

from camlucida.store.tables import ExplanationRow, ImageRow, InstanceRow, Intent, Origin, StudyRow
from camlucida.web.body import bounded
from camlucida.web.studies import image_summary

router = APIRouter()

MOST_INSTANCES = 20_000  # a whole series is asked for at once
MOST_BYTES = 70 * MOST_INSTANCES  # a UID has 64 characters at most

Uid = Annotated[str, StringConstraints(pattern=r"^[0-9.]{1,64}$")]

NOT_READ = {
    Intent.WAITING: ("waiting", "The study has arrived and has not been read yet."),
    Intent.NOT_FOR_US: ("refused", "No rule of this station is for this instance."),
    Intent.UNREADABLE: ("refused", "The station cannot read this instance."),
}
OWN_RESULT = ("refused", "camlucida wrote this result; its maps are shown over the image that it is of.")


class Sought(BaseModel):
    """The instances that a viewer shows; they are of one series."""

    model_config = ConfigDict(extra="forbid")

    study_instance_uid: Uid
    series_instance_uid: Uid
    sop_instance_uids: list[Uid] = Field(min_length=1, max_length=MOST_INSTANCES)


@router.post("/find")
def find(request: Request, sought: Annotated[Sought, Depends(bounded(Sought, MOST_BYTES))]) -> dict[str, Any]:
    """Images that are made of these instances, with their explanations, and why others are not there.

    `images[].instances` says for each instance which slice of a volume it is (None: it holds the whole
    volume, or it is no volume). `others` are instances that came and are no image: waiting, or refused.
    """
    with request.app.state.home.database.read() as session:
        images = _images(session, sought)
        found = [_image(image, set(sought.sop_instance_uids)) for image in images]
        known = {uid["sop_instance_uid"] for image in found for uid in image["instances"]}
        missing = set(sought.sop_instance_uids) - known
        return {
            "study": _study_key(session, sought),
            "images": [image for image in found if image["instances"]],
            "others": list(_others(session, sought, missing)),
        }


def _study_key(session: Session, sought: Sought) -> str | None:
    return session.scalar(
        select(StudyRow.key).where(StudyRow.study_instance_uid == sought.study_instance_uid)
    )


def _images(session: Session, sought: Sought) -> list[ImageRow]:
    return list(
        session.scalars(
            select(ImageRow)
            .join(ImageRow.study)
            .where(
                StudyRow.study_instance_uid == sought.study_instance_uid,
                ImageRow.series_instance_uid == sought.series_instance_uid,
                ImageRow.superseded.is_(False),
            )
            .order_by(ImageRow.id)
            .options(selectinload(ImageRow.explanations).options(joinedload(ExplanationRow.model)))
        )
    )


def _image(image: ImageRow, sought: Collection[str]) -> dict[str, Any]:
    space, uids = image.header["space"], image.source["sop_instance_uids"]
    one_each = len(space) == 3 and len(uids) == space[0]
    instances = [
        {"sop_instance_uid": uid, "slice": index if one_each else None}
        for index, uid in enumerate(uids)
        if uid in sought
    ]
    return {**image_summary(image), "instances": instances}


def _others(session: Session, sought: Sought, missing: Collection[str]) -> Iterator[dict[str, Any]]:
    """What arrived of the series and is no image; the reason is the rule's or the reader's own."""
    rows = session.scalars(
        select(InstanceRow).where(
            InstanceRow.series_instance_uid == sought.series_instance_uid,
            InstanceRow.study_instance_uid == sought.study_instance_uid,
            InstanceRow.conflicting.is_(False),
        )
    )
    for row in rows:
        told = OWN_RESULT if row.origin == Origin.RESULT else NOT_READ.get(Intent(row.intent))
        if told and row.sop_instance_uid in missing:
            state, sentence = told
            reason = row.reason or sentence
            yield {"sop_instance_uid": row.sop_instance_uid, "state": state, "reason": reason}
