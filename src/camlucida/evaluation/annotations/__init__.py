"""Readers' marks from files: one module for each format.

Each gives (number of the case, mark) one after the other, and tells what it could not use. A mark is small
until it is drawn on its image: a box, a polygon, the name of a file.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeAlias

from camlucida.errors import InputError, sentence
from camlucida.evaluation.annotations import rows
from camlucida.evaluation.annotations.gallery import Gallery
from camlucida.evaluation.case import Case, Mark
from camlucida.evaluation.labels import Vocabulary
from camlucida.evaluation.told import Told

Found: TypeAlias = Iterator[tuple[int, Mark]]


def read_annotations(
    paths: Sequence[Path], cases: Sequence[Case], vocabulary: Vocabulary
) -> tuple[list[Case], list[str]]:
    """The cases with the marks that the files hold for them, and sentences about what was not used."""
    gallery, notes = Gallery(cases), []
    marks: list[list[Mark]] = [list(case.marks) for case in cases]
    for path in paths:
        told = Told()
        try:
            count = 0
            for number, mark in _read(path, gallery, vocabulary, told):
                marks[number].append(mark)
                count += 1
            if not count:
                told.note("Not one mark of a finding of the model on an image of the data", path.name)
        except (InputError, OSError) as error:
            told.note(f"Annotations cannot be read: {sentence(error).rstrip('.')}", path.name)
        notes += told.sentences()
    return [replace(case, marks=tuple(own)) for case, own in zip(cases, marks, strict=True)], notes


def _read(path: Path, gallery: Gallery, vocabulary: Vocabulary, told: Told) -> Found:
    match path.suffix.lower():
        case ".csv" | ".tsv":
            return rows.read(path, gallery, vocabulary, told)
        case _:
            raise InputError("This is no file of annotations that is known: CSV.")
