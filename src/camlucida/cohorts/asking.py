"""Which of the station's images: the worklist's search, written on a line.

study_date>=20240101 modality=DX finding=Effusion probability>=0.5 reported
"""

import re
from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from camlucida.cohorts.inputs import Input
from camlucida.errors import InputError
from camlucida.store import worklist
from camlucida.store.home import Home
from camlucida.store.tables import ImageRow, StudyRow
from camlucida.store.worklist import STATES, Search

FIELDS = {
    "study_date>=": "first_date",
    "study_date<=": "last_date",
    "modality=": "modality",
    "finding=": "finding",
    "probability>=": "probability",
    "state=": "state",
    "text=": "text",
}
FLAGS = ("reported", "flagged")
PAGE = 500
_WORD = re.compile(r"(\w+(?:>=|<=|=))(.+)", re.DOTALL)


def read_query(words: Sequence[str]) -> Search:
    """The search that the words stand for; all of them hold together.

    Raises
    ------
    InputError
        A word is none of `FIELDS` and `FLAGS`, or its value is none.
    """
    said: dict[str, Any] = {}
    for word in words:
        if word in FLAGS:
            said[word] = True
            continue
        match = _WORD.fullmatch(word)
        if match is None or match[1] not in FIELDS:
            known = ", ".join([*(f"{field}…" for field in FIELDS), *FLAGS])
            raise InputError(f"“{word}” is no file, no folder and no search; a search has: {known}.")
        said[FIELDS[match[1]]] = _value(match[1], match[2])
    return Search(**said, sort="arrival", descending=False)


def _value(field: str, text: str) -> str | float:
    if field.startswith("study_date") and not re.fullmatch(r"\d{4,8}", text):
        raise InputError(f"“{text}” is no date; write it as 20240131.")
    if field == "state=" and text not in STATES:
        raise InputError(f"“{text}” is no state; there are: {', '.join(STATES)}.")
    if field != "probability>=":
        return text
    try:
        return float(text)
    except ValueError:
        raise InputError(f"“{text}” is no probability; write it as 0.5.") from None


def stored(home: Home, search: Search) -> Iterator[Input]:
    """The images of the studies that are found, in the order of their arrival; named by their opaque keys."""
    last: int | None = None
    while True:
        with home.database.read() as session:
            lines = worklist.page(session, search, after=last, limit=PAGE, findings=0)
            ids = [line.study["id"] for line in lines]
            found = _images(session, ids)
        yield from found
        if len(lines) < PAGE:
            return
        last = ids[-1]


def _images(session: Session, studies: Sequence[int]) -> list[Input]:
    rows = session.execute(
        select(StudyRow.key, ImageRow.key, ImageRow.id, StudyRow.id)
        .join(ImageRow, ImageRow.study_id == StudyRow.id)
        .where(StudyRow.id.in_(studies), ~ImageRow.superseded)
        .order_by(ImageRow.id)
    ).all()
    place = {study: number for number, study in enumerate(studies)}
    rows = sorted(rows, key=lambda row: (place[row[3]], row[2]))
    return [Input(f"{study}/{image}", (), identifier) for study, image, identifier, _ in rows]
