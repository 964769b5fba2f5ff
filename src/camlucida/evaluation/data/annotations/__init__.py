"""Readers' marks from files: one module for each format.

Each gives (number of the case, mark) one after the other, and tells what it could not use. A mark is small
until it is drawn on its image: a box, a polygon, the name of a file.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeAlias

from camlucida.dicom.container import open_dataset, reading
from camlucida.dicom.elements import text
from camlucida.dicom.read import is_dicom
from camlucida.errors import InputError, UnreadableFile, sentence
from camlucida.evaluation.data import table
from camlucida.evaluation.data.annotations import coco, mask_files, rows, segmentation, structured_report
from camlucida.evaluation.data.annotations.gallery import Gallery
from camlucida.evaluation.data.case import Case, Mark
from camlucida.evaluation.data.labels import Vocabulary
from camlucida.evaluation.data.told import Told

Found: TypeAlias = Iterator[tuple[int, Mark]]


def read_annotations(
    paths: Sequence[Path], cases: Sequence[Case], vocabulary: Vocabulary
) -> tuple[list[Case], list[str]]:
    """The cases with the marks that the files hold for them, and sentences about what was not used."""
    gallery, notes = Gallery(cases), []
    marks: list[list[Mark]] = [list(case.marks) for case in cases]
    for path in paths:
        told, before = Told(), sum(map(len, marks))
        for number, mark in _read(path, gallery, vocabulary, told):
            marks[number].append(mark)
        if sum(map(len, marks)) == before:
            told.note("Not one mark of a finding of the model on an image of the data", path.name)
        notes += told.sentences()
    return [replace(case, marks=tuple(own)) for case, own in zip(cases, marks, strict=True)], notes


def _read(path: Path, gallery: Gallery, vocabulary: Vocabulary, told: Told) -> Found:
    """A file, or all that a folder holds; one that cannot be read is told, and the others are read."""
    inside = sorted(file for file in path.rglob("*") if file.is_file() and is_dicom(file))
    for file in (*inside, path):
        try:
            yield from _of_file(file, gallery, vocabulary, told)
        except (InputError, OSError) as error:
            told.note(f"Annotations cannot be read: {sentence(error).rstrip('.')}", file.name)


def _of_file(path: Path, gallery: Gallery, vocabulary: Vocabulary, told: Told) -> Found:
    """By what the file is."""
    if not path.exists():
        raise UnreadableFile("There is no such file or folder.")
    name = path.name.lower()
    if path.is_dir() or name.endswith(mask_files.SUFFIXES):
        return mask_files.read(path, gallery, vocabulary, told)
    if name.endswith(table.SUFFIXES):
        return rows.read(path, gallery, vocabulary, told)
    if name.endswith(".json"):
        return coco.read(path, gallery, vocabulary, told)
    if not is_dicom(path):
        raise InputError("It is none of CSV, COCO's JSON, DICOM SEG or SR, and masks in PNG, NIfTI or NRRD.")
    with reading(path.name, []):
        kind = text(open_dataset(path, pixels=False), "SOPClassUID")
    if kind in {segmentation.SEGMENTATION, segmentation.LABEL_MAP}:
        return segmentation.read(path, gallery, vocabulary, told)
    return structured_report.read(path, gallery, vocabulary, told)
