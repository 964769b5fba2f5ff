"""`camlucida deidentify`: copies of DICOM files without identity."""

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer

from camlucida.cli import messages
from camlucida.cli.interruption import stopping_between_steps
from camlucida.cli.sharing import KeyFile, PixelsChecked, Retain, sharing_of
from camlucida.dicom.container import is_dicom
from camlucida.dicom.deidentifying.deidentify import deidentify as write_copy
from camlucida.errors import CamlucidaError, InputError

app = typer.Typer(add_completion=False)


@app.command()
def deidentify(
    files: Annotated[list[Path], typer.Argument(help="DICOM files, or folders of them.", show_default=False)],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the copies.", show_default=False)],
    retain: Retain = None,
    key: KeyFile = None,
    pixels_checked: PixelsChecked = False,
) -> None:
    """Write copies without identity, by the basic profile of PS3.15 Annex E.

    Every copy is read anew and searched for what identified someone in the file; where something is left,
    there is no copy. Pixels are not changed: an image that may show a name is refused until someone has
    looked.
    """
    sharing = sharing_of(retain, key, pixels_checked=pixels_checked)
    found = sorted(set(_dicom_files(files)))
    if not found:
        raise InputError("There is no DICOM file among these.")
    out.mkdir(parents=True, exist_ok=True)
    written, refused = 0, list[str]()
    with messages.progress() as bar, stopping_between_steps() as check:
        for path in bar.track(found, description="De-identifying"):
            try:
                shared = write_copy(path, out, sharing)
            except CamlucidaError as error:
                refused.append(str(error))
            else:
                written += 1
                for note in shared.notes:
                    messages.note(f"{path.name}: {note}")
            check()
    for line in refused:
        messages.complain(line)
    copies = "1 copy" if written == 1 else f"{written} copies"
    messages.say(f"{copies} without identity, {len(refused)} refused.")
    if refused:
        raise typer.Exit(1)


def _dicom_files(paths: Iterable[Path]) -> Iterable[Path]:
    """The files named, and the DICOM files in the folders named; reading a file tells if it is none."""
    for path in paths:
        if path.is_dir():
            yield from (file for file in path.rglob("*") if file.is_file() and is_dicom(file))
        else:
            yield path
