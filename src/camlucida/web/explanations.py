"""A kept explanation: its words and numbers, and the values of its maps."""

from typing import Any

import numpy as np
from fastapi import APIRouter, HTTPException, Request, Response
from sqlalchemy import select

from camlucida.records.encoding import to_json
from camlucida.rendering.scale import fixed_scale
from camlucida.store import explanations as kept
from camlucida.store.database import ExplanationRow, State
from camlucida.web.images import IMMUTABLE

router = APIRouter()


@router.get("/explanations/{key}")
def explanation(request: Request, key: str) -> dict[str, Any]:
    """Everything of the explanation but its values; `scale` is the logits of a cell in full colour.

    A map whose unit is "relative" has no such scale: each finding's own peak is full colour.
    """
    content = kept.load(request.app.state.home, _digest(request, key))
    return {**to_json(content), "scale": fixed_scale(content.saliency_map.geometry.native_shape)}


@router.get("/explanations/{key}/values")
def values(request: Request, key: str) -> Response:
    """The maps' values, float32 little-endian, (finding, *native), C order."""
    digest = _digest(request, key)
    headers = {"Cache-Control": IMMUTABLE, "ETag": f'W/"{digest[:32]}"'}
    if request.headers.get("if-none-match") == headers["ETag"]:
        return Response(status_code=304, headers=headers)
    content = kept.load(request.app.state.home, digest).saliency_map.values
    return Response(
        np.ascontiguousarray(content, "<f4").tobytes(), headers=headers, media_type="application/octet-stream"
    )


def _digest(request: Request, key: str) -> str:
    with request.app.state.home.database.read() as session:
        row = session.scalar(select(ExplanationRow).where(ExplanationRow.key == key))
    if row is None:
        raise HTTPException(404, "There is no such explanation in this store.")
    if row.state != State.DONE or row.digest is None:
        raise HTTPException(409, row.reason or "This explanation has not been computed yet.")
    return str(row.digest)
