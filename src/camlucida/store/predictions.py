"""What models say of images, as rows: a worklist needs no blob."""

from collections.abc import Iterable, Sequence

from sqlalchemy import delete, select
from sqlalchemy.orm import Session, joinedload

from camlucida.records import Prediction
from camlucida.store.tables import ImageRow, ModelRow, PredictionRow


def keep(session: Session, image_id: int, model_digest: str, prediction: Prediction) -> None:
    """Keep a prediction in the place of an earlier one of the same model and image."""
    session.execute(
        delete(PredictionRow).where(
            PredictionRow.image_id == image_id, PredictionRow.model_digest == model_digest
        )
    )
    columns = zip(prediction.findings, prediction.logits, prediction.probabilities, strict=True)
    session.add_all(
        PredictionRow(
            image_id=image_id,
            model_digest=model_digest,
            position=position,
            name=finding.name,
            operating_point=finding.operating_point,
            logit=logit,
            probability=probability,
        )
        for position, (finding, logit, probability) in enumerate(columns)
    )


def of_studies(session: Session, study_ids: Sequence[int]) -> dict[int, list[PredictionRow]]:
    """The strongest prediction of each finding of each current model, by study, strongest first."""
    rows = session.execute(
        select(ImageRow.study_id, PredictionRow)
        .join(ImageRow, ImageRow.id == PredictionRow.image_id)
        .join(PredictionRow.model)
        .where(ImageRow.study_id.in_(study_ids), ~ImageRow.superseded, ModelRow.current)
        .options(joinedload(PredictionRow.model))
    )
    found: dict[int, list[PredictionRow]] = {study_id: [] for study_id in study_ids}
    for study_id, row in rows:
        found[study_id].append(row)
    return {study_id: strongest(predictions) for study_id, predictions in found.items()}


def strongest(rows: Iterable[PredictionRow]) -> list[PredictionRow]:
    """One row for each model and finding, the one with the highest probability; highest first."""
    ordered = sorted(rows, key=lambda row: -row.probability)
    first: dict[tuple[str, int], PredictionRow] = {}
    for row in ordered:
        first.setdefault((row.model_digest, row.position), row)
    return list(first.values())


def reported(row: PredictionRow) -> bool | None:
    """Whether the finding reaches its operating point; None where the model's card gives none."""
    return None if row.operating_point is None else row.probability >= row.operating_point
