"""`camlucida explain-cohort`: very many images, shard by shard, into Parquet and maps."""

from collections.abc import Iterator, Sequence
from contextlib import closing
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from camlucida.cli import messages, options
from camlucida.records import EventKind

if TYPE_CHECKING:
    from camlucida.cohorts.cohort import Cohort
    from camlucida.cohorts.inputs import Input

app = typer.Typer(add_completion=False)


class Engine(StrEnum):
    """Where shards are computed."""

    LOCAL = "local"
    RAY = "ray"


@app.command(epilog="Example: camlucida explain-cohort films/ --model phantom-radiograph --to cohort")
def explain_cohort(
    source: Annotated[
        list[str],
        typer.Argument(
            metavar="FOLDER|CSV|QUERY…",
            help="A folder, a table with a column “image”, or a search of the station's studies: "
            "study_date>=20240101 modality=DX finding=Effusion probability>=0.5 reported.",
            show_default=False,
        ),
    ],
    model: options.Model,
    to: Annotated[Path, typer.Option("--to", help="Folder of the results.", show_default=False)],
    method: options.Method = "grad-cam",
    variant: options.Variant = None,
    engine: Annotated[Engine, typer.Option(help="Processes here, or Ray Data.")] = Engine.LOCAL,
    shard_size: Annotated[int, typer.Option(min=1, help="Inputs in a shard, the step of resuming.")] = 256,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Processes; by default one for each core.", show_default=False)
    ] = None,
    images: Annotated[
        Path | None, typer.Option(help="Folder of the table's images; by default the table's own.")
    ] = None,
    image_column: Annotated[str, typer.Option(help="The table's column with the files.")] = "",
    home: options.HomeOption = None,
) -> None:
    """Explain very many images, shard by shard, into Parquet files and maps.

    What was stopped, by Ctrl-C, kill -9 or a power cut, goes on where it was when the command is given again,
    and gives the same files byte for byte. What cannot be explained is named, stands in refused.parquet, and
    stops nothing; the exit code is then 1.
    """
    from camlucida.cohorts.cohort import Cohort, Wish  # noqa: PLC0415 - `--help` must not load torch
    from camlucida.cohorts.shard import load  # noqa: PLC0415
    from camlucida.saliency.asked import choose_method  # noqa: PLC0415
    from camlucida.settings import settings  # noqa: PLC0415

    chosen = choose_method(method, variant)
    folder = home or settings().home
    messages.hush_libraries()
    wish = Wish.of(" ".join(source), model, load(model, folder), chosen.key, variant, shard_size)
    cohort = Cohort.begin(to, wish, _inputs(source, images, image_column, folder))
    _compute(cohort, engine, workers, folder)
    _conclude(cohort)


def _inputs(source: Sequence[str], images: Path | None, column: str, home: Path) -> "Iterator[Input]":
    from camlucida.cohorts import asking, inputs  # noqa: PLC0415
    from camlucida.store.audit import events  # noqa: PLC0415
    from camlucida.store.home import Home  # noqa: PLC0415

    path = Path(source[0])
    if len(source) > 1 or not path.exists():
        search = asking.read_query(source)
        with closing(Home.open(home)) as opened:
            yield from asking.stored(opened, search)
            with opened.database.write() as session:
                events.note(session, EventKind.EXPORTED, events.operator(), {"what": "cohort"})
    elif path.is_dir():
        yield from inputs.of_folder(path)
    else:
        yield from inputs.of_table(path, images, column)


def _compute(cohort: "Cohort", engine: Engine, workers: int | None, home: Path) -> None:
    from camlucida.cohorts.engines import ENGINES, cores  # noqa: PLC0415

    missing = list(cohort.missing())
    waiting = sum(len(shard.inputs) for shard in missing)
    before = len(cohort.inputs) - waiting
    if before:
        messages.note(f"Going on: {before} of {len(cohort.inputs)} inputs were done before.")
    if not missing:
        return
    sizes = {shard.number: len(shard.inputs) for shard in missing}
    with messages.progress() as bar:
        task = bar.add_task("Explaining", total=len(cohort.inputs), completed=before)
        number = min(workers or cores(), len(missing))
        for done in ENGINES[engine](cohort.setup(home), missing, number):
            for name, reason in done.refused:
                messages.complain(f"{name}: {reason}")
            bar.advance(task, sizes[done.shard])


def _conclude(cohort: "Cohort") -> None:
    done = cohort.finish()
    messages.say(
        f"{messages.count(done.images, 'input')} explained, {len(done.refused)} refused: {cohort.folder}"
    )
    messages.note(messages.NOTICE)
    if done.refused:
        raise typer.Exit(1)
