"""The models of the station: what is known of them, and what they have explained here.

What a model's folder says is read by whoever starts the server: delivery knows nothing of models.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from fastapi import APIRouter, Request

from camlucida.store import progress

Described = Callable[[], Sequence[Mapping[str, Any]]]
"""The registered models as their page shows them: camlucida.models.description, over a home."""

router = APIRouter()


@router.get("/models")
def models(request: Request) -> dict[str, Any]:
    """All registered models, and those that are known by their maps only (`card` is null)."""
    with request.app.state.home.database.read() as session:
        counted = progress.of_models(session)
    known = [{**model, **_work(counted, model["digest"])} for model in request.app.state.described()]
    digests = {model["digest"] for model in known}
    gone = [
        {"key": f"{row.name}@{row.version}", "name": row.name, "version": row.version, "digest": row.digest}
        for row in {row.digest: row for row in counted}.values()
        if row.digest not in digests
    ]
    return {"models": known + [{**model, "card": None, **_work(counted, model["digest"])} for model in gone]}


def _work(counted: Sequence[progress.OfModel], digest: str) -> dict[str, Any]:
    own = [row for row in counted if row.digest == digest]
    return {
        "current": any(row.current for row in own),
        "work": [
            {"method": row.method, "state": row.state, "number": row.number}
            for row in own
            if row.method is not None
        ],
    }
