"""`camlucida tokens`: who may use the station without a browser. Loads no torch."""

from contextlib import closing
from datetime import datetime
from typing import Annotated

import typer

from camlucida.cli import messages
from camlucida.cli.opening import open_store
from camlucida.cli.options import HomeOption
from camlucida.records.role import Role
from camlucida.settings import settings
from camlucida.store.home import Home
from camlucida.store.people import access_tokens

app = typer.Typer(add_completion=False)

Name = Annotated[str, typer.Argument(help="What the token is called, such as the program's name.")]


@app.callback()
def tokens() -> None:
    """Add, list and revoke tokens with which programs use the station.

    A program (a DICOMweb client, OHIF, a PACS) sends `Authorization: Bearer TOKEN`, or the token as the
    password of HTTP Basic.
    """


@app.command(epilog="Example: camlucida tokens add ohif --days 90")
def add(
    name: Name,
    may_store: Annotated[
        bool, typer.Option("--may-store", help="Short for --role reader --role operator.")
    ] = False,
    role: Annotated[
        list[Role] | None,
        typer.Option(help="What the program may do; repeat it for several. By default reader."),
    ] = None,
    days: Annotated[
        float | None,
        typer.Option(
            min=0.001, max=36500, help="Days until it expires; by default never.", show_default=False
        ),
    ] = None,
    home: HomeOption = None,
) -> None:
    """Print a new token, once: the station keeps only its digest.

    A reader looks at studies and asks for maps; an operator stores studies (STOW-RS) and sees to the work; a
    scientist resolves flags; an auditor looks and reads the station's figures; an admin may do everything.
    """
    roles = {*(role or ()), *((Role.READER, Role.OPERATOR) if may_store else ())} or {Role.READER}
    with closing(Home.open(home or settings().home)) as opened:
        messages.say(access_tokens.add(opened, name, roles, days=days))
    messages.note("It is shown only now. `camlucida tokens revoke` ends it.")


@app.command("list", epilog="Example: camlucida tokens list")
def list_(home: HomeOption = None) -> None:
    """Say which tokens there are, what each allows, and when it was last used."""
    with closing(open_store(home)) as opened:
        rows = access_tokens.all_tokens(opened)
    messages.table(
        "Access tokens",
        ["name", "roles", "expires", "created", "last used"],
        [
            (
                row.name,
                " ".join(row.roles),
                _moment(row.expires, "never"),
                messages.moment(row.created),
                _moment(row.used, "not yet"),
            )
            for row in rows
        ],
    )


@app.command(epilog="Example: camlucida tokens revoke ohif")
def revoke(name: Name, home: HomeOption = None) -> None:
    """End a token at once."""
    with closing(open_store(home)) as opened:
        access_tokens.revoke(opened, name)
    messages.note(f"The token “{name}” opens nothing any more.")


def _moment(moment: datetime | None, otherwise: str) -> str:
    return otherwise if moment is None else messages.moment(moment)
