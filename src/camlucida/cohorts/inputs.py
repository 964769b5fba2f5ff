"""What a cohort is made of: files, the series of a folder, the lines of a table, or images of the station."""

from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from camlucida.errors import InputError
from camlucida.evaluation.data.table import IMAGE, read_table
from camlucida.images.read import ImageFiles, find_images, read
from camlucida.records import Image
from camlucida.store import studies
from camlucida.store.home import Home
from camlucida.store.tables import ImageRow


@dataclass(frozen=True, slots=True)
class Input:
    """One input by its name in the results: files that belong together, or the station's image of an id."""

    name: str
    files: tuple[str, ...] = ()
    image: int | None = None


def of_folder(folder: Path) -> Iterator[Input]:
    """All images below a folder, each series once, by their paths."""
    for found in find_images([folder]):
        yield Input(_name(found.paths, folder), tuple(str(path.resolve()) for path in found.paths))


def of_table(table: Path, images: Path | None, column: str = "") -> Iterator[Input]:
    """The images that a table names, in its order; paths are relative to `images`, or to the table.

    Raises
    ------
    InputError, UnreadableFile, FileTooLarge
        It is no table, or has no column of images.
    """
    rows = read_table(table)
    name = rows.column(column, *IMAGE)
    if name is None:
        raise InputError(
            f"The table has no column “image”; it has: {', '.join(rows.columns)}. Say which one names the "
            "files with --image-column."
        )
    folder = images or table.parent
    for _, row in rows.rows:
        yield Input(row[name], (str((folder / row[name]).resolve()),))


def images_of(one: Input, home: Path | None) -> list[Image]:
    """The images of an input: more than one only of a multi-frame file.

    Raises
    ------
    CamlucidaError
        It cannot be read, with the reason.
    """
    if one.image is None:
        paths = tuple(Path(path) for path in one.files)
        if len(paths) == 1 and paths[0].is_dir():
            paths = _series(paths[0])
        return read(ImageFiles(one.name, paths))
    if home is None:
        raise InputError("The images of a station need its home folder; give --home.")
    with closing(Home.open(home)) as opened, opened.database.read() as session:
        return [studies.load(opened, session.get_one(ImageRow, one.image))]


def _series(folder: Path) -> tuple[Path, ...]:
    found = find_images([folder])
    if len(found) > 1:
        raise InputError(f"A folder that a line names must hold one series; here are {len(found)} images.")
    return found[0].paths


def _name(paths: Sequence[Path], folder: Path) -> str:
    first = paths[0].relative_to(folder) if paths[0].is_relative_to(folder) else paths[0]
    return first.as_posix()
