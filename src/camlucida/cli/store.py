"""`camlucida store`: what is kept, and how much room it takes."""

from contextlib import closing

import typer
from rich.filesize import decimal

from camlucida.cli import messages
from camlucida.cli.options import HomeOption
from camlucida.errors import StoreError
from camlucida.settings import settings
from camlucida.store import sizes
from camlucida.store.home import Home

app = typer.Typer(add_completion=False)

KINDS = {
    "originals": "files as they came",
    "pixels": "decoded for the screen, compressed",
    "evidence": "predictions, maps, trust, provenance",
    "results": "DICOM objects written of explanations",
    "database": "studies, findings, what is wanted and done",
    "unused": "left by a stop; harmless",
}

SHOWN_OF_KEY = 12  # characters: a beginning that is unique among millions of studies


@app.callback()
def store() -> None:
    """Say what is kept and how much room it takes."""


@app.command(epilog="Example: camlucida store size")
def size(
    home: HomeOption = None,
) -> None:
    """Bytes by kind, and for each study: evidence is counted apart from pixels."""
    folder = home or settings().home
    if not Home.is_there(folder):
        raise StoreError(
            f"There is no store in {folder}; `camlucida import` makes one; --home names another."
        )
    with closing(Home.open(folder)) as opened:
        kinds, studies = sizes.of_home(opened), sizes.of_studies(opened)
    rows = [(kind, KINDS[kind], decimal(size)) for kind, size in kinds._asdict().items()]
    messages.table(
        "By kind", ["kind", "what it is", "size"], [*rows, ("all", "", decimal(sum(kinds)))], right=1
    )
    messages.table(
        "By study",
        ["key", "date", "description", "images", "originals", "pixels", "evidence", "results"],
        [_row(study) for study in studies],
        right=5,
    )
    messages.say(
        f"Evidence of a study: {decimal(max((study.evidence for study in studies), default=0))} at most, "
        f"{decimal(sum(study.evidence for study in studies) // max(1, len(studies)))} on average."
    )


def _row(study: sizes.StudySize) -> tuple[object, ...]:
    return (
        study.key[:SHOWN_OF_KEY],
        study.study_date,
        study.description,
        study.images,
        decimal(study.originals),
        decimal(study.pixels),
        decimal(study.evidence),
        decimal(study.results),
    )
