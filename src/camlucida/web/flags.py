"""Flags: a radiologist says in one click what is wrong with a map."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Depends, HTTPException, Request
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, field_validator

from camlucida.records import Flag, FlagReason, Region
from camlucida.rendering.outline import lies_in
from camlucida.store import explanations
from camlucida.store.remarks import flags as kept
from camlucida.web.access import who_asks
from camlucida.web.body import bounded
from camlucida.web.explanations import computed, wanted

if TYPE_CHECKING:
    from camlucida.store.home import Home

router = APIRouter()

MOST_BYTES = 32_000
MOST_VIEW_ENTRIES = 40
MOST_CORNERS = 200

Word = Annotated[str, StringConstraints(max_length=100)]
Number = Annotated[float, Field(allow_inf_nan=False)]
Corner = Annotated[float, Field(ge=-1e6, le=1e6)]
FindingName = Annotated[str, StringConstraints(min_length=1, max_length=200)]
View = Annotated[
    dict[Word, Word | bool | Number | None], Field(default_factory=dict, max_length=MOST_VIEW_ENTRIES)
]


class Outline(BaseModel):
    """A closed region on one plane of the image, in pixels: what the reader means."""

    model_config = ConfigDict(extra="forbid")

    axis: Annotated[int, Field(ge=0, le=2)]
    at: Annotated[int, Field(ge=0, le=1_000_000)]
    places: Annotated[list[tuple[Corner, Corner]], Field(min_length=3, max_length=MOST_CORNERS)]


class Remark(BaseModel):
    """What is said of the map of one finding; `view` is what the reader looked at."""

    model_config = ConfigDict(extra="forbid")

    finding: FindingName
    reason: FlagReason
    text: Annotated[str, StringConstraints(strip_whitespace=True, max_length=2000)] = ""
    view: View
    region: Outline | None = None

    @field_validator("text")
    @classmethod
    def _printable(cls, text: str) -> str:
        return "".join(character for character in text if character.isprintable() or character in "\n\t")


@router.post("/explanations/{key}/flags", status_code=201)
def flag(
    request: Request, key: str, remark: Annotated[Remark, Depends(bounded(Remark, MOST_BYTES))]
) -> dict[str, Any]:
    """Keep a flag on the map of one finding."""
    home: Home = request.app.state.home
    row = computed(home, key)
    saliency_map = explanations.load(home, str(row.digest)).saliency_map
    if remark.finding not in saliency_map.findings:
        raise HTTPException(422, "This explanation has no map of this finding.")
    if remark.reason is FlagReason.OTHER and not remark.text:
        raise HTTPException(422, "Say in the text what is wrong: the reason is “other”.")
    region = _region(remark.region)
    if region and not lies_in(region, saliency_map.geometry.pixel_shape):
        raise HTTPException(422, "This image has no such plane as the outline lies in.")
    who = who_asks(request).name
    said = Flag(remark.finding, remark.reason, remark.text, remark.view, who, region=region)
    number = kept.keep(home, row.id, said)
    return {"id": number, "kept": True}


@router.get("/explanations/{key}/flags")
def flags(request: Request, key: str) -> dict[str, Any]:
    """The flags on an explanation, oldest first."""
    home: Home = request.app.state.home
    return {"flags": [_shown(one) for one in kept.of_explanation(home, wanted(home, key).id)]}


def _region(outline: Outline | None) -> Region | None:
    return Region(outline.axis, outline.at, tuple(outline.places)) if outline else None


def _shown(flag: Flag) -> dict[str, Any]:
    return {
        "finding": flag.finding,
        "reason": flag.reason,
        "text": flag.text,
        "view": flag.view,
        "who": flag.who,
        "created": flag.created.isoformat() if flag.created else None,
        "region": asdict(flag.region) if flag.region else None,
    }
