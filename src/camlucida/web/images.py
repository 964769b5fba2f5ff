"""An image: its header, and its stored values as they are kept."""

import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np
from fastapi import APIRouter, HTTPException, Request, Response
from sqlalchemy import select
from sqlalchemy.orm import selectinload

from camlucida.rendering.header import shown_type
from camlucida.store import pixels as kept
from camlucida.store import studies
from camlucida.store.tables import FileKind, ImageRow

router = APIRouter()

IMMUTABLE = "private, max-age=31536000, immutable"
"""For arrays, which never change under their key and name nobody."""

NOT_SHOWN = frozenset({"modality"})


@router.get("/images/{key}")
def image(request: Request, key: str) -> dict[str, Any]:
    """All that is needed to draw the image, but its values."""
    header = _image(request, key).header
    shown = {name: value for name, value in header.items() if name not in NOT_SHOWN}
    return {"key": key, **shown, "dtype": shown_type(header["dtype"])}


@router.get("/images/{key}/pixels")
def pixels(request: Request, key: str, slice: int | None = None) -> Response:  # noqa: A002 - the API's word
    """Stored values, little-endian, C order; RGB interleaved. `slice` takes one slice of a volume."""
    row = _image(request, key)
    digests = _digests(row, slice)
    etag = f'W/"{hashlib.sha256(",".join(digests).encode()).hexdigest()[:32]}"'
    headers = {"Cache-Control": IMMUTABLE, "ETag": etag, "Vary": "Accept-Encoding"}
    if request.headers.get("if-none-match") == etag:
        return Response(status_code=304, headers=headers)
    planes = list(studies.kept_slices(request.app.state.home, row, slice).values())
    dtype = row.header["dtype"]
    if shown_type(dtype) == dtype and takes_zstd(request):
        # What lies on the disk is what the browser unpacks; frames may follow each other (RFC 8878, 3).
        headers["Content-Encoding"] = "zstd"
        return Response(b"".join(planes), headers=headers, media_type="application/octet-stream")
    return Response(_unpacked(planes, dtype), headers=headers, media_type="application/octet-stream")


def takes_zstd(request: Request) -> bool:
    """Whether the browser says that it unpacks zstd."""
    codings = request.headers.get("accept-encoding", "").replace(" ", "").split(",")
    return any(name == "zstd" and weight != "q=0" for name, _, weight in (c.partition(";") for c in codings))


def _unpacked(planes: Sequence[bytes], dtype: str) -> bytes:
    shown = np.dtype(shown_type(dtype)).newbyteorder("<")
    return kept.unpack(planes, dtype).astype(shown, copy=False).tobytes()


def _image(request: Request, key: str) -> ImageRow:
    with request.app.state.home.database.read() as session:
        row: ImageRow | None = session.scalar(
            select(ImageRow).where(ImageRow.key == key).options(selectinload(ImageRow.files))
        )
    if row is None:
        raise HTTPException(404, "There is no such image in this store.")
    return row


def _digests(row: ImageRow, position: int | None) -> list[str]:
    digests = [file.digest for file in row.files if file.kind == FileKind.PIXELS]
    if position is None:
        return digests
    if not 0 <= position < len(digests):
        raise HTTPException(
            404, f"The image has slices 0 to {len(digests) - 1}; there is no slice {position}."
        )
    return [digests[position]]
