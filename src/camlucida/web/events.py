"""What readers do at the screen, told in batches for the audit trail."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Literal

from fastapi import APIRouter, Depends, Request
from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints

from camlucida.records import Event, EventKind
from camlucida.store.audit import events as kept
from camlucida.web.access import who_asks
from camlucida.web.body import bounded
from camlucida.web.flags import View

if TYPE_CHECKING:
    from camlucida.store.home import Home

router = APIRouter()

MOST_EVENTS = 200
MOST_BYTES = 64_000  # as much as a browser sends after its page was closed

Made = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{32}$")]
Key = Annotated[str, StringConstraints(pattern=r"^[0-9A-Za-z-]{0,64}$")]
# What readers say is told by the station itself, when it keeps it.
Kind = Literal[EventKind.OPENED, EventKind.CHANGED, EventKind.LEFT, EventKind.LOST]


def _in_utc(moment: datetime) -> datetime:
    """As it is kept: at either end of the calendar, a moment with an offset has no date in UTC."""
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        raise ValueError("There is no such moment in UTC.") from None


class Told(BaseModel):
    """One event, as a browser tells it."""

    model_config = ConfigDict(extra="forbid")

    key: Made
    kind: Kind
    happened: Annotated[AwareDatetime, AfterValidator(_in_utc)]
    tab: Made
    study: Key = ""
    image: Key = ""
    explanation: Key = ""
    view: View


class Batch(BaseModel):
    """Events in the order in which they happened."""

    model_config = ConfigDict(extra="forbid")

    events: list[Told] = Field(min_length=1, max_length=MOST_EVENTS)


@router.post("/events")
def events(request: Request, batch: Annotated[Batch, Depends(bounded(Batch, MOST_BYTES))]) -> dict[str, int]:
    """Keep events; those that are kept already are not kept again."""
    home: Home = request.app.state.home
    told = [Event(**dict(one)) for one in batch.events]
    return {"kept": kept.keep(home, told, who_asks(request).name)}
