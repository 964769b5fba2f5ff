"""`camlucida pacs`: where results go and studies come from; what waits; what the other side takes."""

import json
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from camlucida.cli import messages
from camlucida.cli.options import HomeOption
from camlucida.dicom.header import read_header
from camlucida.errors import InvalidConfiguration
from camlucida.models.registry import Registry, shipped_models
from camlucida.pacs import configuration as files
from camlucida.pacs import routing
from camlucida.pacs.configuration import Destination, DicomWeb, Listening, Rule, read_configuration
from camlucida.settings import settings
from camlucida.store import deliveries, instances
from camlucida.store.home import Home
from camlucida.store.tables import DeliveryState

if TYPE_CHECKING:
    from camlucida.pacs.probe import Advice

app = typer.Typer(add_completion=False, no_args_is_help=True)

TEMPLATE = """\
# Where the station listens, what is for which model, and where results go.
# Lines that begin with `#` are examples: take the `#` away and put your own values in.
# `camlucida pacs show` says how it is understood. Rules and quiet_seconds are read again when they change;
# restart the station after a change of anything else.

[listen]
ae_title = "CAMLUCIDA"   # how other nodes call us
host = "127.0.0.1"       # this machine only; an address of yours lets others in, who must be named below
port = 11112
quiet_seconds = 10       # a study is complete when nothing came for so long
# peers = [{ ae_title = "CT1", address = "10.0.0.7" }]
# folders = ["/data/incoming"]

# A DICOM node: results by C-STORE, studies by C-FIND and C-GET or C-MOVE.
# [destination.archive]
# kind = "dimse"
# ae_title = "ARCHIVE"
# host = "10.0.0.20"
# port = 104
# profile = "clinical"

# A DICOMweb server: results by STOW-RS, studies by QIDO-RS and WADO-RS. Secrets stay in the environment.
# [destination.web]
# kind = "dicomweb"
# url = "https://pacs.example/dicom-web"
# token_variable = "PACS_TOKEN"
# profile = "clinical"

# The first rule that fits decides; without rules every registered model explains what it is made for.
# [[rule]]
# name = "chest films"
# modality = ["CR", "DX"]
# body_part = ["CHEST", "THORAX"]
# models = ["my-model"]  # names from `camlucida models list`
# results = "clinical"
# send_to = ["archive"]
#
# [[rule]]
# name = "everything else"
# not_for_us = "No model here is made for it."
"""


@app.callback()
def pacs() -> None:
    """Where results go and studies come from; what waits to be sent; what the other side takes."""


@app.command(epilog="Example: camlucida pacs init")
def init(home: HomeOption = None) -> None:
    """Write a commented pacs.toml into the home folder, to be edited."""
    folder = home or settings().home
    path = folder / files.FILE
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(TEMPLATE)
    except FileExistsError:
        raise InvalidConfiguration(f"{path} is there already; edit it, or move it away first.") from None
    messages.say(f"{path} is written; edit it, and see `camlucida pacs show`.")


@app.command(epilog="Example: camlucida pacs show")
def show(home: HomeOption = None) -> None:
    """Say where the station listens, which destinations and rules there are, and what waits to be sent."""
    with closing(Home.open(home or settings().home)) as opened:
        found = read_configuration(opened.folder)
        with opened.database.read() as session:
            arrived, tallies = instances.status(session), deliveries.status(session)
        models = Registry(opened.folder)
        missing = sorted({one for rule in found.rule for one in rule.models or () if not models.find(one)})
    _say_listening(found.listen)
    _table(
        "Destinations",
        ["name", "kind", "where", "profile"],
        [(name, *_described(one), one.profile) for name, one in found.destination.items()],
    )
    _table(
        "Rules",
        ["name", "models", "results", "sent to"],
        [
            (one.name, *_decided(one), ", ".join(one.send_to) or ("" if one.not_for_us else "kept here"))
            for one in found.rule
        ],
    )
    _table(
        "Received",
        ["state", "why", "instances"],
        [(one.intent, one.reason, one.number) for one in arrived],
        right=1,
    )
    _table(
        "Deliveries",
        ["destination", "state", "why", "number"],
        [(one.destination, one.state, one.reason, one.number) for one in tallies],
        right=1,
    )
    for name in missing:
        messages.note(_not_registered(name))
    for name in dict.fromkeys(one.destination for one in tallies if one.state == DeliveryState.WAITING):
        if name not in found.destination:
            messages.note(f"“{name}” is no destination any more: what waits for it is not sent.")


@app.command(epilog="Example: camlucida pacs route chest.dcm --sender ROOM3")
def route(
    paths: Annotated[list[Path], typer.Argument(metavar="FILES", help="DICOM files.", show_default=False)],
    sender: Annotated[str, typer.Option(help="As if this AE title had sent them.")] = "",
    home: HomeOption = None,
) -> None:
    """Say which rule would decide about files, and why; nothing is kept."""
    found = read_configuration(home or settings().home)
    for path in paths:
        header = read_header(path)
        reason = routing.not_an_image(header.sop_class_uid, header.attributes)
        decision = routing.decide(found, routing.facts(header.attributes, sender))
        if reason or decision.not_for_us:
            what = f"not for us: {(reason or decision.not_for_us).rstrip('.')}"
        else:
            models = "every model for such images" if decision.models is None else ", ".join(decision.models)
            results = [f"{one.profile} to {one.destination or 'this station'}" for one in decision.results]
            what = f"models: {models}; results: {', '.join(results) or 'none'}"
        messages.say(f"{path}: {what}. {'' if reason else decision.why}".rstrip())


@app.command(epilog="Example: camlucida pacs retry --to archive")
def retry(
    to: Annotated[str | None, typer.Option(help="Only to this destination.", show_default=False)] = None,
    home: HomeOption = None,
) -> None:
    """Try again at once what was given up or waits; the running station sends it."""
    from camlucida.pacs.send import destination_named  # noqa: PLC0415 - pynetdicom: 0.5 s

    with closing(Home.open(home or settings().home)) as opened:
        if to is not None:
            destination_named(read_configuration(opened.folder), to)
        with opened.database.write() as session:
            number = deliveries.again(session, to)
    messages.say(f"{messages.count(number, 'object')} to be sent now.")


@app.command(epilog="Example: camlucida pacs probe archive")
def probe(
    name: Annotated[str, typer.Argument(help="A destination in pacs.toml.", show_default=False)],
    store_phantom: Annotated[
        bool,
        typer.Option(
            "--store-phantom",
            "--stow-phantom",
            help="Store a phantom's film there, where it stays, and search for it.",
        ),
    ] = False,
    home: HomeOption = None,
) -> None:
    """Ask a destination which objects it takes, in which transfer syntaxes, and propose a profile."""
    from camlucida.pacs import probe as probing  # noqa: PLC0415 - pynetdicom: 0.5 s
    from camlucida.pacs.send import destination_named  # noqa: PLC0415
    from camlucida.pacs.verdict import Fate  # noqa: PLC0415

    messages.hush_libraries()
    destination = destination_named(read_configuration(home or settings().home), name)
    messages.say(probing.reach(destination))
    if isinstance(destination, DicomWeb):
        taken = list(probing.OBJECTS)
        messages.note("STOW-RS negotiates nothing: what a server refuses is told when it is sent.")
    else:
        table = probing.accepted(destination)
        taken = [one for one, syntaxes in table.items() if syntaxes]
        messages.table(
            f"What {destination.ae_title} takes",
            ["object", "transfer syntaxes"],
            [(probing.OBJECTS[one][0], ", ".join(syntaxes) or "none") for one, syntaxes in table.items()],
        )
    failed = False
    if store_phantom:
        verdict, found = probing.store_phantom(destination)
        failed = verdict.fate is not Fate.KEPT
        where = "and is found there" if found else "and is not found by a search"
        messages.say(
            f"The phantom was not stored: {verdict.reason}" if failed else f"The phantom is stored {where}."
        )
    _propose(name, destination, probing.advise(taken))
    if failed:
        raise typer.Exit(1)


def _propose(name: str, destination: Destination, advice: "Advice") -> None:
    for reason in advice.reasons:
        messages.say(reason)
    if advice.profile is None:
        return
    keys = destination.model_dump(mode="json", exclude_unset=True) | {"profile": advice.profile}
    lines = [f"{key} = {_toml(value)}" for key, value in keys.items()]
    messages.say("\n".join([f"\n[destination.{name}]", *lines]))


def _toml(value: Any) -> str:
    if isinstance(value, dict):
        return (
            "{ " + ", ".join(f"{key} = {_toml(one)}" for key, one in value.items() if one is not None) + " }"
        )
    return json.dumps(value, ensure_ascii=False)  # texts, numbers and booleans are written alike


def _table(title: str, columns: Sequence[str], rows: Sequence[Sequence[object]], *, right: int = 0) -> None:
    if rows:
        messages.table(title, columns, rows, right=right)
    else:
        messages.say(f"{title}: none")


def _say_listening(listen: Listening) -> None:
    tls = " with TLS" if listen.tls else ""
    messages.say(f"Listening: {listen.ae_title} at {listen.host}:{listen.port}{tls}")
    peers = [f"{one.ae_title} from {one.address}" if one.address else one.ae_title for one in listen.peers]
    messages.say(f"May send: {', '.join(peers) or 'whoever reaches this address'}")
    messages.say(f"A study is complete when nothing of it has come for {listen.quiet_seconds:g} s.")
    for folder in listen.folders:
        messages.say(f"Watching: {folder}")


def _decided(rule: Rule) -> tuple[str, str]:
    """The models that a rule asks, and the results that it wants."""
    if rule.not_for_us:
        return "none", f"not for us: {rule.not_for_us}"
    if rule.results is None:
        default = "as the destination's profile" if rule.send_to else "clinical"
        return _asked(rule), default
    return _asked(rule), rule.results


def _asked(rule: Rule) -> str:
    return ", ".join(rule.models) if rule.models else "all that are for it"


def _not_registered(name: str) -> str:
    if name in shipped_models():
        return f"The model “{name}” is registered when the station begins to work."
    return (
        f"The model “{name}” is not registered: what the rules have for it waits; "
        "`camlucida models add FOLDER` adds it."
    )


def _described(destination: Destination) -> tuple[str, str]:
    if isinstance(destination, DicomWeb):
        return "DICOMweb", destination.url
    tls = " with TLS" if destination.tls else ""
    return "DIMSE", f"{destination.ae_title} at {destination.host}:{destination.port}{tls}"
