"""Flags as a scientist works through them: found, counted, seen small, resolved; no patient is named."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any, Literal

from fastapi import APIRouter, Depends, HTTPException, Path, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from camlucida.errors import StoreError
from camlucida.records import FlagReason, Outcome, Resolution
from camlucida.store.remarks import flag_pictures, flag_queue
from camlucida.store.remarks.flag_queue import Queued, Sought
from camlucida.store.remarks.flags import as_record
from camlucida.store.tables import LARGEST_ID, ResolutionRow
from camlucida.web.access import who_asks
from camlucida.web.body import bounded
from camlucida.web.images import IMMUTABLE

if TYPE_CHECKING:
    from camlucida.store.home import Home

router = APIRouter()

MOST_BYTES = 8_000
MOST_OF_PAGE = 24

Number = Annotated[int, Path(ge=1, le=LARGEST_ID)]
Name = Annotated[str, StringConstraints(max_length=200)]
State = Literal["", "open", "confirmed", "not a fault", "repaired", "duplicate"]
Reason = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=2000)]


class Said(BaseModel):
    """What came of a flag, and why."""

    model_config = ConfigDict(extra="forbid")

    outcome: Outcome
    reason: Reason
    repaired_by: Name | None = None
    duplicate_of: Annotated[int, Field(ge=1, le=LARGEST_ID)] | None = None


@router.get("/flags")
def flags(
    request: Request,
    state: Annotated[list[State] | None, Query(max_length=8)] = None,
    model: Name = "",
    finding: Name = "",
    reason: Annotated[list[FlagReason] | None, Query(max_length=8)] = None,
    before: Annotated[int | None, Query(ge=1, le=LARGEST_ID)] = None,
) -> dict[str, Any]:
    """Flags, newest first, those `before` a number; `total` is how many are meant, `more` whether any follow.

    `state` is "open" or an outcome, "" any of them; `model` a name or name@version.
    """
    home: Home = request.app.state.home
    sought = Sought(tuple(one for one in state or () if one), model, finding, tuple(reason or ()))
    with home.database.read() as session:
        found = flag_queue.page(session, sought, before=before, most=MOST_OF_PAGE + 1)
        return {
            "total": flag_queue.number_of(session, sought),
            "more": len(found) > MOST_OF_PAGE,
            "flags": [_shown(one) for one in found[:MOST_OF_PAGE]],
        }


@router.get("/flags/counts")
def counts(request: Request) -> dict[str, Any]:
    """How many flags there are, by model, finding, reason and state."""
    home: Home = request.app.state.home
    with home.database.read() as session:
        return {"counts": [one._asdict() for one in flag_queue.counts(session)]}


@router.get("/flags/{number}/picture")
def picture(request: Request, number: Number) -> Response:
    """The flagged map over its image, small, as it was looked at, with the outline."""
    home: Home = request.app.state.home
    with home.database.read() as session:
        (queued,) = flag_queue.page(session, Sought(), before=number + 1, most=1) or (None,)
        if queued is None or queued.flag.id != number:
            raise HTTPException(404, "There is no such flag in this store.")
        row = queued.flag
    try:
        content = flag_pictures.small(home, row)
    except StoreError as error:
        raise HTTPException(404, str(error)) from error
    return Response(content, headers={"Cache-Control": IMMUTABLE}, media_type="image/jpeg")


@router.get("/flags/{number}/resolutions")
def resolutions(request: Request, number: Number) -> dict[str, Any]:
    """All that was said of what came of a flag, oldest first: the last one holds."""
    home: Home = request.app.state.home
    with home.database.read() as session:
        return {"resolutions": [_resolution(one) for one in flag_queue.history(session, number)]}


@router.post("/flags/{number}/resolutions", status_code=201)
def resolve(
    request: Request, number: Number, said: Annotated[Said, Depends(bounded(Said, MOST_BYTES))]
) -> dict[str, Any]:
    """Keep what came of a flag; an earlier resolution stays readable."""
    home: Home = request.app.state.home
    who = who_asks(request).name
    resolution = Resolution(said.outcome, said.reason, said.repaired_by, said.duplicate_of, who)
    try:
        flag_queue.resolve(home, number, resolution)
    except StoreError as error:
        raise HTTPException(422, str(error)) from error
    return {"kept": True}


def _shown(queued: Queued) -> dict[str, Any]:
    row, explanation = queued.flag, queued.flag.explanation
    flag = as_record(row)
    return {
        "number": row.id,
        "state": queued.state,
        "finding": flag.finding,
        "reason": flag.reason,
        "text": flag.text,
        "view": flag.view,
        "who": flag.who,
        "created": row.created.isoformat(),
        "region": asdict(flag.region) if flag.region else None,
        "study": explanation.image.study.key,
        "image": explanation.image.key,
        "explanation": explanation.key,
        "model": f"{explanation.model.name}@{explanation.model.version}",
        "current": explanation.model.current,
        "method": explanation.method,
        "made_anew": explanation.digest != row.digest,
        "resolution": _resolution(queued.resolution) if queued.resolution else None,
    }


def _resolution(row: ResolutionRow) -> dict[str, Any]:
    return {
        "outcome": row.outcome,
        "reason": row.reason,
        "repaired_by": f"{row.model.name}@{row.model.version}" if row.model else None,
        "duplicate_of": row.duplicate_of,
        "who": row.who,
        "created": row.created.isoformat(),
    }
