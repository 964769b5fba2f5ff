"""A user's table: CSV, TSV, or CSV with semicolons, read row by row within bounds."""

import csv
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from camlucida.errors import FileTooLarge, InputError, UnreadableFile

SUFFIXES = (".csv", ".tsv")
MOST_BYTES = 256 * 2**20
MOST_COLUMNS = 4096
MOST_CELLS = 2**25  # a few GB in memory; MIMIC-CXR's 377,000 films have 8 million
DELIMITERS = "\t;,"

IMAGE = ("image", "image index", "file", "filename", "file name", "path", "image path", "image id")
"""Names of the column of images that are known without being told; case, “_” and “-” do not matter."""

Row = Mapping[str, str]
"""A row's cells by their column's name; an empty cell is ""."""


@dataclass(frozen=True, slots=True)
class Table:
    """`rows` with the line of the file that each ends on, as an editor counts them."""

    columns: tuple[str, ...]
    rows: tuple[tuple[int, Row], ...]

    def column(self, asked: str, *known: str) -> str | None:
        """The name of a column, case and separators aside: the one asked for, or else one that is known.

        Raises
        ------
        InputError
            There is no column of the name that was asked for.
        """
        by_word = {plain(name): name for name in reversed(self.columns)}
        if asked and plain(asked) not in by_word:
            raise InputError(f"The table has no column “{asked}”; it has: {', '.join(self.columns)}.")
        words = (asked,) if asked else known
        return next((by_word[plain(word)] for word in words if plain(word) in by_word), None)


def read_table(path: Path) -> Table:
    """Read a table with its names in the first row. Rows that are too long lose what has no column.

    Raises
    ------
    UnreadableFile
        It is not there, is no text in UTF-8, or breaks the rules of CSV.
    FileTooLarge
        It has more than 256 MB, more than 4096 columns, or more than 33 million cells.
    InputError
        It has no names of columns, one of them twice, or no row.
    """
    try:
        size = path.stat().st_size
        if size > MOST_BYTES:
            raise FileTooLarge(f"The table has {size} bytes, more than {MOST_BYTES}; cut it in parts.")
        with path.open(encoding="utf-8-sig", newline="") as file:
            first = file.readline()
            file.seek(0)
            return _read(csv.reader(file, delimiter=_delimiter(first)))
    except UnicodeDecodeError as error:
        raise UnreadableFile(f"{path.name}: the table is no text in UTF-8; save it as CSV UTF-8.") from error
    except csv.Error as error:
        raise UnreadableFile(f"{path.name}: the table breaks the rules of CSV ({error}).") from error
    except OSError as error:
        raise UnreadableFile(f"{path.name}: {error.strerror or 'it cannot be read'}.") from error


def plain(name: str) -> str:
    """A name as it is compared: without case, and with spaces for what joins words."""
    return " ".join(name.replace("_", " ").replace("-", " ").split()).casefold()


def _delimiter(first: str) -> str:
    """The one that stands most often in the first line; of those as often, a tab before the others."""
    return max(DELIMITERS, key=first.count)


def _read(lines: Iterator[Sequence[str]]) -> Table:
    names = [name.strip() for name in next(lines, [])]
    if not any(names):
        raise InputError("The table is empty; its first row holds the names of its columns.")
    if len(names) > MOST_COLUMNS:
        raise FileTooLarge(f"The table has {len(names)} columns, more than {MOST_COLUMNS}.")
    twice = next((name for name, count in Counter(filter(None, names)).items() if count > 1), None)
    if twice is not None:
        raise InputError(
            f"The table has more than one column “{twice}”; keep one, or give the others another name."
        )
    named = [(place, name) for place, name in enumerate(names) if name]
    rows: list[tuple[int, Row]] = []
    for cells in lines:
        if any(cell.strip() for cell in cells):
            row = {name: cells[place].strip() if place < len(cells) else "" for place, name in named}
            if (len(rows) + 1) * len(named) > MOST_CELLS:
                raise FileTooLarge(f"The table has more than {MOST_CELLS} cells; leave out columns.")
            rows.append((lines.line_num, row))  # type: ignore[attr-defined]  # csv's reader has it
    if not rows:
        raise InputError("The table has names of columns, but no row.")
    return Table(tuple(name for _, name in named), tuple(rows))
