"""`camlucida send`: the results of studies to a PACS."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from typing import Annotated

import typer
from pydicom.uid import UID
from rich.filesize import decimal

from camlucida.cli import messages
from camlucida.cli.export import Profile
from camlucida.cli.interruption import stopping_between_steps
from camlucida.cli.options import HomeOption, ResultMethods, Studies
from camlucida.errors import InputError
from camlucida.pacs.configuration import Destination, read_configuration
from camlucida.pacs.export import LeftOut, explained, export
from camlucida.pacs.results import write_results
from camlucida.pacs.send import destination_named, send_to
from camlucida.settings import settings
from camlucida.store import deliveries, instances
from camlucida.store.audit import events
from camlucida.store.home import Home
from camlucida.store.studies import find_study
from camlucida.store.tables import DeliveryRow, DeliveryState, Origin

app = typer.Typer(add_completion=False)


@app.command("send")
def send_(
    studies: Studies,
    to: Annotated[str, typer.Option(help="A destination in pacs.toml.", show_default=False)],
    profile: Annotated[
        Profile | None,
        typer.Option(
            help="Which objects are sent; by default as the destination's profile says.", show_default=False
        ),
    ] = None,
    method: ResultMethods = None,
    originals: Annotated[
        bool, typer.Option("--originals", help="Send the study's own instances, too.")
    ] = False,
    again: Annotated[bool, typer.Option("--again", help="Send also what was sent before.")] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be sent where; write and ask nothing.")
    ] = False,
    wait: Annotated[
        bool, typer.Option("--wait/--no-wait", help="Send now, or leave it to the running station.")
    ] = True,
    home: HomeOption = None,
) -> None:
    """Write the results of studies as DICOM objects and send them by C-STORE or STOW-RS.

    The same results are always the same objects, with the same UIDs. What cannot be sent now waits, and the
    running station tries again.
    """
    messages.hush_libraries()
    with closing(Home.open(home or settings().home)) as opened:
        destination = destination_named(read_configuration(opened.folder), to)
        kinds = (profile or Profile(destination.profile)).value
        with opened.database.read() as session:
            named = [find_study(session, name) for name in studies]
            found = {study.id: study.study_instance_uid for study in named}
        if dry_run:
            _foretell(opened, list(found), kinds, to, methods=method or (), originals=originals)
            return
        ids = _write(opened, found, kinds, methods=method or (), originals=originals)
        with opened.database.write() as session:
            new = sum(deliveries.want(session, one, to) for one in ids)
            deliveries.again(session, to, ids, even_sent=again)
        if not wait:
            words = messages.count(len(ids), "object")
            messages.say(f"{words} for {to}, {new} of them new; the running station sends them.")
            return
        _send(opened, to, destination, ids)
        with opened.database.read() as session:
            complete = _tell(to, deliveries.of_instances(session, to, ids))
    if not complete:
        raise typer.Exit(1)


def _write(
    home: Home, studies: Mapping[int, str], profile: str, *, methods: Sequence[str], originals: bool
) -> list[int]:
    """Ids of the instances to send: results, written where they are not kept yet, and originals."""
    ids: list[int] = []
    with home.database.read() as session:
        of_studies = [explained(session, study, methods) for study in studies]
        if originals:
            for uid in studies.values():
                rows = instances.of_study(session, uid)
                ids += [row.id for row in rows if row.origin != Origin.RESULT and not row.conflicting]
    wanted = [one for of_study in of_studies for one in of_study]
    if not wanted and not ids:
        raise InputError("No explanation of these studies is done; `camlucida import` computes them.")
    left_out: list[str] = []
    with messages.progress() as bar, stopping_between_steps() as check:
        for explanation_id in bar.track(wanted, description="Writing"):
            written = write_results(home, explanation_id, profile)
            ids += written.instances
            left_out += written.left_out
            check()
    for line in dict.fromkeys(left_out):
        messages.note(line)
    return list(dict.fromkeys(ids))


def _send(home: Home, name: str, destination: Destination, ids: Sequence[int]) -> None:
    with messages.progress() as bar, stopping_between_steps() as check:
        sending = send_to(home, name, destination, instance_ids=ids, who=events.operator())
        for _ in bar.track(sending, total=len(ids), description=f"Sending to {name}"):
            check()


def _tell(name: str, rows: Iterable[DeliveryRow]) -> bool:
    """A table of what came of the deliveries; whether all were sent."""
    found = Counter((row.instance.sop_class_uid, row.state, row.reason) for row in rows)
    messages.table(
        f"To {name}",
        ["object", "state", "why", "number"],
        [(UID(uid).name, state, reason, number) for (uid, state, reason), number in found.items()],
        right=1,
    )
    return all(state == DeliveryState.SENT for _, state, _ in found)


def _foretell(
    home: Home,
    studies: Iterable[int],
    profile: str,
    name: str,
    *,
    methods: Sequence[str],
    originals: bool,
) -> None:
    """A table of what would be sent."""
    rows: list[tuple[str, str, str]] = []
    for study in studies:
        for one in export(home, study, profile, methods=methods, originals=originals):
            if isinstance(one, LeftOut):
                messages.note(f"{one.kind}: {one.reason}")
                continue
            rows.append((one.kind, one.about, decimal(one.size)))
    messages.table(f"Would be sent to {name}", ["object", "about", "size"], rows, right=1)
