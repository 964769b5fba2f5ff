"""Asking for an explanation that nobody has asked for yet, or once more; a worker computes it."""

from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Depends, HTTPException, Request
from pydantic import BaseModel, ConfigDict, StringConstraints
from sqlalchemy import select
from sqlalchemy.orm import Session, selectinload

from camlucida.jobs.queue import wake
from camlucida.records import EventKind, ViewState
from camlucida.records.method_name import DEAR, SPELLING
from camlucida.store import explanations
from camlucida.store.audit import events
from camlucida.store.tables import ExplanationRow, ImageRow, ModelRow, State
from camlucida.web.access import who_asks
from camlucida.web.body import bounded
from camlucida.web.explanations import row_of
from camlucida.web.studies import current, explanation_summary

if TYPE_CHECKING:
    from camlucida.store.home import Home

router = APIRouter()

MOST_BYTES = 1000

Name = Annotated[str, StringConstraints(min_length=1, max_length=200)]


class Wish(BaseModel):
    """An explanation by a current model and a method."""

    model_config = ConfigDict(extra="forbid")

    model: Name
    method: Name


@router.get("/images/{key}/methods")
def methods(request: Request, key: str) -> dict[str, Any]:
    """What the current models that were asked about an image can be asked for, by the methods' papers' names.

    `refused`: why this model has refused a method before, on this image or another one. `dear`: it takes
    dozens of inferences or more. `explanation` is the key of what is there already.
    """
    with request.app.state.home.database.read() as session:
        image = _image(session, key)
        rows = [row for row in image.explanations if row.model.current]
        asked = {row.model_digest: row.model for row in rows}
        return {"models": [_offered(session, model, current(image)) for model in asked.values()]}


@router.post("/images/{key}/explanations", status_code=202)
def ask(
    request: Request, key: str, wish: Annotated[Wish, Depends(bounded(Wish, MOST_BYTES))]
) -> dict[str, Any]:
    """Want an explanation; asking again changes nothing. The worker says if the model takes no such image."""
    home: Home = request.app.state.home
    if wish.method not in SPELLING:
        raise HTTPException(422, "There is no method of this name; `camlucida methods` lists them.")
    with home.database.write() as session:
        image, model = _image(session, key), _current(session, wish.model)
        explanations.want(session, image.id, model.digest, wish.method, asked=True)
        row = explanations.find(session, image.id, model.digest, wish.method)
        view: ViewState = {"model": f"{model.name}@{model.version}", "method": wish.method}
        events.add(session, EventKind.ASKED, row, view, who_asks(request).name)
        summary = explanation_summary(row, explanations.places(session))
    wake(home)
    return summary


@router.post("/explanations/{key}/again", status_code=202)
def again(request: Request, key: str) -> dict[str, Any]:
    """Want a failed explanation once more."""
    home: Home = request.app.state.home
    with home.database.write() as session:
        row = row_of(session, key)
        if row.state != State.FAILED or not row.model.current:
            raise HTTPException(409, "Only what has failed, by a model that is current, is tried again.")
        explanations.want_again(session, [row.id])
        view: ViewState = {"what": "explanation", "method": row.method}
        events.add(session, EventKind.TRIED_AGAIN, row, view, who_asks(request).name)
        summary = explanation_summary(row, explanations.places(session))
    wake(home)
    return summary


@router.post("/explanations/{key}/cancel", status_code=202)
def cancel(request: Request, key: str) -> dict[str, Any]:
    """Want an explanation no more that somebody asked for; one that is being computed is ended."""
    home: Home = request.app.state.home
    with home.database.write() as session:
        row = row_of(session, key)
        if row.method == explanations.UNBIDDEN:
            raise HTTPException(409, "What the station explains by itself is cancelled by who operates it.")
        return cancelled(session, row, who_asks(request).name)


def cancelled(session: Session, row: ExplanationRow, who: str) -> dict[str, Any]:
    """What is known of an explanation that is cancelled now.

    Raises
    ------
    HTTPException
        It does not wait (409).
    """
    if not explanations.cancel(row, who):
        raise HTTPException(409, "Only what waits is cancelled.")
    events.add(session, EventKind.CANCELLED, row, {"method": row.method}, who)
    return explanation_summary(row, explanations.places(session))


def _image(session: Session, key: str) -> ImageRow:
    found = session.scalar(
        select(ImageRow)
        .where(ImageRow.key == key, ~ImageRow.superseded)
        .options(selectinload(ImageRow.explanations).joinedload(ExplanationRow.model))
    )
    if found is None:
        raise HTTPException(404, "There is no such image in this store.")
    return found


def _current(session: Session, name: str) -> ModelRow:
    found = session.scalar(select(ModelRow).where(ModelRow.current, ModelRow.name == name))
    if found is None:
        raise HTTPException(409, "No current model has this name; it may have been retired.")
    return found


def _offered(session: Session, model: ModelRow, rows: list[ExplanationRow]) -> dict[str, Any]:
    here = {row.method: row.key for row in rows if row.model_digest == model.digest}
    refused = _refused(session, model)
    return {
        "model": model.name,
        "model_version": model.version,
        "methods": [
            {
                "method": method,
                "explanation": here.get(method),
                "dear": method in DEAR,
                "refused": refused.get(method),
            }
            for method in SPELLING
        ],
    }


def _refused(session: Session, model: ModelRow) -> dict[str, str]:
    """Methods that a model has refused and never been explained by, and why."""
    columns = (ExplanationRow.method, ExplanationRow.state, ExplanationRow.reason)
    settled = session.execute(
        select(*columns)
        .where(
            ExplanationRow.model_digest == model.digest,
            ExplanationRow.method != explanations.UNBIDDEN,
            ExplanationRow.state.in_([State.DONE, State.REFUSED]),
        )
        .distinct()
    ).all()
    done = {method for method, state, _ in settled if state == State.DONE}
    return {method: reason for method, _, reason in settled if method not in done}
