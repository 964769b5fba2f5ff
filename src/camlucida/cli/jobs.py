"""`camlucida jobs`: what waits to be computed and who computes it, what has failed and why."""

from collections.abc import Sequence
from contextlib import closing
from typing import Annotated

import typer
from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload

from camlucida.cli import messages
from camlucida.cli.opening import open_store
from camlucida.cli.options import HomeOption
from camlucida.errors import InputError, StoreError
from camlucida.jobs.hand import most_memory
from camlucida.jobs.queue import wake
from camlucida.models.card import read_card
from camlucida.models.registry import Registry
from camlucida.records import EventKind
from camlucida.settings import settings
from camlucida.store import claims, explanations, progress
from camlucida.store.audit import events
from camlucida.store.tables import ExplanationRow, ModelRow, State, now

app = typer.Typer(add_completion=False)

MOST = 50


@app.callback()
def jobs() -> None:
    """Say what waits to be computed and what has failed; cancel it, or try it again."""


@app.command("list", epilog="Example: camlucida jobs list")
def list_(home: HomeOption = None) -> None:
    """Workers, what waits in its order with who computes it, and what has failed with its reason."""
    with closing(open_store(home)) as opened, opened.database.read() as session:
        _say_workers(session)
        waiting, number = _waiting(session), _count(session)
        messages.table(
            f"Waiting: {messages.count(number, 'explanation')}",
            ["key", "lane", "model", "method", "attempt", "is"],
            [_row(row) for row in waiting],
        )
        failed = progress.failed(session)[:MOST]
        messages.table(
            "Failed",
            ["key", "model", "method", "reason"],
            [(messages.short(row.key), _model(row), row.method, row.reason) for row in failed],
        )


@app.command(epilog="Example: camlucida jobs cancel 3f9a1c0d")
def cancel(
    keys: Annotated[
        list[str] | None,
        typer.Argument(help="Keys of explanations, or their beginnings.", show_default=False),
    ] = None,
    waiting: Annotated[bool, typer.Option("--all", help="Cancel all that waits.")] = False,
    home: HomeOption = None,
) -> None:
    """Want explanations no more; one that is being computed is ended."""
    if not (keys or waiting):
        raise InputError("Say which: keys that `camlucida jobs list` shows, or --all for all that waits.")
    who = events.operator()
    with closing(open_store(home)) as opened, opened.database.write() as session:
        rows = _all_waiting(session) if waiting else [_named(session, key) for key in keys or []]
        cancelled = [row for row in rows if explanations.cancel(row, who)]
        for row in cancelled:
            events.note(session, EventKind.CANCELLED, who, explanation=row.key)
    messages.say(f"{messages.count(len(cancelled), 'explanation')} cancelled.")
    if len(cancelled) < len(rows):
        raise StoreError(f"{len(rows) - len(cancelled)} of them did not wait: only what waits is cancelled.")


@app.command(epilog="Example: camlucida jobs again")
def again(home: HomeOption = None) -> None:
    """Try again at once all that has failed or waits for its next attempt."""
    with closing(open_store(home)) as opened:
        number = explanations.retry(opened) + claims.hurry(opened)
        wake(opened)
    messages.say(f"{messages.count(number, 'explanation')} wanted again.")


@app.command(epilog="Example: camlucida jobs limits")
def limits(home: HomeOption = None) -> None:
    """How long and how large the computing of one explanation may become, by model."""
    seconds, memory = settings().explanation_seconds, settings().explanation_memory_gb or most_memory() / 1e9
    rows = []
    for model in Registry(home or settings().home).list():
        asked = read_card(model.folder).resources
        longest = seconds if asked.seconds is None else asked.seconds
        rows.append(
            (
                model.key,
                f"{longest:g} s" if longest else "none",
                f"{asked.memory_gb or memory:.1f} GB",
                "gpu" if asked.gpu else "any",
            )
        )
    messages.table("Limits of one explanation", ["model", "time", "memory", "workers"], rows)


def _say_workers(session: Session) -> None:
    rows = [
        (worker.name, worker.lanes, "works" if claims.is_alive(worker) else worker.ended or "is not seen")
        for worker in claims.workers(session)
    ]
    messages.table("Workers", ["name", "lanes", "is"], rows)


def _waiting(session: Session, most: int | None = MOST) -> Sequence[ExplanationRow]:
    return session.scalars(
        select(ExplanationRow)
        .join(ExplanationRow.model)
        .where(ExplanationRow.state == State.WANTED, ModelRow.current)
        .order_by(*claims.QUEUE)
        .limit(most)
        .options(joinedload(ExplanationRow.model))
    ).all()


def _all_waiting(session: Session) -> Sequence[ExplanationRow]:
    return _waiting(session, None)


def _count(session: Session) -> int:
    return sum(one.number for one in progress.waiting(session) if one.current)


def _row(row: ExplanationRow) -> tuple[object, ...]:
    return messages.short(row.key), row.lane, _model(row), row.method, row.attempts, _is(row)


def _is(row: ExplanationRow) -> str:
    if row.claimed_by:
        steps = f", {row.steps_done} of {row.steps}" if row.steps else ""
        return f"computed by {row.claimed_by}{steps}"
    if row.due is not None and row.due > now():
        return f"tried again in {(row.due - now()).total_seconds():.0f} s: {row.reason}"
    return "waits"


def _model(row: ExplanationRow) -> str:
    return f"{row.model.name}@{row.model.version}"


def _named(session: Session, beginning: str) -> ExplanationRow:
    found = session.scalars(
        select(ExplanationRow).where(ExplanationRow.key.startswith(beginning, autoescape=True)).limit(2)
    ).all()
    if len(found) != 1:
        many = "more than one explanation" if found else "no explanation"
        raise StoreError(f"“{beginning}” is the beginning of {many}; `camlucida jobs list` shows the keys.")
    return found[0]
