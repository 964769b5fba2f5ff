"""`camlucida audit replay`: the picture that somebody saw, drawn again."""

from contextlib import closing
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from camlucida.cli import messages
from camlucida.cli.opening import open_store
from camlucida.cli.options import HomeOption
from camlucida.cli.writing import whole
from camlucida.rendering.look import PLANES
from camlucida.store.audit.replay import replay as draw_again
from camlucida.store.audit.replay import seen_at

EXAMPLE = "Example: camlucida audit replay 4711 --out seen.png"


class Across(StrEnum):
    """The three planes of a volume, by the name of their index."""

    SLICE, ROW, COLUMN = PLANES


def replay(
    event: Annotated[str, typer.Argument(help="Its number in the trail, or its key.", show_default=False)],
    out: Annotated[Path, typer.Option("--out", "-o", help="The PNG to write.", show_default=False)],
    plane: Annotated[
        Across | None,
        typer.Option(help="Of a volume, the plane through this index.", show_default="as it was seen"),
    ] = None,
    home: HomeOption = None,
) -> None:
    """Draw again the picture that somebody saw: the kept map of then over the kept pixels.

    One pixel of the picture for each of the image, without zoom and without what was written over it; the
    same event gives the same bytes. Where the map of then is no longer kept, there is no picture.
    """
    axis = None if plane is None else PLANES.index(plane)
    with closing(open_store(home)) as opened:
        replayed = draw_again(opened, seen_at(opened, event), axis)
    with whole(out) as unfinished:
        unfinished.write_bytes(replayed.png())
    messages.facts("What was seen", replayed.origin.items())
    for remark in replayed.remarks:
        messages.note(remark)
    messages.say(f"Kept in {out}.")
    messages.note(messages.NOTICE)
