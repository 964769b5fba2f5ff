"""Boxes, points and masks from a table: one row a mark.

Columns: `image`, `finding` (may be left out where the model has one), and x, y, width, height for a box, x
and y for a point, or `mask` with the name of a file in the table's folder and `value`, if only one of its
values is meant. NIH's BBox_List_2017.csv (`Finding Label`, `Bbox [x`, `y`, `w`, `h]`) is read as it is.
"""

from collections.abc import Iterator
from math import isfinite
from pathlib import Path

from camlucida.errors import InputError
from camlucida.evaluation.data.annotations.gallery import Gallery
from camlucida.evaluation.data.annotations.marks import ANYWHERE, BoxMark, Plane, PointMark
from camlucida.evaluation.data.annotations.mask_files import SUFFIXES, MaskFileMark
from camlucida.evaluation.data.case import Mark
from camlucida.evaluation.data.labels import Vocabulary
from camlucida.evaluation.data.named_files import NamedFiles
from camlucida.evaluation.data.table import IMAGE, Row, read_table
from camlucida.evaluation.data.told import Told

FINDING = ("finding", "finding label", "label", "class", "class name", "category")
MASK = ("mask", "mask file", "mask path", "segmentation")
NUMBERS = {
    "x": ("x", "bbox [x", "x min", "xmin", "left"),
    "y": ("y", "y min", "ymin", "top"),
    "width": ("width", "w"),
    "height": ("height", "h", "h]"),
    "right": ("x max", "xmax", "right"),
    "bottom": ("y max", "ymax", "bottom"),
    "image_width": ("image width",),
    "image_height": ("image height",),
    "slice": ("slice", "slice index"),
}


def read(path: Path, gallery: Gallery, vocabulary: Vocabulary, told: Told) -> Iterator[tuple[int, Mark]]:
    """The marks of a table; lines that cannot be used are told.

    Raises
    ------
    UnreadableFile, FileTooLarge, InputError
        The table cannot be read, or names no image.
    """
    table = read_table(path)
    image, finding = table.column("", *IMAGE), table.column("", *FINDING)
    if image is None:
        raise InputError(f"it has no column “image”, only: {', '.join(table.columns)}.")
    mask, files = table.column("", *MASK), NamedFiles(path.parent)
    columns = {what: table.column("", *names) for what, names in NUMBERS.items()}
    for line, row in table.rows:
        number = gallery.named(row[image])
        name = _finding(row[finding] if finding else "", vocabulary)
        if number is None:
            told.note(f"{path.name}: marks on images that are not in the data", f"line {line}")
        elif name is None:
            told.note(f"{path.name}: marks of what is no finding of the model", f"line {line}")
        else:
            try:
                yield (
                    number,
                    (_mask(name, row[mask], row, files) if mask and row[mask] else _mark(name, row, columns)),
                )
            except InputError as error:
                told.note(f"{path.name}: {str(error).rstrip('.')}", f"line {line}")


def _finding(word: str, vocabulary: Vocabulary) -> str | None:
    if not word and len(vocabulary.findings) == 1:
        return vocabulary.findings[0]
    return vocabulary.finding(word)


def _mark(finding: str, row: Row, columns: dict[str, str | None]) -> Mark:
    numbers = {what: _number(what, row[column]) for what, column in columns.items() if column and row[column]}
    x, y = numbers.get("x"), numbers.get("y")
    if x is None or y is None:
        raise InputError("A mark needs x and y.")
    width, height = numbers.get("width"), numbers.get("height")
    if width is None and "right" in numbers:
        width = numbers["right"] - x
    if height is None and "bottom" in numbers:
        height = numbers["bottom"] - y
    sizes = numbers.get("image_width"), numbers.get("image_height")
    size = None if sizes[0] is None or sizes[1] is None else (sizes[0], sizes[1])
    plane = Plane(int(numbers["slice"])) if "slice" in numbers else ANYWHERE
    if width is None and height is None:
        return PointMark(finding, x, y, size, plane)
    if width is None or height is None:
        raise InputError("A box needs both its width and its height.")
    return BoxMark(finding, x, y, width, height, size, plane)


def _mask(finding: str, name: str, row: Row, files: NamedFiles) -> Mark:
    path = files.find(name)
    if path is None or not path.name.lower().endswith(SUFFIXES):
        raise InputError("The mask is not in the table's folder, or is no PNG, NIfTI or NRRD")
    value = row.get("value", "")
    return MaskFileMark(finding, path, _number("value", value) if value else None)


def _number(what: str, cell: str) -> float:
    try:
        value = float(cell)
    except ValueError:
        value = float("nan")
    if not isfinite(value):
        raise InputError(f"What stands for {what} is no number.")
    return value
