"""`camlucida serve`: show the studies of the store in the browser. Loads no torch."""

from contextlib import closing
from pathlib import Path
from typing import Annotated

import typer

from camlucida.cli import messages
from camlucida.settings import settings
from camlucida.store import explanations
from camlucida.store.home import Home
from camlucida.web import serving
from camlucida.web.ohif import app_folder

app = typer.Typer(add_completion=False)


@app.command()
def serve(
    home: Annotated[
        Path | None,
        typer.Option(help="Folder of the station; by default CAMLUCIDA_HOME.", show_default=False),
    ] = None,
    host: Annotated[
        str | None, typer.Option(help="Address to listen on; by default loopback.", show_default=False)
    ] = None,
    port: Annotated[
        int | None,
        typer.Option(min=0, max=65535, help="Port; if it is taken, the next free one.", show_default=False),
    ] = None,
    browser: Annotated[bool, typer.Option("--browser", help="Open the page in a browser.")] = False,
    ohif: Annotated[
        Path | None,
        typer.Option(help="Folder of an unpacked OHIF to show under /ohif/, too.", show_default=False),
    ] = None,
    new_token: Annotated[
        bool, typer.Option("--new-token", help="Print a new sign-in link for a running server, and end.")
    ] = False,
) -> None:
    """Show the studies of the store in the browser, until Ctrl-C."""
    with closing(Home.open(home or settings().home)) as opened:
        if new_token:
            url = settings().public_url or serving.running_url(opened) or _url(host, port)
            messages.say(serving.sign_in_link(opened, url))
            return
        waiting = explanations.count_waiting(opened)
        if waiting:
            words = messages.count(waiting, "explanation")
            messages.note(f"{words} waiting; `camlucida import --home {opened.folder}` computes them.")
        show(opened, host, port, browser=browser, ohif=ohif)


def show(home: Home, host: str | None, port: int | None, *, browser: bool, ohif: Path | None = None) -> None:
    """Serve a home until Ctrl-C or SIGTERM, after saying where."""
    if ohif is not None:
        ohif = app_folder(ohif)  # told before anything is opened
    wanted = settings().port if port is None else port
    address = serving.listen(host or settings().host, wanted)
    got = address.listening.getsockname()[1]
    if wanted not in {0, got}:
        messages.note(f"Port {wanted} is taken; this station listens on port {got}.")

    def ready(link: str) -> None:
        messages.say(f"Open {link}")
        if ohif is not None:
            messages.say(f"Then OHIF shows the same studies: {link.partition('/sign-in')[0]}/ohif/")
        messages.note("The link signs in once. Ctrl-C ends the station.")
        if browser:
            serving.open_browser(link)

    serving.serve(home, address, ready, ohif=ohif)
    messages.note("The station has ended.")


def _url(host: str | None, port: int | None) -> str:
    return f"http://{host or settings().host}:{settings().port if port is None else port}"
