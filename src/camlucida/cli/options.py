"""Options that several commands have, said once."""

from pathlib import Path
from typing import Annotated

import typer

HomeOption = Annotated[
    Path | None,
    typer.Option("--home", help="Folder of the station; by default CAMLUCIDA_HOME.", show_default=False),
]
Studies = Annotated[
    list[str],
    typer.Argument(
        help="Keys (or their first 6 characters or more), Study Instance UIDs or accession numbers.",
        show_default=False,
    ),
]
Model = Annotated[
    str, typer.Option("--model", "-m", help="A registered or shipped model, or a model's folder.")
]
Method = Annotated[str, typer.Option(help="How the maps are computed; see `camlucida methods`.")]
Variant = Annotated[str | None, typer.Option(help="Variant of the method, where its paper leaves a choice.")]
