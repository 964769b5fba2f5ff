"""Options that say where the cases of a development command are, and what their columns mean."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from camlucida.cli import messages
from camlucida.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from camlucida.evaluation.data.dataset import Dataset
    from camlucida.models.card import ModelCard

Data = Annotated[
    Path,
    typer.Option(
        "--data",
        "-d",
        metavar="CSV|FOLDER",
        help="A table with a row an image, or a folder whose subfolders are labels.",
        show_default=False,
    ),
]
Images = Annotated[
    Path | None,
    typer.Option(
        help="Folder of the images that the table names. Default: the table's own.", show_default=False
    ),
]
Annotations = Annotated[
    list[Path] | None,
    typer.Option(
        help="Readers' marks: CSV, COCO JSON, DICOM SEG or SR, or a folder of masks; may be given several "
        "times.",
        show_default=False,
    ),
]
LabelNames = Annotated[
    list[str] | None,
    typer.Option(
        "--label-name",
        metavar="WORD=FINDING",
        help="What a label of the data is called by the model, or WORD=none; may be given several times.",
        show_default=False,
    ),
]
ImageColumn = Annotated[str, typer.Option(help="Column with the images' files.", show_default="image")]
LabelColumn = Annotated[str, typer.Option(help="Column with the labels, A|B.", show_default="label")]
PatientColumn = Annotated[
    str, typer.Option(help="Column that says whose an image is.", show_default="patient")
]
PatientPattern = Annotated[
    str, typer.Option(help="Regular expression for the patient in a file's path.", show_default=False)
]
Limit = Annotated[
    int | None,
    typer.Option(min=1, help="At most so many cases, drawn without looking at labels.", show_default="all"),
]
Seed = Annotated[int, typer.Option(help="Of what is drawn: cases, resamples of patients.")]
Out = Annotated[Path, typer.Option("--out", "-o", help="Folder for the report and its tables.")]


def label_names(given: "Sequence[str] | None") -> dict[str, str]:
    """From WORD=FINDING.

    Raises
    ------
    typer.BadParameter
        One has no “=”.
    """
    pairs = [one.partition("=") for one in given or ()]
    wrong = next((word for word, sign, _ in pairs if not sign), None)
    if wrong is not None:
        raise typer.BadParameter(f"“{wrong}” has no “=”; give WORD=FINDING.", param_hint="--label-name")
    return {word.strip(): finding.strip() for word, _, finding in pairs}


KEPT = "kept"
"""Folder in the report's in which a run that was stopped finds what was done."""


@contextmanager
def going_on(out: Path) -> Iterator[Path]:
    """Gives where cases are kept; whoever stops the run is told that the next one goes on from there."""
    try:
        yield out / KEPT
    except KeyboardInterrupt:
        messages.note(f"Stopped. What was done is kept in {out / KEPT}: the same command goes on from there.")
        raise


def refuse_unwritable(out: Path) -> None:
    """Before hours of work; nothing is written, so that no other mistake leaves a folder behind.

    Raises
    ------
    InputError
        The folder, or the nearest one above it that exists, cannot be written to.
    """
    place = next(one for one in (out.absolute(), *out.absolute().parents) if one.exists())
    if not (place.is_dir() and os.access(place, os.W_OK | os.X_OK)):
        raise InputError(f"The folder {out} cannot be written to; name another with --out.")


def read_cases(
    card: "ModelCard",
    data: Path,
    images: Path | None,
    annotations: "Sequence[Path] | None",
    names: "Sequence[str] | None",
    columns: tuple[str, str, str, str],
    limit: int | None,
    seed: int,
) -> "Dataset":
    """The cases that the options mean; what could not be used is told on stderr.

    `columns` are those of image, label and patient, and the patient's pattern.
    """
    from camlucida.evaluation.data.dataset import Columns, read_dataset  # noqa: PLC0415 - `--help` is fast

    dataset = read_dataset(
        data,
        [finding.name for finding in card.findings],
        images=images,
        annotations=annotations or (),
        label_names=label_names(names),
        columns=Columns(*columns),
    ).sample(limit, seed)
    for sentence in dataset.notes:
        messages.note(f"  Note: {sentence}")
    return dataset
