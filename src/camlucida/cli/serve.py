"""`camlucida serve`: the whole station: shows, receives, works and sends. Loads no torch itself."""

import errno
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from camlucida.cli import messages
from camlucida.cli.options import HomeOption
from camlucida.errors import InvalidConfiguration
from camlucida.jobs.crew import Crew
from camlucida.models.description import describe_all
from camlucida.pacs.audit_keeper import AuditKeeper
from camlucida.pacs.configuration import Listening, read_configuration
from camlucida.settings import settings
from camlucida.store import explanations
from camlucida.store.audit import events, settings_told
from camlucida.store.home import Home
from camlucida.web import ohif as ohif_app
from camlucida.web import serving
from camlucida.web.dicomweb.addresses import PREFIX

if TYPE_CHECKING:
    from camlucida.pacs.receive import Receiver

app = typer.Typer(add_completion=False)

SENDING_GRACE = 5.0  # seconds for the instance that is being sent, when the station ends


@app.command()
def serve(
    context: typer.Context,
    home: HomeOption = None,
    host: Annotated[
        str | None, typer.Option(help="Address to listen on; by default loopback.", show_default=False)
    ] = None,
    port: Annotated[
        int | None,
        typer.Option(min=0, max=65535, help="Port; if it is taken, the next free one.", show_default=False),
    ] = None,
    browser: Annotated[bool, typer.Option("--browser", help="Open the page in a browser.")] = False,
    new_token: Annotated[
        bool, typer.Option("--new-token", help="Print a new sign-in link for a running server, and end.")
    ] = False,
    dicom: Annotated[
        bool, typer.Option(help="Receive by C-STORE, watch folders, send results: see pacs.toml.")
    ] = True,
    dicom_port: Annotated[
        int | None,
        typer.Option(
            min=0, max=65535, help="Port of C-STORE; by default that of pacs.toml.", show_default=False
        ),
    ] = None,
    work: Annotated[bool, typer.Option(help="Read, explain and write the results of what arrives.")] = True,
    ohif: Annotated[
        Path | None,
        typer.Option(help="Folder of an unpacked OHIF to show under /ohif/, too.", show_default=False),
    ] = None,
) -> None:
    """Show the studies of the store in the browser, and take part in DICOM, until Ctrl-C.

    What other nodes send by C-STORE or STOW-RS, and what lies in watched folders, is read, explained and
    written as result objects in a process of its own, by the rules of pacs.toml in the home folder.
    """
    with closing(Home.open(home or settings().home)) as opened:
        if new_token:
            url = settings().public_url or serving.running_url(opened) or _url(host, port)
            messages.say(serving.sign_in_link(opened, url))
            return
        messages.hush_libraries()
        app_folder = ohif_app.app_folder(ohif) if ohif else None
        with ExitStack() as running:
            listening = running.enter_context(_dicom(opened, dicom_port)) if dicom else []
            running.enter_context(_audited(opened))
            if work:
                explanations.retry(opened)
                running.enter_context(worker(opened, verbose=context.find_root().params["verbose"]))
            else:
                _tell_what_waits(opened)
            show(opened, host, port, browser=browser, listening=listening, ohif=app_folder, works=work)


def show(
    home: Home,
    host: str | None,
    port: int | None,
    *,
    browser: bool,
    listening: Sequence[str] = (),
    ohif: Path | None = None,
    works: bool = False,
) -> None:
    """Serve a home until Ctrl-C or SIGTERM, after saying where; `listening` are lines to say with it."""
    wanted = settings().port if port is None else port
    address = serving.listen(host or settings().host, wanted)
    got = address.listening.getsockname()[1]
    if wanted not in {0, got}:
        messages.note(f"Port {wanted} is taken; this station listens on port {got}.")

    def ready(link: str) -> None:
        messages.say(f"Open {link}")
        shown = settings().public_url or address.url
        for line in (*listening, f"DICOMweb: {shown}{PREFIX}"):
            messages.say(line)
        if ohif:
            messages.say(f"OHIF: {shown}{ohif_app.PREFIX}/ (after signing in)")
        once = "" if link == shown else "The link signs in once. "
        messages.note(f"{once}Ctrl-C ends the station.")
        if browser:
            serving.open_browser(link)

    serving.serve(home, address, ready, ohif=ohif, described=partial(describe_all, home.folder), works=works)
    messages.note("The station has ended.")


@contextmanager
def _audited(home: Home) -> Iterator[None]:
    """Note the settings, sign checkpoints and tell a syslog server while the block runs."""
    settings_told.tell(home, settings(), events.operator())
    keeper = AuditKeeper(home, url=settings().audit_syslog)
    keeper.start()
    try:
        yield
    finally:
        keeper.stop()


@contextmanager
def _dicom(home: Home, port: int | None) -> Iterator[list[str]]:
    """Receive and send while the block runs; the lines that say where."""
    from camlucida.pacs.receive import Receiver  # noqa: PLC0415 - pynetdicom: not for --new-token
    from camlucida.pacs.send import Sender  # noqa: PLC0415
    from camlucida.pacs.watched_folder import WatchedFolders  # noqa: PLC0415

    configuration = read_configuration(home.folder)
    listen = configuration.listen
    if port is not None:
        listen = listen.model_copy(update={"port": port})
    chosen = port is not None or "port" in listen.model_fields_set
    receiver, sender = Receiver(home, listen), Sender(home, configuration)
    with ExitStack() as running:
        lines = _start(receiver, listen, chosen=chosen)
        running.callback(receiver.stop)
        if listen.folders:
            running.enter_context(WatchedFolders(home, listen.folders))
            lines.append(f"Watching {messages.count(len(listen.folders), 'folder')}.")
        sender.start()
        running.callback(sender.stop, SENDING_GRACE)
        yield lines


def _start(receiver: "Receiver", listen: Listening, *, chosen: bool) -> list[str]:
    """Listen, and say where. A taken port that nobody has chosen leaves the rest of the station as it is."""
    try:
        receiver.start()
    except InvalidConfiguration as error:
        cause = error.__cause__
        if chosen or not isinstance(cause, OSError) or cause.errno != errno.EADDRINUSE:
            raise
        messages.note(
            f"Port {listen.port} is taken, so nothing is received by C-STORE; --dicom-port or pacs.toml "
            "chooses another."
        )
        return []
    return [f"DICOM: {listen.ae_title} at {listen.host}:{receiver.port}"]


@contextmanager
def worker(home: Home, *, verbose: bool = False) -> Iterator[None]:
    """Have `camlucida work` run beside this process while the block runs."""
    crew = Crew(home, verbose=verbose)
    crew.start()
    try:
        yield
    finally:
        crew.stop()


def _tell_what_waits(home: Home) -> None:
    waiting = explanations.count_waiting(home)
    if waiting:
        words = messages.count(waiting, "explanation")
        messages.note(f"{words} waiting; `camlucida work --home {home.folder}` computes them.")


def _url(host: str | None, port: int | None) -> str:
    scheme = "https" if settings().tls_certificate else "http"
    return f"{scheme}://{host or settings().host}:{settings().port if port is None else port}"
