"""A study, and the others of its patient."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from fastapi import APIRouter, HTTPException, Request
from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload, object_session, selectinload

from camlucida.store import explanations, predictions
from camlucida.store.studies import of_same_patient
from camlucida.store.tables import ExplanationRow, ImageRow, ModelRow, PredictionRow, State, StudyRow

router = APIRouter()

SHOWN_STATE = {
    State.WANTED: "waiting",
    State.DONE: "explained",
    State.REFUSED: "refused",
    State.FAILED: "refused",
    State.CANCELLED: "refused",
}
"""The words of the page: a failed explanation is one that is not there, and its reason says why."""

MOST_OF_A_PATIENT = 100

WITH_IMAGES = (
    selectinload(StudyRow.images)
    .selectinload(ImageRow.explanations)
    .options(joinedload(ExplanationRow.model))
)


@router.get("/studies/{key}")
def study(request: Request, key: str) -> dict[str, Any]:
    """A study with its images and what is known of their explanations."""
    with request.app.state.home.database.read() as session:
        return _in_full(session, [_study(session, key)])[0]


@router.get("/studies/{key}/same-patient")
def same_patient(request: Request, key: str) -> dict[str, Any]:
    """The other studies of the same patient with their images, the newest study date first."""
    with request.app.state.home.database.read() as session:
        same = of_same_patient(_study(session, key)).limit(MOST_OF_A_PATIENT)
        return {"studies": _in_full(session, session.scalars(same.options(WITH_IMAGES)).all())}


def _in_full(session: Session, rows: Sequence[StudyRow]) -> list[dict[str, Any]]:
    found = predictions.of_studies(session, [row.id for row in rows])
    waits = any(one.state == State.WANTED for row in rows for image in shown(row) for one in current(image))
    places = explanations.places(session) if waits else {}
    return [
        {**summary(row, found[row.id]), "images": [_image_in_full(image, places) for image in shown(row)]}
        for row in rows
    ]


def _image_in_full(image: ImageRow, places: Mapping[int, int]) -> dict[str, Any]:
    return {**image_summary(image, places), "past": [past_summary(row) for row in past(image)]}


def summary(study: StudyRow, found: list[PredictionRow]) -> dict[str, Any]:
    """What is said of a study itself; how far its explanations are, the worklist and each of them say."""
    return {
        "key": study.key,
        "patient_name": study.patient_name,
        "patient_id": study.patient_id,
        "study_date": study.study_date,
        "description": study.description,
        "modality": "/".join(dict.fromkeys(image.modality for image in shown(study) if image.modality)),
        "phantom": study.phantom,
        "findings": [_finding(row) for row in found],
    }


def _study(session: Session, key: str) -> StudyRow:
    row = session.scalar(select(StudyRow).where(StudyRow.key == key).options(WITH_IMAGES))
    if row is None:
        raise HTTPException(404, "There is no such study in this store.")
    return row


def _finding(row: PredictionRow) -> dict[str, Any]:
    return {
        "name": row.name,
        "probability": row.probability,
        "operating_point": row.operating_point,
        "reported": predictions.reported(row),
        "model": row.model.name,
    }


def image_summary(image: ImageRow, places: Mapping[int, int] = MappingProxyType({})) -> dict[str, Any]:
    """An image with what is known of its explanations; `places` in the queue, by their ids."""
    return {
        "key": image.key,
        "series_description": image.series_description,
        "view_position": image.view_position,
        "modality": image.modality,
        "space": image.header["space"],
        "frame_number": image.frame_number,
        "notes": image.header["notes"],
        "explanations": [explanation_summary(row, places) for row in current(image)],
    }


def explanation_summary(row: ExplanationRow, places: Mapping[int, int]) -> dict[str, Any]:
    """What is known of an explanation, done or not.

    Of one that is waiting: since when, its place in the queue (null: a late one), whether a worker has begun
    with it, and how many of its steps are done if it takes many. `failed`: it should have worked, and can be
    tried again.
    """
    waiting = row.state == State.WANTED
    return {
        "key": row.key,
        "model": row.model.name,
        "model_version": row.model.version,
        "method": row.method,
        "state": SHOWN_STATE[State(row.state)],
        "reason": row.reason or None,
        "failed": row.state == State.FAILED,
        "since": row.created.isoformat() if waiting else None,
        "place": places.get(row.id) if waiting else None,
        "begun": waiting and row.claimed_by != "",
        "progress": {"done": row.steps_done, "of": row.steps} if waiting and row.steps else None,
    }


def past_summary(row: ExplanationRow) -> dict[str, Any]:
    """A map by a model that is no longer current; `replaced_by` is the version that is, or null: retired."""
    return {**explanation_summary(row, {}), "replaced_by": _successor(row.model)}


def _successor(model: ModelRow) -> str | None:
    session = object_session(model)
    assert session is not None  # noqa: S101 - rows are summed up where they were read
    return session.scalar(select(ModelRow.version).where(ModelRow.current, ModelRow.name == model.name))


def shown(study: StudyRow) -> list[ImageRow]:
    """The images of a study without those that are a part of a volume that arrived whole later."""
    return [image for image in study.images if not image.superseded]


def current(image: ImageRow) -> list[ExplanationRow]:
    """The explanations by models that are current: a map of another version is not shown as if it were.

    One that was cancelled is as if nobody had asked for it, but for the station's own method.
    """
    return [row for row in image.explanations if row.model.current and not _forgotten(row)]


def _forgotten(row: ExplanationRow) -> bool:
    return row.state == State.CANCELLED and row.method != explanations.UNBIDDEN


def past(image: ImageRow) -> list[ExplanationRow]:
    """The maps that are left of models that have been replaced or retired: to be looked at as such only."""
    return [row for row in image.explanations if not row.model.current and row.state == State.DONE]
