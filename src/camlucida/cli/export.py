"""`camlucida export`: the results of studies as DICOM files."""

import shutil
import tempfile
from collections.abc import Sequence
from contextlib import closing
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.filesize import decimal

from camlucida.cli import messages
from camlucida.cli.interruption import stopping_between_steps
from camlucida.cli.options import HomeOption, ResultMethods, Studies
from camlucida.cli.sharing import KeyFile, PixelsChecked, Retain, sharing_of
from camlucida.cli.writing import whole
from camlucida.dicom.deidentifying.deidentify import Sharing, deidentify
from camlucida.errors import InputError
from camlucida.pacs.export import Export, LeftOut, export, folder_name
from camlucida.records import EventKind, ViewState
from camlucida.settings import settings
from camlucida.store.audit import events
from camlucida.store.home import Home
from camlucida.store.studies import find_study

app = typer.Typer(add_completion=False)


class Profile(StrEnum):
    """Which objects are written."""

    CLINICAL = "clinical"
    RESEARCH = "research"
    OHIF = "ohif"


@app.command("export")
def export_(
    studies: Studies,
    out: Annotated[
        Path,
        typer.Option("--out", "-o", help="Folder for the files, one folder a study.", show_default=False),
    ],
    profile: Annotated[Profile, typer.Option(help="Which objects are written.")] = Profile.CLINICAL,
    finding: Annotated[
        list[str] | None,
        typer.Option(
            help="A finding to write; may be given several times; by default those that reach their "
            "operating point.",
            show_default=False,
        ),
    ] = None,
    method: ResultMethods = None,
    originals: Annotated[
        bool, typer.Option("--originals", help="Write the study's own files beside them.")
    ] = False,
    deidentified: Annotated[
        bool,
        typer.Option(
            "--deidentify",
            help="Write copies without identity, named by new UIDs; see `camlucida deidentify`.",
        ),
    ] = False,
    retain: Retain = None,
    key: KeyFile = None,
    pixels_checked: PixelsChecked = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be written, and write nothing.")
    ] = False,
    home: HomeOption = None,
) -> None:
    """Write the results of studies as DICOM files: `clinical` (Secondary Captures and a report), `research`
    (all kinds) or `ohif`.

    The files' names hold no patient data; their content does, unless it is told to `--deidentify`. A file is
    whole or not there.
    """
    if not deidentified and (retain or key or pixels_checked):
        raise typer.BadParameter("--retain, --key and --pixels-checked say how to --deidentify; add it.")
    sharing = sharing_of(retain, key, pixels_checked=pixels_checked) if deidentified else None
    messages.hush_libraries()
    with closing(Home.open(home or settings().home)) as opened:
        with opened.database.read() as session:
            found = [find_study(session, name) for name in studies]
            chosen = {study.id: folder_name(study) for study in found}
        written: list[tuple[str, str, int]] = []
        left_out: list[LeftOut] = []
        with messages.progress() as bar, stopping_between_steps() as check:
            task = bar.add_task("Writing", total=None)
            if not dry_run:
                _note(opened, [study.key for study in found], profile, deidentified=deidentified)
            for study_id, folder in chosen.items():
                files = export(
                    opened, study_id, profile, finding or (), methods=method or (), originals=originals
                )
                for one in files:
                    if isinstance(one, LeftOut):
                        left_out.append(one)
                        continue
                    try:
                        written.append(_write(one, out, folder, sharing, dry_run=dry_run))
                    except InputError as error:
                        left_out.append(LeftOut(one.kind, one.about, str(error)))
                    bar.advance(task)
                    check()
    _tell(written, left_out, dry_run=dry_run)


def _note(home: Home, keys: Sequence[str], profile: Profile, *, deidentified: bool) -> None:
    """Before the first file is there: a stop half-way leaves no file that the trail does not tell of."""
    view: ViewState = {"what": "results", "profile": profile.value, "deidentified": deidentified}
    with home.database.write() as session:
        for key in dict.fromkeys(keys):
            events.note(session, EventKind.EXPORTED, events.operator(), view, study=key)


def _write(
    one: Export, out: Path, folder: str, sharing: Sharing | None, *, dry_run: bool
) -> tuple[str, str, int]:
    """Write one file; its name within `out`, what it is about, and its size in bytes."""
    name = f"{folder}/{one.name}"
    if dry_run:
        return name, one.about, one.size
    if sharing is None:
        return name, one.about, _write_as_it_is(one, out / name)
    shared = _write_deidentified(one, out, sharing)
    return str(shared.relative_to(out)), one.about, shared.stat().st_size


def _write_deidentified(one: Export, out: Path, sharing: Sharing) -> Path:
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / one.name
        if isinstance(one.content, Path):
            source.symlink_to(one.content.resolve())
        else:
            source.write_bytes(one.content)
        shared = deidentify(source, out, sharing, ours=one.kind != "original")
    for note in shared.notes:
        messages.note(f"{shared.path}: {note}")
    return shared.path


def _write_as_it_is(one: Export, path: Path) -> int:
    with whole(path) as unfinished:
        if isinstance(one.content, Path):
            shutil.copyfile(one.content, unfinished)
        else:
            unfinished.write_bytes(one.content)
    return one.size


def _tell(written: Sequence[tuple[str, str, int]], left_out: Sequence[LeftOut], *, dry_run: bool) -> None:
    """A table of what was written for each folder in `--out`, and what was not."""
    said = "Would be written to" if dry_run else "Written to"
    for folder in dict.fromkeys(name.partition("/")[0] for name, _, _ in written):
        messages.table(
            f"{said} {folder}/",
            ["file", "about", "size"],
            [
                (name.partition("/")[2], about, decimal(size))
                for name, about, size in written
                if name.partition("/")[0] == folder
            ],
            right=1,
        )
    for one in dict.fromkeys(left_out):
        messages.complain(f"{one.kind}: {one.reason}" if one.kind != "all" else one.reason)
    if left_out:
        raise typer.Exit(1)
