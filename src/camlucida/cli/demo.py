"""`camlucida demo`: everything on example studies, in the browser."""

import hashlib
import json
from collections.abc import Sequence
from contextlib import closing
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

from camlucida import pipeline
from camlucida.cli import messages
from camlucida.cli.import_ import explain_waiting, take_in
from camlucida.cli.interruption import stopping_between_steps
from camlucida.cli.serve import show, worker
from camlucida.settings import settings
from camlucida.store.home import Home
from camlucida.version import __version__

app = typer.Typer(add_completion=False)

WRITTEN = "written.json"  # which phantom files were written, with their digests: nothing half is used
REAL_RADIOGRAPH = "RG1_UNCR.dcm"  # of PyPI's pydicom-data: a real chest radiograph


@app.command()
def demo(
    files: Annotated[
        list[Path] | None,
        typer.Argument(help="Studies of your own to show beside the examples.", show_default=False),
    ] = None,
    home: Annotated[
        Path | None,
        typer.Option(help="Folder of the demo; by default `demo` in CAMLUCIDA_HOME.", show_default=False),
    ] = None,
    port: Annotated[
        int | None,
        typer.Option(min=0, max=65535, help="Port; if it is taken, the next free one.", show_default=False),
    ] = None,
    browser: Annotated[bool, typer.Option(help="Try to open the page in a browser.")] = True,
) -> None:
    """Show everything on example studies, in the browser, until Ctrl-C; needs no data.

    The studies are phantoms: drawn by a program, of no patient. What was computed is kept, so that the next
    start is quick.
    """
    try:
        with closing(Home.open(home or settings().home / "demo", embedded=True)) as opened:
            complete = prepare(opened, files or [])
            if not complete:
                messages.note("Something was left out, as said above; the rest is shown.")
            with worker(opened):  # for what is asked for on the page: another method
                show(opened, None, port, browser=browser)
    except KeyboardInterrupt:
        messages.note("Stopped. What is done is kept; the next start goes on from here.")
        raise typer.Exit(0) from None


def prepare(home: Home, files: Sequence[Path]) -> bool:
    """Register the shipped models, keep the example studies, explain all; whether nothing was left out."""
    with stopping_between_steps() as check:
        for registered in pipeline.register_shipped(home):
            messages.say(f"Registered the model {registered.key}.")
            check()
    for key in pipeline.changed_shipped(home):
        messages.note(
            f"{key} was registered here with other files, which are used; another --home starts anew."
        )
    phantoms = write_phantoms(home.folder / "phantoms")
    real = real_radiograph()
    if real:
        messages.note("RG1 of pydicom-data, a real chest radiograph, stands beside the phantoms.")
    taken = take_in(home, [phantoms, *real, *files])
    return taken & explain_waiting(home, pipeline.current_models(home), thorough=True)


def write_phantoms(folder: Path) -> Path:
    """Write the phantom studies, unless they were written by this version and are as they were."""
    note = folder.with_name(f"{folder.name}-{WRITTEN}")
    if note.is_file() and json.loads(note.read_text("utf-8")) == _digests(folder):
        return folder
    from camlucida.examples.phantom.dicom import write_demo_studies  # noqa: PLC0415 - the first start only

    with messages.progress() as bar, stopping_between_steps() as check:
        task = bar.add_task("Drawing phantoms", total=None)

        def step(done: int, total: int) -> None:
            bar.update(task, completed=done, total=total)
            check()

        write_demo_studies(folder, step)
    note.write_text(json.dumps(_digests(folder), indent=1), "utf-8")
    return folder


def real_radiograph() -> list[Path]:
    """A real chest radiograph, where the package that holds one is installed; nothing is downloaded."""
    package = find_spec("data_store")
    folders = (package.submodule_search_locations or []) if package else []
    found = (Path(folder) / "data" / REAL_RADIOGRAPH for folder in folders)
    return [path for path in found if path.is_file()]


def _digests(folder: Path) -> dict[str, str]:
    """SHA-256 of every file below a folder by its name, and the version that wrote them."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    digests = {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files
    }
    return {"camlucida": __version__, **digests}
