"""`camlucida audit`: who saw and did what, and that the record of it is whole. Loads no torch."""

import re
from contextlib import closing
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from camlucida.cli import audit_replay, messages
from camlucida.cli.opening import open_store
from camlucida.cli.options import HomeOption
from camlucida.cli.writing import whole
from camlucida.errors import InputError, StoreError
from camlucida.records import EventKind, ViewState
from camlucida.store.audit import checkpoints, event_search, events, trail
from camlucida.store.audit import export as audit_export
from camlucida.store.audit.checkpoints import Key
from camlucida.store.audit.event_search import Search
from camlucida.store.home import Home
from camlucida.store.tables import EventRow

app = typer.Typer(add_completion=False)

MOST_FAULTS = 50  # that are shown
_moment = partial(messages.moment, seconds=True)
DIGEST = re.compile(r"[0-9a-f]{64}")

Who = Annotated[
    str, typer.Option(help="Of this user, token, `station` or `cli:NAME` only.", show_default=False)
]
Study = Annotated[
    str, typer.Option(help="Of this study only: its key, UID or accession number.", show_default=False)
]
Kinds = Annotated[
    list[EventKind] | None,
    typer.Option("--kind", help="Of this kind only; may be given several times.", show_default=False),
]
Since = Annotated[
    str, typer.Option(help="From this day or moment on: 2026-01-31 or 2026-01-31T08:00.", show_default=False)
]
Until = Annotated[str, typer.Option(help="Before this day or moment.", show_default=False)]


@app.callback()
def audit() -> None:
    """Ask the audit trail who saw and did what, draw it again, and check that nothing was changed."""


app.command(epilog=audit_replay.EXAMPLE)(audit_replay.replay)


@app.command(epilog="Example: camlucida audit verify --against checkpoint.txt")
def verify(
    against: Annotated[
        list[Path] | None,
        typer.Option(help="A checkpoint that was kept elsewhere; may be given several times."),
    ] = None,
    key: Annotated[
        str,
        typer.Option(
            help="The public key as it was kept elsewhere, or a file with it; by default that of this home.",
            show_default=False,
        ),
    ] = "",
    home: HomeOption = None,
) -> None:
    """Compare every event with its hash, the hash tree and the signed checkpoints.

    What was changed, is missing, was added or moved is named, and the exit code is 1. If all is well, a new
    checkpoint is signed.
    """
    believed = _key(key) if key else None
    texts = [_text(path) for path in against or ()]
    with closing(open_store(home)) as opened:
        with messages.progress() as bar:
            task = bar.add_task("Verifying", total=trail.count(opened))
            verdict = trail.verify(
                opened, key=believed, against=texts, told=lambda number: bar.update(task, completed=number)
            )
        for line in verdict.remarks:
            messages.note(line)
        _tell(verdict)
        if verdict.faults:
            raise typer.Exit(1)
        _sign_what_is_new(opened, verdict)


def _tell(verdict: trail.Verdict) -> None:
    for fault in verdict.faults[:MOST_FAULTS]:
        messages.say(fault.text)
    if len(verdict.faults) > MOST_FAULTS:
        messages.say(f"… and {len(verdict.faults) - MOST_FAULTS} more.")
    if not verdict.faults:
        messages.say(f"Every one of {messages.count(verdict.size, 'event')} is what its hash says.")
    if verdict.checkpoint is None or verdict.key is None:
        signed = "No signed checkpoint agrees with it." if verdict.faults else "Nothing was signed yet."
        messages.say(signed)
        return
    newer = verdict.size - verdict.checkpoint.size
    start = "But for that, the first" if verdict.faults else "The first"
    messages.say(
        f"{start} {messages.count(verdict.checkpoint.size, 'event')} agree with the checkpoint of "
        f"{verdict.checkpoint.time}, signed by the key {verdict.key.id.hex()}; "
        f"{messages.count(max(0, newer), 'event')} came after it."
    )


def _sign_what_is_new(home: Home, verdict: trail.Verdict) -> None:
    if verdict.size and (verdict.checkpoint is None or verdict.checkpoint.size < verdict.size):
        try:
            checkpoints.make(home)
        except StoreError as error:  # another station's key signs this trail
            messages.note(str(error))
        else:
            messages.note("A new checkpoint was signed; `camlucida audit checkpoint --to FILE` copies it.")


@app.command(epilog="Example: camlucida audit query --study 3f9a1c --since 2026-01-31")
def query(
    study: Study = "",
    who: Who = "",
    kind: Kinds = None,
    since: Since = "",
    until: Until = "",
    most: Annotated[int, typer.Option(min=1, help="How many events are shown: the latest.")] = 50,
    as_json: Annotated[bool, typer.Option("--json", help="A JSON object a line.")] = False,
    home: HomeOption = None,
) -> None:
    """Say who did what, when, on which study; for one study also who has seen it."""
    with closing(open_store(home)) as opened, opened.database.read() as session:
        search = _search(opened, study, who, kind, since, until)
        found = event_search.latest(session, search, most)
        if as_json:
            for row in found:
                messages.say(events.content(_said(row)).decode())
            return
        if search.study:
            _tell_who_saw(event_search.who_saw(session, search.study))
        number = event_search.count(session, search)
        title = "Events" if number == len(found) else f"The latest {len(found)} of {number} events"
        messages.table(title, ["event", "when", "who", "what", "study", "how"], map(_line, found))


def _tell_who_saw(seen: list[event_search.Seen]) -> None:
    messages.table(
        "Who has seen this study",
        ["who", "first", "last", "opened", "images", "maps"],
        [(one.who, _moment(one.first), _moment(one.last), one.opened, one.images, one.maps) for one in seen],
        right=3,
    )


def _line(row: EventRow) -> tuple[object, ...]:
    how = " ".join(f"{name}={_short(value)}" for name, value in row.view.items() if value not in (None, ""))
    return row.id, _moment(row.happened), row.who, row.kind, messages.short(row.study_key), how


def _short(value: object) -> object:
    """Of a digest, its beginning; `--json` has all of it."""
    return messages.short(value) if isinstance(value, str) and DIGEST.fullmatch(value) else value


@app.command(epilog="Example: camlucida audit export --to trail --study 3f9a1c")
def export(
    to: Annotated[Path, typer.Option(help="Folder for the files.", show_default=False)],
    study: Study = "",
    who: Who = "",
    kind: Kinds = None,
    since: Since = "",
    until: Until = "",
    home: HomeOption = None,
) -> None:
    """Write events as JSON lines, with a signed checkpoint and the proofs that they are in it.

    Others check the files without this program: docs/how-to/audit-who-saw-what.md says how.
    """
    with closing(open_store(home)) as opened:
        search = _search(opened, study, who, kind, since, until)
        with opened.database.write() as session:
            view: ViewState = {"what": "audit trail", "chosen": search != Search()}
            events.note(session, EventKind.EXPORTED, events.operator(), view, study=search.study)
        note = checkpoints.make(opened)
        with opened.database.read() as session:
            total = event_search.count(session, search)
        with messages.progress() as bar:
            task = bar.add_task("Writing", total=total)
            done = audit_export.export(opened, to, search, note, lambda: bar.advance(task))
    messages.say(
        f"{messages.count(done.events, 'event')} of {done.size} written to {to}, with a checkpoint over all."
    )


@app.command(epilog="Example: camlucida audit checkpoint --to checkpoint.txt")
def checkpoint(
    to: Annotated[
        Path | None, typer.Option(help="File for it; by default it is printed.", show_default=False)
    ] = None,
    rotate: Annotated[
        bool, typer.Option("--rotate", help="Sign by a new key from now on; the old one is gone.")
    ] = False,
    key: Annotated[bool, typer.Option("--key", help="Print the public keys instead.")] = False,
    home: HomeOption = None,
) -> None:
    """Sign what the trail is now. Keep it where nobody who could change the database can change it.

    `camlucida audit verify --against` compares the trail with it later.
    """
    with closing(open_store(home)) as opened:
        if key:
            with opened.database.read() as session:
                for one in checkpoints.keys(session):
                    messages.say(one.verifier)
            return
        text = checkpoints.make(opened, rotate=rotate)
    if to is None:
        messages.say(text.rstrip("\n"))
        return
    with whole(to) as unfinished:
        unfinished.write_text(text, encoding="utf-8")
    messages.say(f"Written to {to}; keep it away from this machine.")


def _search(
    home: Home, study: str, who: str, kinds: list[EventKind] | None, since: str, until: str
) -> Search:
    with home.database.read() as session:
        key = event_search.study_key(session, study) if study else ""
    return Search(who, key, tuple(kinds or ()), _read_moment(since), _read_moment(until))


def _read_moment(text: str) -> datetime | None:
    """A day or moment as it was typed, by this machine's time zone where it says none."""
    if not text:
        return None
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError):
        raise InputError(f"“{text}” is no moment; write 2026-01-31 or 2026-01-31T08:00.") from None


def _key(text: str) -> Key:
    """A public key, or the last one in a file."""
    path = Path(text)
    return Key.read((_text(path).strip().splitlines() or [""])[-1] if path.is_file() else text)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise InputError(f"{path} is no text: neither a checkpoint nor a public key.") from None


def _said(row: EventRow) -> dict[str, object]:
    return {name: getattr(row, name) for name in events.SAID}
