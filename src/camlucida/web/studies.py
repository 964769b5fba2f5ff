"""The worklist and a study."""

from collections.abc import Sequence
from typing import Any

from fastapi import APIRouter, HTTPException, Request
from sqlalchemy import Select, literal, select, true
from sqlalchemy.orm import Session, defer, joinedload, selectinload

from camlucida.store import predictions
from camlucida.store.database import ExplanationRow, ImageRow, PredictionRow, State, StudyRow

router = APIRouter()

SHOWN_STATE = {
    State.WANTED: "waiting",
    State.DONE: "explained",
    State.REFUSED: "refused",
    State.FAILED: "refused",
}
"""The words of the page: a failed explanation is one that is not there, and its reason says why."""

MOST_OF_A_PATIENT = 100

WITH_IMAGES = (
    selectinload(StudyRow.images)
    .selectinload(ImageRow.explanations)
    .options(joinedload(ExplanationRow.model))
)

WITHOUT_HEADERS = selectinload(StudyRow.images).options(defer(ImageRow.header), defer(ImageRow.source))


@router.get("/studies")
def studies(request: Request) -> dict[str, Any]:
    """All studies, the newest first, with their findings, strongest first."""
    with request.app.state.home.database.read() as session:
        rows = session.scalars(
            select(StudyRow).order_by(StudyRow.id.desc()).options(WITH_IMAGES, WITHOUT_HEADERS)
        ).all()
        found = predictions.of_studies(session, [row.id for row in rows])
        return {"studies": [summary(row, found[row.id]) for row in rows]}


@router.get("/studies/{key}")
def study(request: Request, key: str) -> dict[str, Any]:
    """A study with its images and what is known of their explanations."""
    with request.app.state.home.database.read() as session:
        return _in_full(session, [_study(session, key)])[0]


@router.get("/studies/{key}/same-patient")
def same_patient(request: Request, key: str) -> dict[str, Any]:
    """The other studies of the same patient with their images, the newest study date first."""
    with request.app.state.home.database.read() as session:
        rows = session.scalars(_same_patient(_study(session, key)).options(WITH_IMAGES)).all()
        return {"studies": _in_full(session, rows)}


def _in_full(session: Session, rows: Sequence[StudyRow]) -> list[dict[str, Any]]:
    found = predictions.of_studies(session, [row.id for row in rows])
    return [
        {**summary(row, found[row.id]), "images": [image_summary(image) for image in shown(row)]}
        for row in rows
    ]


def _same_patient(study: StudyRow) -> Select[StudyRow]:
    """By patient ID; another birth date is another patient, as hospitals give the same numbers."""
    births = ("", study.birth_date)
    same = select(StudyRow).where(
        literal(study.patient_id) != "",
        StudyRow.patient_id == study.patient_id,
        StudyRow.id != study.id,
        StudyRow.birth_date.in_(births) if study.birth_date else true(),
    )
    return same.order_by(StudyRow.study_date.desc(), StudyRow.id.desc()).limit(MOST_OF_A_PATIENT)


def summary(study: StudyRow, found: list[PredictionRow]) -> dict[str, Any]:
    """A study as a line of the worklist."""
    return {
        "key": study.key,
        "patient_name": study.patient_name,
        "patient_id": study.patient_id,
        "study_date": study.study_date,
        "description": study.description,
        "modality": "/".join(dict.fromkeys(image.modality for image in shown(study) if image.modality)),
        "phantom": study.phantom,
        "images": len(shown(study)),
        "findings": [_finding(row) for row in found],
        "state": _state(study),
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


def image_summary(image: ImageRow) -> dict[str, Any]:
    """An image with what is known of its explanations."""
    return {
        "key": image.key,
        "series_description": image.series_description,
        "view_position": image.view_position,
        "modality": image.modality,
        "space": image.header["space"],
        "frame_number": image.frame_number,
        "notes": image.header["notes"],
        "explanations": [_explanation(row) for row in current(image)],
    }


def _explanation(row: ExplanationRow) -> dict[str, Any]:
    return {
        "key": row.key,
        "model": row.model.name,
        "model_version": row.model.version,
        "method": row.method,
        "state": SHOWN_STATE[State(row.state)],
        "reason": row.reason or None,
    }


def shown(study: StudyRow) -> list[ImageRow]:
    """The images of a study without those that are a part of a volume that arrived whole later."""
    return [image for image in study.images if not image.superseded]


def current(image: ImageRow) -> list[ExplanationRow]:
    """The explanations by models that are current: a map of another version is not shown as if it were."""
    return [row for row in image.explanations if row.model.current]


def _state(study: StudyRow) -> str:
    states = {SHOWN_STATE[State(row.state)] for image in shown(study) for row in current(image)}
    return next((state for state in ("waiting", "explained") if state in states), "refused")
