"""The worklist. What is searched stands in the body: it may be a name, and addresses are logged."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, HTTPException, Request
from pydantic import BaseModel, ConfigDict, Field, StringConstraints
from sqlalchemy import RowMapping
from sqlalchemy.orm import Session

from camlucida.store import worklist
from camlucida.web.body import bounded

router = APIRouter()

MOST_BYTES = 4000
MOST_STUDIES = 200  # a page
MOST_SKIPPED = 10_000_000
SHOWN_FINDINGS = 3

Words = Annotated[str, StringConstraints(max_length=200)]
Day = Annotated[str, StringConstraints(pattern=r"^(\d{8})?$")]
Sort = Literal["arrival", "patient", "date", "description", "modality", "images", "findings", "state"]


class Sought(BaseModel):
    """A search, and which part of its list; see `worklist.Search`."""

    model_config = ConfigDict(extra="forbid")

    text: Words = ""
    finding: Words = ""
    probability: float = Field(default=0, ge=0, le=1)
    reported: bool = False
    flagged: bool = False
    first_date: Day = ""
    last_date: Day = ""
    state: Literal["", "waiting", "explained", "failed", "refused"] = ""
    modality: Words = ""
    sort: Sort = "arrival"
    descending: bool = True
    after: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{32}$")] | None = None
    skip: int = Field(default=0, ge=0, le=MOST_SKIPPED)
    limit: int = Field(default=100, ge=1, le=MOST_STUDIES)

    def search(self) -> worklist.Search:
        """What is searched for, without the part of the list."""
        return worklist.Search(**self.model_dump(exclude={"after", "skip", "limit"}))


_sought = bounded(Sought, MOST_BYTES)


@router.get("/studies")
def newest(request: Request) -> dict[str, Any]:
    """The newest studies, and how many there are."""
    return search(request, Sought())


@router.post("/studies/search")
def search(request: Request, sought: Annotated[Sought, Depends(_sought)]) -> dict[str, Any]:
    """A page of the studies that are found; `total` comes with the first one, which has no `after`."""
    with request.app.state.home.database.read() as session:
        wanted = sought.search()
        lines = worklist.page(
            session,
            wanted,
            after=_place(session, sought.after),
            skip=sought.skip,
            limit=sought.limit,
            findings=SHOWN_FINDINGS,
        )
        return {
            "total": worklist.total(session, wanted) if sought.after is None else None,
            "studies": [_line(line) for line in lines],
        }


@router.get("/studies/choices")
def choices(request: Request) -> dict[str, Any]:
    """The findings and modalities that can be searched for."""
    with request.app.state.home.database.read() as session:
        return worklist.choices(session)


def _place(session: Session, key: str | None) -> int | None:
    if key is None:
        return None
    found = worklist.find(session, key)
    if found is None:
        raise HTTPException(409, "The study after which this page begins is gone; begin from the first.")
    return found


def _line(line: worklist.Line) -> dict[str, Any]:
    study = {name: value for name, value in line.study.items() if name != "id"}
    return {**study, "findings": [_finding(row) for row in line.findings]}


def _finding(row: RowMapping) -> dict[str, Any]:
    said = {name: row[name] for name in ("name", "probability", "operating_point", "model")}
    return {**said, "reported": None if row["operating_point"] is None else row["reported"]}
