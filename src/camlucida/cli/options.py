"""Options that several commands have, said once."""

from typing import Annotated

import typer

Model = Annotated[
    str, typer.Option("--model", "-m", help="A registered or shipped model, or a model's folder.")
]
Method = Annotated[str, typer.Option(help="How the maps are computed; see `camlucida methods`.")]
Variant = Annotated[str | None, typer.Option(help="Variant of the method, where its paper leaves a choice.")]
