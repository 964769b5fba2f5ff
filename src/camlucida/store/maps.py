"""The maps of one finding over many images: which there are, and which of them are looked at together."""

from collections.abc import Sequence
from enum import StrEnum
from typing import NamedTuple

from sqlalchemy import func, select
from sqlalchemy.orm import Session, joinedload

from camlucida.store.tables import ExplanationRow, FlagRow, ImageRow, ModelRow, PredictionRow, State


class Choice(StrEnum):
    """Which maps are taken where there are more than are shown."""

    NEWEST = "newest"
    MOST_PROBABLE = "most probable"


class Available(NamedTuple):
    """A current model and method that have explained images, and what the model reports."""

    model: ModelRow
    method: str
    number: int
    findings: tuple[str, ...]


class Chosen(NamedTuple):
    """An explanation with its image and study, the finding's prediction, and how many flags its map has."""

    explanation: ExplanationRow
    prediction: PredictionRow
    flags: int


def available(session: Session) -> list[Available]:
    """All current models and methods that have explained something, by name."""
    newest = func.max(ExplanationRow.image_id)
    rows = session.execute(
        select(ModelRow, ExplanationRow.method, func.count(ExplanationRow.id), newest)
        .join(ExplanationRow.model)
        .join(ExplanationRow.image)
        .where(ModelRow.current, ExplanationRow.state == State.DONE, ~ImageRow.superseded)
        .group_by(ModelRow.digest, ExplanationRow.method)
        .order_by(ModelRow.name, ExplanationRow.method)
    )
    return [
        Available(model, method, number, _findings(session, model.digest, image))
        for model, method, number, image in rows
    ]


def _findings(session: Session, model_digest: str, image_id: int) -> tuple[str, ...]:
    """All images have the same ones."""
    return tuple(
        session.scalars(
            select(PredictionRow.name)
            .where(PredictionRow.image_id == image_id, PredictionRow.model_digest == model_digest)
            .order_by(PredictionRow.position)
        )
    )


def choose(session: Session, of: Available, finding: str, choice: Choice, most: int) -> list[Chosen]:
    """Explanations that have a prediction of the finding, at most so many."""
    order = PredictionRow.probability if choice is Choice.MOST_PROBABLE else ExplanationRow.id
    rows = session.execute(
        select(ExplanationRow, PredictionRow)
        .join(ExplanationRow.image)
        .join(
            PredictionRow,
            (PredictionRow.image_id == ExplanationRow.image_id)
            & (PredictionRow.model_digest == ExplanationRow.model_digest),
        )
        .where(
            ExplanationRow.model_digest == of.model.digest,
            ExplanationRow.method == of.method,
            ExplanationRow.state == State.DONE,
            PredictionRow.name == finding,
            ~ImageRow.superseded,
        )
        .order_by(order.desc(), ExplanationRow.id.desc())
        .limit(most)
        .options(joinedload(ExplanationRow.image).joinedload(ImageRow.study))
    ).all()
    flags = _flags(session, [row.id for row, _ in rows], finding)
    return [Chosen(row, prediction, flags.get(row.id, 0)) for row, prediction in rows]


def _flags(session: Session, explanation_ids: Sequence[int], finding: str) -> dict[int, int]:
    rows = session.execute(
        select(FlagRow.explanation_id, func.count(FlagRow.id))
        .where(FlagRow.explanation_id.in_(explanation_ids), FlagRow.finding == finding)
        .group_by(FlagRow.explanation_id)
    )
    return {explanation: number for explanation, number in rows}  # noqa: C416 - rows are not tuples to mypy
