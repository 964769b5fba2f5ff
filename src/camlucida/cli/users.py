"""`camlucida users`: who signs in with a name and a password, and as what. Loads no torch."""

import getpass
import sys
from contextlib import closing
from typing import Annotated

import typer

from camlucida.cli import messages
from camlucida.cli.opening import open_store
from camlucida.cli.options import HomeOption
from camlucida.errors import StoreError
from camlucida.records.role import Role
from camlucida.settings import settings
from camlucida.store.audit.events import operator
from camlucida.store.home import Home
from camlucida.store.people import users as kept
from camlucida.store.people import visits

app = typer.Typer(add_completion=False)

Name = Annotated[str, typer.Argument(help="What the user signs in as, and is called in the audit trail.")]
Roles = Annotated[list[Role], typer.Argument(help="One or more of: " + ", ".join(Role) + ".")]


@app.callback()
def users() -> None:
    """Add users, give them roles, disable them, and say who is signed in.

    A reader looks at studies, flags maps and asks for explanations; a scientist resolves flags, too; an
    auditor looks and reads the station's figures; an operator stores studies and sees to the work; an admin
    may do everything. Passwords are asked for, or read from a pipe: never written into the command.
    """


@app.command(epilog="Example: camlucida users add eva reader scientist")
def add(name: Name, roles: Roles, home: HomeOption = None) -> None:
    """Add a user."""
    kept.refuse_name(name)
    with closing(Home.open(home or settings().home)) as opened:
        kept.add(opened, name, _password(), roles, operator())
    messages.note(f"“{name}” can sign in at the station's page.")


@app.command("list", epilog="Example: camlucida users list")
def list_(home: HomeOption = None) -> None:
    """Say which users there are, as what, and how many browsers of each are signed in."""
    with closing(open_store(home)) as opened:
        rows = kept.all_users(opened)
        signed = [row.user_id for row in visits.all_visits(opened)]
    messages.table(
        "Users",
        ["name", "roles", "may sign in", "added", "signed in"],
        [
            (
                row.name,
                " ".join(row.roles),
                "no" if row.disabled else "yes",
                messages.moment(row.created),
                number,
            )
            for row in rows
            for number in [signed.count(row.id)]
        ],
        right=1,
    )


@app.command(epilog="Example: camlucida users roles eva reader auditor")
def roles(name: Name, roles: Roles, home: HomeOption = None) -> None:
    """Give a user other roles, at once."""
    with closing(open_store(home)) as opened:
        kept.set_roles(opened, name, roles, operator())
    messages.note(f"“{name}” is {', '.join(roles)} from now on.")


@app.command(epilog="Example: camlucida users password eva")
def password(name: Name, home: HomeOption = None) -> None:
    """Give a user another password; browsers that are signed in are signed out."""
    with closing(open_store(home)) as opened:
        kept.set_password(opened, name, _password(), operator())
    messages.note(f"“{name}” has another password, and is signed out.")


@app.command(epilog="Example: camlucida users disable eva")
def disable(name: Name, home: HomeOption = None) -> None:
    """Sign a user out everywhere, and let them sign in no more; what they did stays."""
    with closing(open_store(home)) as opened:
        ended = kept.set_disabled(opened, name, disabled=True, by=operator())
    messages.note(f"“{name}” may not sign in any more; {messages.count(ended, 'browser')} signed out.")


@app.command(epilog="Example: camlucida users enable eva")
def enable(name: Name, home: HomeOption = None) -> None:
    """Let a disabled user sign in again."""
    with closing(open_store(home)) as opened:
        kept.set_disabled(opened, name, disabled=False, by=operator())
    messages.note(f"“{name}” may sign in again.")


@app.command("signed-in", epilog="Example: camlucida users signed-in")
def signed_in(home: HomeOption = None) -> None:
    """Say which browsers are signed in, since when and until when."""
    with closing(open_store(home)) as opened:
        rows = visits.all_visits(opened)
    messages.table(
        "Signed in",
        ["who", "since", "until"],
        [
            (
                row.user.name if row.user else visits.BROWSER,
                messages.moment(row.created),
                messages.moment(row.expires),
            )
            for row in rows
        ],
    )


@app.command("sign-out", epilog="Example: camlucida users sign-out eva")
def sign_out(
    name: Annotated[
        str | None,
        typer.Argument(help="Whom; `browser` is who came by a one-time link. By default everybody."),
    ] = None,
    home: HomeOption = None,
) -> None:
    """Sign browsers out at once."""
    with closing(open_store(home)) as opened:
        ended = visits.end_all(opened, operator(), name)
    messages.note(f"{messages.count(ended, 'browser')} signed out.")


def _password() -> str:
    """Typed twice without being shown; or the first line of a pipe.

    Raises
    ------
    StoreError
        The two differ.
    """
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\r\n")
    typed = getpass.getpass("Password: ")
    if getpass.getpass("Once more: ") != typed:
        raise StoreError("The two passwords differ; nothing was changed.")
    return typed
