"""`camlucida audit`: what happened at the station, and what was seen. Loads no torch."""

import typer

from camlucida.cli import audit_replay

app = typer.Typer(add_completion=False)


@app.callback()
def audit() -> None:
    """Say what happened at the station, and draw again what was seen."""


app.command(epilog=audit_replay.EXAMPLE)(audit_replay.replay)
