"""Opinions: a reader agrees with a finding, or does not."""

from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Depends, HTTPException, Request
from pydantic import BaseModel, ConfigDict

from camlucida.records import Opinion, Stance
from camlucida.store import explanations
from camlucida.store.remarks import opinions as kept
from camlucida.web.access import who_asks
from camlucida.web.body import bounded
from camlucida.web.explanations import computed, wanted
from camlucida.web.flags import MOST_BYTES, FindingName

if TYPE_CHECKING:
    from camlucida.store.home import Home

router = APIRouter()


class Judgement(BaseModel):
    """What a reader thinks of one finding."""

    model_config = ConfigDict(extra="forbid")

    finding: FindingName
    stance: Stance


@router.post("/explanations/{key}/opinions", status_code=201)
def judge(
    request: Request, key: str, judgement: Annotated[Judgement, Depends(bounded(Judgement, MOST_BYTES))]
) -> dict[str, bool]:
    """Keep whether the reader agrees; the last opinion of a reader holds."""
    home: Home = request.app.state.home
    row = computed(home, key)
    findings = explanations.load(home, str(row.digest)).prediction.findings
    if judgement.finding not in {finding.name for finding in findings}:
        raise HTTPException(422, "This explanation has no such finding.")
    who = who_asks(request).name
    kept.keep(home, row.id, Opinion(judgement.finding, judgement.stance, who))
    return {"kept": True}


@router.get("/explanations/{key}/opinions")
def opinions(request: Request, key: str) -> dict[str, Any]:
    """The opinions that hold; `own` are those of whoever asks."""
    home: Home = request.app.state.home
    who = who_asks(request).name
    held = kept.of_explanation(home, wanted(home, key).id)
    return {"opinions": [{**_shown(one), "own": one.who == who} for one in held]}


def _shown(opinion: Opinion) -> dict[str, Any]:
    return {
        "finding": opinion.finding,
        "stance": opinion.stance,
        "who": opinion.who,
        "created": opinion.created.isoformat() if opinion.created else None,
    }
