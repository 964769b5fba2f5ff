"""Maps of earlier studies of the same patient, by the same model and method: what a map is held against."""

from collections.abc import Sequence
from enum import StrEnum
from typing import NamedTuple

from sqlalchemy import Select
from sqlalchemy.orm import Session, joinedload, selectinload

from camlucida.store.studies import of_same_patient
from camlucida.store.tables import ExplanationRow, ImageRow, State, StudyRow

MOST_PRIORS = 20


class Hindrance(StrEnum):
    """Why a prior study's map cannot be compared with this one."""

    NOT_EXPLAINED = "not explained"  # by this model and method
    OTHER_VERSION = "other version"  # of the model
    OTHER_VIEW = "other view"  # of the body: another projection, side or part


class Prior(NamedTuple):
    """A prior study's image that is most like this one, and its map; None: there is nothing to hinder."""

    image: ImageRow
    explanation: ExplanationRow | None
    hindrance: Hindrance | None


def priors(session: Session, row: ExplanationRow) -> list[Prior]:
    """One of each earlier study of the patient that has such an image, the latest study first."""
    studies = session.scalars(
        _earlier(row.image.study).options(
            selectinload(StudyRow.images)
            .selectinload(ImageRow.explanations)
            .options(joinedload(ExplanationRow.model))
        )
    )
    alike = ([image for image in study.images if _of_its_kind(image, row.image)] for study in studies)
    return [_nearest(images, row) for images in alike if images]


def _earlier(study: StudyRow) -> Select[StudyRow]:
    """Studies of the same patient with an earlier date."""
    return (
        of_same_patient(study)
        .where(
            StudyRow.study_date != "",
            StudyRow.study_date + StudyRow.study_time < study.study_date + study.study_time,
        )
        .limit(MOST_PRIORS)
    )


def _of_its_kind(image: ImageRow, like: ImageRow) -> bool:
    """Of the same modality, and as flat or as deep."""
    flat = len(image.header["space"]) == len(like.header["space"])
    return image.modality == like.modality and flat and not image.superseded


def _nearest(images: Sequence[ImageRow], row: ExplanationRow) -> Prior:
    every = [_prior(image, row) for image in images]
    return min(every, key=_hindered)


def _hindered(prior: Prior) -> int:
    return 0 if prior.hindrance is None else 1 + list(Hindrance).index(prior.hindrance)


def _prior(image: ImageRow, row: ExplanationRow) -> Prior:
    done = [
        one
        for one in image.explanations
        if one.state == State.DONE and one.method == row.method and one.model.name == row.model.name
    ]
    same = next((one for one in done if one.model_digest == row.model_digest), None)
    found = same or (done[-1] if done else None)
    if not _same_view(image, row.image):
        return Prior(image, found, Hindrance.OTHER_VIEW)
    if found is None:
        return Prior(image, None, Hindrance.NOT_EXPLAINED)
    return Prior(image, found, None if same else Hindrance.OTHER_VERSION)


def _same_view(image: ImageRow, like: ImageRow) -> bool:
    """Nothing that both say of the view differs."""
    said = [(image.view_position, like.view_position)]
    said += [(image.source.get(name, ""), like.source.get(name, "")) for name in ("body_part", "laterality")]
    return all(not one or not other or one == other for one, other in said)
