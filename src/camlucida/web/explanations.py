"""A kept explanation: its words and numbers, and the values of its maps."""

import json
from collections.abc import Callable

import numpy as np
from fastapi import APIRouter, HTTPException, Request, Response
from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session

from camlucida.errors import DamagedBlob
from camlucida.records import Explanation
from camlucida.records.encoding import decode, to_json
from camlucida.rendering.scale import scales_of
from camlucida.store import explanations as kept
from camlucida.store.home import Home
from camlucida.store.tables import ExplanationRow, State
from camlucida.web.images import IMMUTABLE

router = APIRouter()

MOST_MADE = 500  # answers of each kind that are kept ready
LARGEST_MADE = 64 * 1024  # bytes: a volume's maps are made each time
_OF_KEY = select(ExplanationRow.state, ExplanationRow.digest).where(ExplanationRow.key == bindparam("key"))
_WORDS: dict[str, bytes] = {}
_VALUES: dict[str, bytes] = {}


@router.get("/explanations/{key}")
def explanation(request: Request, key: str) -> Response:
    """Everything of the explanation but its values, and the digest by which it is kept.

    `scales` is what a cell in full colour holds, one for each finding: the same for all where the unit is
    "logit", each map's own where it is "relative".
    """
    digest = _digest(request, key)
    content = _made(_WORDS, _words, digest, _blob(request.app.state.home, digest))
    return Response(content, media_type="application/json")


@router.get("/explanations/{key}/values")
def values(request: Request, key: str) -> Response:
    """The maps' values, float32 little-endian, (finding, *native), C order."""
    digest = _digest(request, key)
    headers = {"Cache-Control": IMMUTABLE, "ETag": f'W/"{digest[:32]}"'}
    if request.headers.get("if-none-match") == headers["ETag"]:
        return Response(status_code=304, headers=headers)
    content = _made(_VALUES, _values, digest, _blob(request.app.state.home, digest))
    return Response(content, headers=headers, media_type="application/octet-stream")


def wanted(home: Home, key: str) -> ExplanationRow:
    """The explanation of this key, computed or not.

    Raises
    ------
    HTTPException
        404: there is none.
    """
    with home.database.read() as session:
        return row_of(session, key)


def row_of(session: Session, key: str) -> ExplanationRow:
    """As `wanted`, in a session that is open already."""
    row = session.scalar(select(ExplanationRow).where(ExplanationRow.key == key))
    if row is None:
        raise HTTPException(404, "There is no such explanation in this store.")
    return row


def computed(home: Home, key: str) -> ExplanationRow:
    """As `wanted`, with its maps.

    Raises
    ------
    HTTPException
        404: there is none; 409: it has not been computed, with the reason.
    """
    row = wanted(home, key)
    if row.state != State.DONE or row.digest is None:
        raise HTTPException(409, row.reason or "This explanation has not been computed yet.")
    return row


def _blob(home: Home, digest: str) -> bytes:
    """As it is kept; where it is damaged, it waits to be computed again, as any other that waits."""
    try:
        return kept.read(home, digest)
    except DamagedBlob as error:
        raise HTTPException(409, str(error)) from error


def _digest(request: Request, key: str) -> str:
    """As `computed`, of which the digest is all that is needed; most requests of a reader come here."""
    with request.app.state.home.database.read() as session:
        found = session.execute(_OF_KEY, {"key": key}).first()
    if found is not None and found.state == State.DONE and found.digest is not None:
        return str(found.digest)
    return str(computed(request.app.state.home, key).digest)


def _made(
    known: dict[str, bytes], make: Callable[[str, Explanation], bytes], digest: str, blob: bytes
) -> bytes:
    """What is told of a blob that was read, and so verified, for this request; making it takes longer."""
    content = known.get(digest)
    if content is None:
        content = make(digest, decode(blob))
        if len(known) >= MOST_MADE:
            known.clear()
        if len(content) <= LARGEST_MADE:
            known[digest] = content
    return content


def _words(digest: str, content: Explanation) -> bytes:
    told = {**to_json(content), "scales": scales_of(content.saliency_map), "digest": digest}
    return json.dumps(told, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()


def _values(_: str, content: Explanation) -> bytes:
    return np.ascontiguousarray(content.saliency_map.values, "<f4").tobytes()
