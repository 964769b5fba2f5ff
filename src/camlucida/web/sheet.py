"""The contact sheet: the maps of one finding over many images, and small pictures of the images."""

import asyncio
import base64
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
from fastapi import APIRouter, Depends, HTTPException, Request, Response
from pydantic import BaseModel, ConfigDict, Field, StringConstraints
from sqlalchemy import select
from sqlalchemy.orm import selectinload

from camlucida.records import Explanation, SaliencyMap
from camlucida.records.encoding import to_json
from camlucida.rendering.map_plane import MapPlane, map_plane
from camlucida.rendering.scale import scale_of
from camlucida.store import explanations, maps, thumbnails
from camlucida.store.predictions import reported
from camlucida.store.tables import ImageRow
from camlucida.web.body import bounded
from camlucida.web.images import IMMUTABLE

if TYPE_CHECKING:
    from camlucida.store.home import Home

router = APIRouter()

MOST_BYTES = 2_000
MOST_MAPS = 100
DRAWING = ThreadPoolExecutor(2, "thumbnails")
"""Threads of their own: a hundred thumbnails that wait take none of those that answer who reads a study."""

Name = Annotated[str, StringConstraints(min_length=1, max_length=200)]


class Sought(BaseModel):
    """Whose maps of what are looked at together."""

    model_config = ConfigDict(extra="forbid")

    model: Name
    method: Name
    finding: Name
    choice: maps.Choice = maps.Choice.NEWEST
    most: Annotated[int, Field(ge=1, le=MOST_MAPS)] = MOST_MAPS


@router.get("/sheet")
def available(request: Request) -> dict[str, Any]:
    """Models and methods with their findings, of which there are maps."""
    with request.app.state.home.database.read() as session:
        return {
            "available": [
                {
                    "model": f"{one.model.name}@{one.model.version}",
                    "method": one.method,
                    "maps": one.number,
                    "findings": one.findings,
                }
                for one in maps.available(session)
            ]
        }


@router.post("/sheet")
def sheet(
    request: Request, sought: Annotated[Sought, Depends(bounded(Sought, MOST_BYTES))]
) -> dict[str, Any]:
    """Maps of one finding, each with one plane of its values; `all` is how many there are."""
    home: Home = request.app.state.home
    with home.database.read() as session:
        found = [
            one
            for one in maps.available(session)
            if (f"{one.model.name}@{one.model.version}", one.method) == (sought.model, sought.method)
        ]
        if not found or sought.finding not in found[0].findings:
            raise HTTPException(404, "There are no maps of this model, method and finding.")
        chosen = maps.choose(session, found[0], sought.finding, sought.choice, sought.most)
        return {"all": found[0].number, "maps": [_map(home, one, sought.finding) for one in chosen]}


@router.get("/images/{key}/thumbnail")
async def thumbnail(request: Request, key: str, slice: int = 0) -> Response:  # noqa: A002 - the API's word
    """A small picture of a slice, or of an image that has none, at the window that it opens with."""
    content = await asyncio.get_running_loop().run_in_executor(
        DRAWING, _thumbnail, request.app.state.home, key, slice
    )
    return Response(content, headers={"Cache-Control": IMMUTABLE}, media_type="image/jpeg")


def _thumbnail(home: "Home", key: str, position: int) -> bytes:
    with home.database.read() as session:
        row = session.scalar(
            select(ImageRow).where(ImageRow.key == key).options(selectinload(ImageRow.files))
        )
    if row is None:
        raise HTTPException(404, "There is no such image in this store.")
    slices = row.header["space"][0] if len(row.header["space"]) == 3 else 1
    if not 0 <= position < slices:
        raise HTTPException(404, f"The image has slices 0 to {slices - 1}; there is no slice {position}.")
    return thumbnails.get(home, row, position)


def _map(home: "Home", chosen: maps.Chosen, finding: str) -> dict[str, Any]:
    row, prediction = chosen.explanation, chosen.prediction
    content = explanations.load(home, str(row.digest))
    saliency_map = content.saliency_map
    told = {
        "study": row.image.study.key,
        "image": row.image.key,
        "explanation": row.key,
        "modality": row.image.modality,
        "view_position": row.image.view_position,
        "phantom": row.image.study.phantom,
        "probability": prediction.probability,
        "operating_point": prediction.operating_point,
        "reported": reported(prediction),
        "flags": chosen.flags,
    }
    if finding not in saliency_map.findings:
        return {**told, "map": None}
    index = saliency_map.findings.index(finding)
    shown = {"finding": index, "scale": scale_of(saliency_map, index), "record": _record(content, index)}
    return {**told, "map": {**shown, **_plane(saliency_map, index)}}


def _record(content: Explanation, index: int) -> dict[str, Any]:
    """What is said of one finding's map and how far it can be trusted, as in an explanation of it alone."""
    saliency_map, trust = content.saliency_map, content.trust
    alone = replace(
        saliency_map,
        findings=(saliency_map.findings[index],),
        values=saliency_map.values[index : index + 1],
        logits=(saliency_map.logits[index],),
        bias=(saliency_map.bias[index],),
        residual=(saliency_map.residual[index],),
        contrasts=saliency_map.contrasts[index : index + 1],
    )
    told = to_json(
        replace(content, saliency_map=alone, trust=replace(trust, findings=(trust.findings[index],)))
    )
    return {"saliency_map": told["saliency_map"], "trust": told["trust"]}


def _plane(saliency_map: SaliencyMap, index: int) -> dict[str, Any]:
    """Values as float32, little-endian, base64; the matrix is from cells to pixels of the plane."""
    plane: MapPlane = map_plane(saliency_map.values[index], saliency_map.geometry)
    return {
        "slice": plane.slice,
        "pixels": list(saliency_map.geometry.pixel_shape[-2:]),
        "shape": list(plane.values.shape),
        "values": base64.b64encode(np.ascontiguousarray(plane.values, "<f4").tobytes()).decode("ascii"),
        "cell_to_pixel": plane.cell_to_pixel.tolist(),
    }
