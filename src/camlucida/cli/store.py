"""`camlucida store`: what is kept and how much room it takes; checked, pruned, moved, backed up, restored."""

import json
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.filesize import decimal

from camlucida.cli import messages
from camlucida.cli.opening import open_store
from camlucida.cli.options import HomeOption
from camlucida.errors import InputError, StoreError
from camlucida.settings import settings
from camlucida.store.audit.events import operator
from camlucida.store.home import Home, open_blobs, open_url
from camlucida.store.turn import UPKEEP, turn
from camlucida.store.upkeep import backups, checking, copying, retention, sizes

app = typer.Typer(add_completion=False)

KINDS = {
    "originals": "files as they came",
    "pixels": "decoded for the screen, compressed",
    "evidence": "predictions, maps, trust, provenance",
    "results": "DICOM objects written of explanations",
    "database": "studies, findings, what is wanted and done",
    "unused": "left by a stop; harmless",
}

SHOWN_FAULTS = 20
STEP = 1_000_000  # bytes: of a progress bar


@app.callback()
def store() -> None:
    """Say what is kept and how much room it takes; check, prune, move, back up and restore it."""


@app.command(epilog="Example: camlucida store size --limit 20")
def size(
    home: HomeOption = None,
    limit: Annotated[int, typer.Option(min=1, help="At most so many studies.")] = 50,
    offset: Annotated[int, typer.Option(min=0, help="Leave out so many studies first.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, in bytes.")] = False,
) -> None:
    """Bytes by kind, and for each study: evidence is counted apart from pixels."""
    with closing(open_store(home)) as opened:
        kinds, studies = sizes.of_home(opened), sizes.of_studies(opened)
    shown = studies[offset : offset + limit]
    if as_json:
        told = {
            "kinds": kinds._asdict(),
            "studies": len(studies),
            "offset": offset,
            "shown": [study._asdict() for study in shown],
        }
        typer.echo(json.dumps(told, indent=1))
        return
    rows = [(kind, KINDS[kind], decimal(size)) for kind, size in kinds._asdict().items()]
    messages.table(
        "By kind", ["kind", "what it is", "size"], [*rows, ("all", "", decimal(sum(kinds)))], right=1
    )
    messages.table(
        "By study",
        ["key", "date", "description", "images", "originals", "pixels", "evidence", "results"],
        [_row(study) for study in shown],
        right=5,
    )
    if len(shown) < len(studies):
        messages.note(
            f"{offset + 1} to {offset + len(shown)} of {len(studies)}; --offset and --limit show others."
        )
    messages.say(
        f"Evidence of a study: {decimal(max((study.evidence for study in studies), default=0))} at most, "
        f"{decimal(sum(study.evidence for study in studies) // max(1, len(studies)))} on average."
    )


@app.command(epilog="Example: camlucida store verify --mend")
def verify(
    home: HomeOption = None,
    mend: Annotated[bool, typer.Option("--mend", help="Have made again what can be.")] = False,
) -> None:
    """Read every kept file: is it what was kept, and is all there that the database names?"""
    from camlucida.pipeline import load_image  # noqa: PLC0415 - what reads files: for --mend

    found, wrong, unused, mended = Counter[str](), 0, 0, 0
    with _alone(home) as opened:
        files = checking.files_to_check(opened)
        with messages.progress() as bar:
            every = bar.track(checking.check(opened, files), total=len(files), description="Reading")
            for checked in every:
                unused += not checked.uses
                if checked.fault is None:
                    continue
                wrong += 1
                is_mended = mend and checking.mend(opened, checked, load_image)
                mended += is_mended
                what = ", ".join(sorted(checked.uses)) or "named by no row"
                found[f"{checked.fault}: {what}"] += 1
                if wrong <= SHOWN_FAULTS:
                    done = ("; mended" if is_mended else "; import or send it again") if mend else ""
                    messages.say(f"{checked.digest} {checked.fault} ({what}){done}")
    for kind, number in sorted(found.items()):
        messages.say(f"{kind}: {number}")
    messages.say(
        f"{messages.count(len(files), 'file')} read, {wrong} wrong"
        f"{f', {mended} mended' if mend else ''}; {unused} unused."
    )
    if wrong > mended:
        raise typer.Exit(1)


@app.command(epilog="Example: camlucida store prune --do")
def prune(
    home: HomeOption = None,
    do: Annotated[bool, typer.Option("--do", help="Remove it; otherwise only say what would be.")] = False,
) -> None:
    """Remove what the rules of retention.toml let go of, and files that no row names."""
    with _alone(home) as opened:
        rules = retention.read_rules(opened.folder)
        pruned = retention.prune(opened, rules, operator(), do=do)
    for rule, number in pruned.rules:
        messages.say(f"{rule} = {getattr(rules, rule)}: {messages.count(number, 'row')}")
    would = "" if do else "would be "
    messages.say(f"{messages.count(pruned.files, 'file')} {would}removed, {decimal(pruned.bytes)}.")
    if not do:
        messages.note("Nothing was removed; --do does it.")


@app.command(epilog="Example: camlucida store migrate --to-blobs s3://bucket/camlucida")
def migrate(
    home: HomeOption = None,
    to_database: Annotated[
        str,
        typer.Option(
            help="`postgresql://…` of an empty database; `-` reads it from stdin, as it holds a password.",
            show_default=False,
        ),
    ] = "",
    to_blobs: Annotated[str, typer.Option(help="`s3://bucket/prefix`.", show_default=False)] = "",
) -> None:
    """Bring the tables to the newest revision, or copy everything to PostgreSQL and S3.

    Stop the station before you copy: what it keeps meanwhile would stay behind.
    """
    with _alone(home) as opened:  # opening has brought the tables up to date
        if not (to_database or to_blobs):
            messages.say("The tables are those of this version.")
            return
        url = sys.stdin.readline().strip() if to_database == "-" else to_database
        if to_database and not url:
            raise InputError("`--to-database -` reads the address from stdin, which is empty.")
        if to_blobs:
            _copy_files(opened, to_blobs)
        if url:
            with closing(open_url(url)) as target:
                number = copying.copy_rows(opened.database, target)
            messages.say(f"{messages.count(number, 'row')} copied and compared.")
    names = [name for name, to in (("DATABASE", url), ("BLOBS", to_blobs)) if to]
    variables = " and ".join(f"CAMLUCIDA_{name}_URL" for name in names)
    messages.note(f"Nothing was removed here. Set {variables} for all that use this home.")


@app.command(epilog="Example: camlucida store backup /mnt/backup/camlucida")
def backup(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A folder that each backup adds to.")],
    home: HomeOption = None,
) -> None:
    """Add a backup of database, kept files, models and settings, while the station runs."""
    with _alone(home) as opened, _bytes("Copying") as tell:
        made = backups.back_up(opened, folder, operator(), tell)
    messages.say(
        f"{made.folder}: {messages.count(len(made.files), 'kept file')}, {decimal(sum(made.files.values()))}."
    )
    if made.lost:
        messages.note(
            f"Missing or damaged, and so not in it: {', '.join(f'{digest[:12]}…' for digest in made.lost)}. "
            "`camlucida store verify --mend` says whose they are, and makes again what it can."
        )
        raise typer.Exit(1)


@app.command(epilog="Example: camlucida store restore /mnt/backup/camlucida --home new-home")
def restore(
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", help="A folder of backups: the newest is taken; or one of them.")
    ],
    home: HomeOption = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only read the backup: is it whole?")] = False,
) -> None:
    """Make a home of a backup, where there is none; every file is checked."""
    found = backups.find(folder)
    what = f"The backup of {found.created}, by camlucida {found.version}"
    if dry_run:
        with _bytes("Reading") as tell:
            wrong = backups.check(found, tell)
        messages.say(f"{what}: {messages.count(len(found.files), 'kept file')}, {len(wrong)} wrong.")
        if wrong:
            raise typer.Exit(1)
        return
    target = home or settings().home
    with _bytes("Copying") as tell, closing(backups.restore(found, target, operator(), tell)):
        messages.say(f"{what} is in {target}: {messages.count(len(found.files), 'kept file')}.")


@contextmanager
def _alone(home: Path | None) -> Iterator[Home]:
    """The home, while no other command removes, checks or copies its files."""
    with closing(open_store(home)) as opened, turn(opened, lambda _: True, UPKEEP) as mine:
        if not mine:
            raise StoreError(
                "Another `camlucida store` command is at work in this store; wait until it has ended."
            )
        yield opened


@contextmanager
def _bytes(description: str) -> Iterator[Callable[[int, int], None]]:
    """A progress bar that counts megabytes."""
    with messages.progress() as bar:
        task = bar.add_task(f"{description} (MB)", total=None)
        yield lambda done, total: bar.update(task, completed=done // STEP, total=-(-total // STEP))


def _copy_files(home: Home, url: str) -> None:
    target = open_blobs(home.folder / "blobs", url)
    files = dict(home.blobs.sizes())
    total, done = sum(files.values()), 0
    with _bytes("Copying") as tell:
        for size in copying.copy_files(home.blobs, target, files):
            done += size
            tell(done, total)
    messages.say(f"{messages.count(len(files), 'kept file')} at {url}, {decimal(total)}.")


def _row(study: sizes.StudySize) -> tuple[object, ...]:
    return (
        messages.short(study.key),
        study.study_date,
        study.description,
        study.images,
        decimal(study.originals),
        decimal(study.pixels),
        decimal(study.evidence),
        decimal(study.results),
    )
