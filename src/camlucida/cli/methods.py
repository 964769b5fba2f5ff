"""`camlucida methods`."""

import typer

from camlucida.cli import messages
from camlucida.records import Unit

app = typer.Typer(add_completion=False)

_UNITS = {
    Unit.LOGIT: "logits",
    Unit.RELATIVE: "a pattern",
}


@app.command()
def methods() -> None:
    """List the methods with what each is good for."""
    from camlucida.saliency.methods import METHODS  # noqa: PLC0415 - loads torch, which --help does not need

    rows = [
        (key, method.paper, _UNITS[method.unit], method.passes, method.caution)
        for key, method in METHODS.items()
    ]
    messages.table("", ("method", "paper", "values", "cost", "caution"), rows)
