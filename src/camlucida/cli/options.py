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
ResultMethods = Annotated[
    list[str] | None,
    typer.Option(
        "--method",
        help="A method whose results are meant; may be given several times; by default grad-cam, by which "
        "the station explains, and not what readers have tried.",
        show_default=False,
    ),
]
Variant = Annotated[str | None, typer.Option(help="Variant of the method, where its paper leaves a choice.")]
