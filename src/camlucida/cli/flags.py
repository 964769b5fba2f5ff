"""`camlucida flags`: what readers flagged, what came of it, and masks for training. Loads no torch."""

from contextlib import closing
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from camlucida.cli import messages
from camlucida.cli.opening import open_store
from camlucida.cli.options import HomeOption
from camlucida.cli.writing import whole
from camlucida.errors import StoreError
from camlucida.records import FlagReason, Outcome, Resolution
from camlucida.rendering.outline import NOT_HERE
from camlucida.store.audit import events
from camlucida.store.remarks import flag_export, flag_queue
from camlucida.store.remarks.flag_queue import STATES, Queued, Sought

app = typer.Typer(add_completion=False)


class FlagState(StrEnum):
    """Open, or what came of it."""

    OPEN, CONFIRMED, NOT_A_FAULT, REPAIRED, DUPLICATE = STATES


WORTH_TRAINING = (FlagState.OPEN, FlagState.CONFIRMED, FlagState.REPAIRED)

States = Annotated[
    list[FlagState] | None,
    typer.Option("--state", help="Open, or what came of it; may be given several times."),
]
Reasons = Annotated[
    list[FlagReason] | None,
    typer.Option("--reason", help="What readers said is wrong; may be given several times."),
]
Model = Annotated[str, typer.Option(help="Maps of this model: name, or name@version.", show_default=False)]
Finding = Annotated[str, typer.Option(help="Maps of this finding.", show_default=False)]


@app.callback()
def flags() -> None:
    """List and resolve what readers flagged, and write it as masks for training."""


@app.command("list", epilog="Example: camlucida flags list --state open --model chest")
def list_(
    state: States = None,
    reason: Reasons = None,
    model: Model = "",
    finding: Finding = "",
    before: Annotated[int | None, typer.Option(min=1, help="Flags older than this number.")] = None,
    home: HomeOption = None,
) -> None:
    """The newest flags, and how many there are by model and finding."""
    sought = Sought(tuple(state or ()), model, finding, tuple(reason or ()))
    with closing(open_store(home)) as opened, opened.database.read() as session:
        found = flag_queue.page(session, sought, before=before)
        number, counts = flag_queue.number_of(session, sought), flag_queue.counts(session)
        rows = [_row(one) for one in found]
    messages.table("Flags", ["flag", "state", "finding", "reason", "model", "by", "when", "study"], rows)
    if len(rows) < number and found:
        messages.note(f"The first {len(rows)} of {number}; --before {found[-1].flag.id} shows older ones.")
    by_finding: dict[tuple[str, str], dict[str, int]] = {}
    for one in counts:
        states = by_finding.setdefault((f"{one.model}@{one.version}", one.finding), dict.fromkeys(STATES, 0))
        states[one.state] += one.number
    messages.table(
        "All flags by model and finding",
        ["model", "finding", *STATES],
        [(*names, *states.values()) for names, states in by_finding.items()],
        right=len(STATES),
    )


@app.command(epilog='Example: camlucida flags resolve 12 --outcome "not a fault" --reason "A shadow."')
def resolve(
    flag: Annotated[int, typer.Argument(min=1, help="Its number.", show_default=False)],
    outcome: Annotated[Outcome, typer.Option(help="What came of it.", show_default=False)],
    reason: Annotated[str, typer.Option(help="Why; no patient's name.", show_default=False)],
    by: Annotated[
        str | None,
        typer.Option("--by", metavar="NAME@VERSION", help="The model that repaired it.", show_default=False),
    ] = None,
    of: Annotated[
        int | None, typer.Option("--of", min=1, help="The flag that says the same.", show_default=False)
    ] = None,
    home: HomeOption = None,
) -> None:
    """Say what came of a flag, and why; an earlier resolution is kept, and no longer holds."""
    with closing(open_store(home)) as opened:
        flag_queue.resolve(opened, flag, Resolution(outcome, reason, by, of, events.operator()))
    messages.say(f"Flag {flag}: {outcome}.")


@app.command(epilog="Example: camlucida flags export --to masks --model chest@1 --state confirmed")
def export(
    to: Annotated[Path, typer.Option("--to", help="An empty folder.", show_default=False)],
    state: States = None,
    reason: Reasons = None,
    model: Model = "",
    finding: Finding = "",
    keys: Annotated[
        Path | None,
        typer.Option(help="Also a table of which image is which, with UIDs; not within the folder."),
    ] = None,
    home: HomeOption = None,
) -> None:
    """Write outlined regions as masks, with tables; images have names that say nothing outside.

    By default of flags that are open, confirmed or repaired; masks are made of the reasons that say of a
    region that its evidence is none (wrong place, shortcut, wrong side, artefact).
    """
    if keys is not None and keys.resolve().is_relative_to(to.resolve()):
        raise StoreError("The table of keys says who the masks are of; write it outside of their folder.")
    sought = Sought(tuple(state or WORTH_TRAINING), model, finding, tuple(reason or ()))
    with closing(open_store(home)) as opened:
        done = flag_export.export(opened, to, sought, events.operator(), reason or NOT_HERE)
        if keys is not None:
            with whole(keys) as unfinished:
                flag_export.write_keys(opened, unfinished, sought)
    messages.say(
        f"{messages.count(done.flags, 'flag')} on {messages.count(done.images, 'image')}, "
        f"{messages.count(done.masks, 'mask')}: {to}."
    )
    if not done.masks:
        messages.note("None of these flags has an outline of a reason that masks are made of.")


def _row(queued: Queued) -> tuple[object, ...]:
    row, explanation = queued.flag, queued.flag.explanation
    return (
        row.id,
        queued.state,
        row.finding,
        row.reason,
        f"{explanation.model.name}@{explanation.model.version}",
        row.who,
        row.created.strftime("%Y-%m-%d"),
        messages.short(explanation.image.study.key),
    )
