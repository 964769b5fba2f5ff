"""Which earlier map of the same patient a map can be held against, and why another one cannot."""

from typing import Any

from fastapi import APIRouter, Request

from camlucida.store.priors import Prior, priors
from camlucida.web.explanations import row_of

router = APIRouter()


@router.get("/explanations/{key}/priors")
def priors_of(request: Request, key: str) -> dict[str, Any]:
    """One map of each earlier study with an image of this kind, the latest study first.

    `hindrance` is null where it can be compared; `explanation` is null where there is no map.
    """
    with request.app.state.home.database.read() as session:
        return {"priors": [_shown(prior) for prior in priors(session, row_of(session, key))]}


def _shown(prior: Prior) -> dict[str, Any]:
    study, explanation = prior.image.study, prior.explanation
    return {
        "study": study.key,
        "study_date": study.study_date,
        "description": study.description,
        "image": prior.image.key,
        "view_position": prior.image.view_position,
        "explanation": explanation and explanation.key,
        "model_version": explanation and explanation.model.version,
        "hindrance": prior.hindrance,
    }
