"""`camlucida fetch`: a study and its priors from a PACS into the store."""

import sys
import tomllib
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import Annotated

import typer

from camlucida.cli import messages
from camlucida.cli.interruption import stopping_between_steps
from camlucida.cli.options import HomeOption
from camlucida.errors import InputError
from camlucida.pacs.configuration import Configuration, Destination, read_configuration
from camlucida.pacs.fetch import Got, Way, fetch
from camlucida.pacs.search import Query, Study, find_priors, find_studies
from camlucida.pacs.send import destination_named
from camlucida.settings import settings
from camlucida.store.home import Home

app = typer.Typer(add_completion=False)

QUERY_BYTES = 100_000
QUERY_WORDS = {"study": "study_instance_uid", "accession": "accession_number", "patient-id": "patient_id"}


@app.command("fetch")
def fetch_(
    from_: Annotated[str, typer.Option("--from", help="A destination in pacs.toml.", show_default=False)],
    study: Annotated[str, typer.Option(help="Study Instance UID.", show_default=False)] = "",
    accession: Annotated[str, typer.Option(help="Accession number.", show_default=False)] = "",
    patient_id: Annotated[str, typer.Option(help="Patient ID: all studies.", show_default=False)] = "",
    query: Annotated[
        Path | None,
        typer.Option(
            help="A TOML file with `study`, `accession` or `patient-id`, or `-` for stdin: others on this "
            "machine can read a command line.",
            show_default=False,
        ),
    ] = None,
    priors: Annotated[int, typer.Option(min=0, max=50, help="So many earlier studies, too.")] = 0,
    modality: Annotated[
        str, typer.Option(help="Only series of this modality (CR, DX, CT, …).", show_default=False)
    ] = "",
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be fetched, and fetch nothing.")
    ] = False,
    home: HomeOption = None,
) -> None:
    """Fetch a study and its priors: by QIDO-RS and WADO-RS, or by C-FIND and C-GET, or C-MOVE.

    The running station explains what was fetched; without it `camlucida import` without files does.
    Priors are earlier studies of the same patient with a modality and a body part in common, newest first.
    """
    messages.hush_libraries()
    given = {"study_instance_uid": study, "accession_number": accession, "patient_id": patient_id}
    given |= _of_file(query) if query else {}
    asked = Query(**given, modality=modality)
    with closing(Home.open(home or settings().home)) as opened:
        configuration = read_configuration(opened.folder)
        source = destination_named(configuration, from_)
        found = find_studies(source, asked)
        wanted = [*found, *_priors(source, found, priors)]
        if not wanted:
            messages.complain(f"{from_} has no such study.")
            raise typer.Exit(1)
        _list(wanted, found)
        if dry_run:
            return
        got = _fetch(opened, configuration, from_, wanted, modality)
    if not _tell(got):
        raise typer.Exit(1)


def _of_file(path: Path) -> dict[str, str]:
    """What a query file says; the sentence of an error does not repeat it."""
    content = sys.stdin.buffer.read(QUERY_BYTES) if str(path) == "-" else path.read_bytes()[:QUERY_BYTES]
    try:
        said = tomllib.loads(content.decode("utf-8"))
    except (UnicodeDecodeError, tomllib.TOMLDecodeError):
        raise InputError('The query is not TOML, such as `patient-id = "…"`.') from None
    if not set(said) <= set(QUERY_WORDS) or not all(isinstance(value, str) for value in said.values()):
        raise InputError(f"A query has {', '.join(QUERY_WORDS)}, each a text in quotes.")
    return {QUERY_WORDS[word]: value for word, value in said.items()}


def _priors(source: Destination, found: list[Study], number: int) -> list[Study]:
    known = {study.uid for study in found}
    priors = {prior.uid: prior for study in found for prior in find_priors(source, study, number)}
    return [prior for uid, prior in priors.items() if uid not in known]


def _list(wanted: list[Study], found: list[Study]) -> None:
    rows = [
        (
            "study" if study in found else "prior",
            study.date,
            ", ".join(study.modalities),
            "" if study.instances is None else study.instances,
        )
        for study in wanted
    ]
    messages.table("Found", ["what", "date", "modalities", "instances"], rows, right=1)


def _fetch(
    home: Home, configuration: Configuration, name: str, wanted: list[Study], modality: str
) -> Counter[Got]:
    source = destination_named(configuration, name)
    counts = [study.instances for study in wanted]
    total = None if modality or None in counts else sum(count or 0 for count in counts)
    ways: list[Way] = []
    got: Counter[Got] = Counter()
    with messages.progress() as bar, stopping_between_steps() as check:
        task = bar.add_task(f"Fetching from {name}", total=total)
        for study in wanted:
            coming = fetch(
                home, source, study, configuration.listen, name=name, modality=modality, told=ways.append
            )
            for one in coming:
                got[one] += 1
                bar.advance(task)
                check()
    messages.note(f"By {', '.join(dict.fromkeys(ways))}.")
    return got


def _tell(got: Counter[Got]) -> bool:
    """What came of it; whether all was fetched."""
    failed = 0
    for one, number in got.items():
        if one.kept is None:
            failed += number
        if one.reason:
            messages.complain(f"{messages.count(number, 'instance')}: {one.reason}")
    kept = Counter({one.kept: 0 for one in got})
    for one, number in got.items():
        kept[one.kept] += number
    words = [f"{number} {state}" for state, number in kept.items() if state is not None]
    messages.say(f"{', '.join(words) or 'Nothing'} fetched, {failed} failed.")
    return bool(words) and not failed
