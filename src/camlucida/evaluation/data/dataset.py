"""The user's data: a table or a folder of images, with what is known of each."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from camlucida.dicom.container import open_dataset, reading
from camlucida.dicom.identity import read_source
from camlucida.dicom.read import is_dicom
from camlucida.errors import CamlucidaError, InputError, UnreadableFile
from camlucida.evaluation.data.annotations import read_annotations
from camlucida.evaluation.data.case import Case
from camlucida.evaluation.data.labels import Vocabulary, of_cells, of_words
from camlucida.evaluation.data.named_files import NamedFiles
from camlucida.evaluation.data.table import IMAGE, Row, Table, plain, read_table
from camlucida.evaluation.data.told import Told
from camlucida.images.read import find_images
from camlucida.records import Source

LABEL = ("label", "labels", "finding labels", "class", "finding", "findings", "diagnosis")
PATIENT = ("patient", "patient id", "subject", "subject id", "case id")
"""Names of columns that are known without being told; case, “_” and “-” do not matter."""

USUAL = {
    "patient age": "age",
    "age at study": "age",
    "gender": "sex",
    "patient gender": "sex",
    "patient sex": "sex",
    "view position": "view",
    "projection": "view",
    "ap/pa": "view",
}
"""Columns that have other names in known data sets, and one name here."""

SEVERAL = re.compile(r"[|;]")
"""What stands between the findings in one cell, as NIH's data set has it."""


@dataclass(frozen=True, slots=True)
class Columns:
    r"""Names of the table's columns; empty: those that are known.

    `patient_pattern` is a regular expression that finds the patient in the file's path, by its first group
    or as a whole, where no column has it: `(person\d+|(NORMAL2-)?IM-\d+)`.
    """

    image: str = ""
    label: str = ""
    patient: str = ""
    patient_pattern: str = ""


@dataclass(frozen=True, slots=True)
class Dataset:
    """Cases in the table's order (a folder's: by name), and sentences about what could not be used."""

    cases: tuple[Case, ...]
    notes: tuple[str, ...] = ()

    @property
    def patients(self) -> int:
        """How many there are; a case without a patient is its own."""
        return len({case.patient for case in self.cases})

    def sample(self, count: int | None, seed: int = 0) -> "Dataset":
        """Cases drawn without looking at their labels, in the table's order; all where there are no more."""
        if count is None or count >= len(self.cases):
            return self
        drawn = np.sort(np.random.default_rng(seed).permutation(len(self.cases))[: max(count, 0)])
        note = f"{count} of {len(self.cases)} cases were drawn (seed {seed})."
        return replace(self, cases=tuple(self.cases[place] for place in drawn), notes=(*self.notes, note))


def read_dataset(
    data: Path,
    findings: Sequence[str],
    *,
    images: Path | None = None,
    annotations: Sequence[Path] = (),
    label_names: Mapping[str, str] | None = None,
    columns: Columns | None = None,
) -> Dataset:
    """Read which images there are, and what is known of them; no pixel is looked at.

    Parameters
    ----------
    data
        A table (CSV, TSV) with a row for each image, or a folder, in which folders' names are labels.
    findings
        The model's findings, by their names.
    images
        The folder in which the table's names lie; default: the table's own.
    annotations
        Files with readers' marks, or folders of masks: see `camlucida.evaluation.data.annotations`.
    label_names
        From the data's word to the model's: {"PNEUMONIA": "Pneumonia", "Fibrosis": "none"}.

    Raises
    ------
    UnreadableFile, FileTooLarge
        The table or the folder cannot be read.
    InputError
        Not one image is there, a named column is not, or a translation leads to no finding.
    """
    vocabulary = Vocabulary(tuple(findings), dict(label_names or {}))
    _refuse_strange_names(vocabulary)
    asked = columns or Columns()
    if not data.exists():
        raise UnreadableFile(f"There is no table or folder {data}.")
    found = _of_folder(data, vocabulary) if data.is_dir() else _of_table(data, images, vocabulary, asked)
    cases = _with_headers(_with_patients(found.cases, _pattern(asked)))
    marked, told = read_annotations(annotations, cases, vocabulary)
    notes = [*found.notes, *_unknown_findings(cases, findings), *_patients(cases), *told]
    return Dataset(tuple(marked), tuple(notes))


def _refuse_strange_names(vocabulary: Vocabulary) -> None:
    for word, meant in vocabulary.renamed.items():
        if vocabulary.finding(word) is None and not vocabulary.says_none(word):
            raise InputError(
                f"“{word}” is translated to “{meant}”, which is no finding of the model; it has: "
                f"{', '.join(vocabulary.findings)}. “none” says that nothing was found."
            )


# --- a table ------------------------------------------------------------------------------------------------


def _of_table(path: Path, images: Path | None, vocabulary: Vocabulary, asked: Columns) -> Dataset:
    table = read_table(path)
    folder = images if images is not None else path.parent
    if not folder.is_dir():
        raise UnreadableFile(f"There is no folder {folder} for the table's images.")
    image = table.column(asked.image, *IMAGE)
    if image is None:
        raise InputError(
            f"The table has no column “image”; it has: {', '.join(table.columns)}. Say which one names the "
            "files with --image-column."
        )
    patient = table.column(asked.patient, *PATIENT)
    told = Told()
    rows = _found_rows(table, image, NamedFiles(folder), told)
    if not rows:
        reasons = " ".join(told.sentences())
        raise InputError(
            f"None of the table's {len(table.rows)} images is in {folder}; name their folder with --images. "
            f"{reasons}"
        )
    labels, notes = _labels(table, rows, vocabulary, asked, told)
    used = {image, patient, table.column(asked.label, *LABEL), *_finding_columns(table, vocabulary)}
    others = _others(table, used - {None})
    cases = [
        Case(
            name=row[image],
            files=files,
            labels=known,
            patient=row[patient] if patient else "",
            columns={name: _cell(name, row[column]) for name, column in others.items() if row[column]},
        )
        for (_, row, files), known in zip(rows, labels, strict=True)
    ]
    return Dataset(tuple(cases), (*told.sentences(), *notes))


_Found = tuple[int, Row, tuple[Path, ...]]


def _found_rows(table: Table, image: str, files: NamedFiles, told: Told) -> list[_Found]:
    """The rows whose image is there, each file once."""
    rows: dict[tuple[Path, ...], _Found] = {}
    for line, row in table.rows:
        try:
            place = files.find(row[image])
            paths = _paths(place) if place is not None else ()
        except InputError as error:
            told.note(str(error).rstrip("."), f"line {line}")
            continue
        if not paths:
            told.note(f"Not in the folder {files.folder.name}, or there more than once", f"line {line}")
        elif paths in rows:
            told.note("The image stands in a line before", f"line {line}")
        else:
            rows[paths] = (line, row, paths)
    return list(rows.values())


def _paths(place: Path) -> tuple[Path, ...]:
    """The file, or those of the one series that a folder holds."""
    if not place.is_dir():
        return (place,)
    found = find_images([place])
    if len(found) > 1:
        raise InputError(f"A folder that a line names must hold one series; here are {len(found)} images.")
    return found[0].paths if found[0].paths != (place,) else ()


def _finding_columns(table: Table, vocabulary: Vocabulary) -> dict[str, str]:
    """Columns that are a finding's own, and that finding."""
    meant = {column: vocabulary.finding(column) for column in table.columns}
    return {column: finding for column, finding in meant.items() if finding is not None}


def _labels(
    table: Table, rows: Sequence[_Found], vocabulary: Vocabulary, asked: Columns, told: Told
) -> tuple[list[dict[str, bool]], list[str]]:
    """What each row says of the findings; a finding's own column before the list of labels."""
    label = table.column(asked.label, *LABEL)
    if label is not None and vocabulary.finding(label) is not None:
        label = None
    lists = [None if label is None or not row[label] else _words(row[label]) for _, row, _ in rows]
    labels, strangers = of_words(lists, vocabulary)
    own: dict[str, list[str]] = {}
    for column, finding in _finding_columns(table, vocabulary).items():
        own.setdefault(finding, []).append(column)
    for (line, row, _), known in zip(rows, labels, strict=True):
        for finding, columns in own.items():
            known.pop(finding, None)
            says, understood = of_cells(row[column] for column in columns)
            if says is not None:
                known[finding] = says
            if not understood:
                told.note(
                    f"Neither 1, 0, −1 nor empty in the column of {finding}, taken as unknown", f"line {line}"
                )
    return labels, _strangers(strangers)


def _words(cell: str) -> list[str]:
    return [word.strip() for word in SEVERAL.split(cell) if word.strip()]


def _strangers(strangers: Counter[str]) -> list[str]:
    if not strangers:
        return []
    shown = ", ".join(f"{word} ({count})" for word, count in strangers.most_common(8))
    more = f" and {len(strangers) - 8} more" if len(strangers) > 8 else ""
    return [
        (
            f"Labels that are no finding of the model, and how many images have them: {shown}{more}. "
            "Say with --label-name WORD=FINDING which one is meant, if any."
        )
    ]


def _others(table: Table, used: Iterable[str | None]) -> dict[str, str]:
    """The columns for subgroups: the name here, and the table's."""
    kept = [column for column in table.columns if column not in set(used)]
    taken = {plain(column) for column in kept}
    return {
        (usual if (usual := USUAL.get(plain(column), column)) not in taken else column): column
        for column in kept
    }


def _cell(name: str, cell: str) -> str:
    return _years(cell) if name == "age" else cell


def _years(cell: str) -> str:
    """An age in years as a number; DICOM's Age String (PS3.5, VR AS) and NIH's have a letter: 058Y."""
    match = re.fullmatch(r"0*(\d{1,3})([YMWD])", cell.strip().upper())
    if match is None:
        return cell
    each = {"Y": 1.0, "M": 12.0, "W": 52.18, "D": 365.25}[match[2]]
    return f"{int(match[1]) / each:.4g}"


# --- a folder -----------------------------------------------------------------------------------------------


def _of_folder(folder: Path, vocabulary: Vocabulary) -> Dataset:
    """All images below; the nearest folder with a name that is known says what an image shows."""
    found = [files for files in find_images([folder]) if files.paths != (folder,)]
    if not found:
        raise InputError(f"The folder {folder} holds no DICOM, NIfTI, PNG or JPEG file.")
    places = [_inside(folder, files.paths) for files in found]
    words = [_label_of(place, vocabulary) for place in places]
    labels, _ = of_words([None if word is None else [word] for word in words], vocabulary)
    unnamed = Counter(
        place.parent.as_posix() if place.parent.name else folder.resolve().name
        for place, word in zip(places, words, strict=True)
        if not word
    )
    cases = [
        Case(place.as_posix(), files.paths, known, "")
        for place, files, known in zip(places, found, labels, strict=True)
    ]
    return Dataset(tuple(cases), tuple(_unnamed(unnamed)))


def _inside(folder: Path, paths: Sequence[Path]) -> Path:
    """An image's place in the folder: its file, or the folder of its series."""
    place = paths[0].relative_to(folder)
    return place if len(paths) == 1 or place.parent == Path() else place.parent


def _label_of(place: Path, vocabulary: Vocabulary) -> str | None:
    names = reversed(place.parts[:-1])
    return next(
        (name for name in names if vocabulary.finding(name) is not None or vocabulary.says_none(name)), None
    )


def _unnamed(folders: Counter[str]) -> list[str]:
    if not folders:
        return []
    shown = ", ".join(f"{name} ({count})" for name, count in folders.most_common(8))
    return [
        (
            f"Folders whose names are no finding of the model, and how many images they hold: {shown}. "
            "Nothing is known of these images; --label-name FOLDER=FINDING says what they show, FOLDER=none "
            "that they show nothing."
        )
    ]


# --- patients, and what headers know ------------------------------------------------------------------------


def _pattern(asked: Columns) -> re.Pattern[str] | None:
    try:
        return re.compile(asked.patient_pattern) if asked.patient_pattern else None
    except re.error as error:
        raise InputError(
            f"The pattern “{asked.patient_pattern}” is no regular expression: {error}."
        ) from error


def _with_patients(cases: Iterable[Case], pattern: re.Pattern[str] | None) -> list[Case]:
    """The patient out of the file's path, where no column has named one."""
    if pattern is None:
        return list(cases)
    matches = [(case, None if case.patient else pattern.search(case.name)) for case in cases]
    return [
        replace(case, patient=match[1 if pattern.groups else 0] or "") if match else case
        for case, match in matches
    ]


def _with_headers(cases: Iterable[Case]) -> list[Case]:
    """What DICOM files say of patient, age, sex, view and scanner, where the table does not."""
    return [_with_header(case) for case in cases]


def _with_header(case: Case) -> Case:
    source = _header(case.files[0]) if is_dicom(case.files[0]) else None
    if source is None:
        return replace(case, patient=case.patient or case.name)
    known = {
        "age": _years(source.patient.age),
        "sex": source.patient.sex,
        "view": source.view_position,
        "scanner": " ".join(filter(None, (source.manufacturer, source.manufacturer_model))),
    }
    columns = {name: value for name, value in known.items() if value} | dict(case.columns)
    return replace(case, patient=case.patient or source.patient.patient_id or case.name, columns=columns)


def _header(path: Path) -> Source | None:
    try:
        with reading(path.name, []):
            return read_source(open_dataset(path, pixels=False), path)
    except (CamlucidaError, OSError):  # told when its pixels are read
        return None


def _unknown_findings(cases: Sequence[Case], findings: Sequence[str]) -> list[str]:
    unknown = [name for name in findings if not any(name in case.labels for case in cases)]
    if not unknown:
        return []
    return [
        (
            f"The data say nothing of: {', '.join(unknown)}. If they do by another word, give it with "
            "--label-name WORD=FINDING."
        )
    ]


def _patients(cases: Sequence[Case]) -> list[str]:
    if any(case.patient != case.name for case in cases):
        return []
    return [
        (
            "Nothing says which images are of one patient, so each is taken as a patient of its own; if that "
            "is not so, intervals are too narrow. Name the column with --patient-column, or give "
            "--patient-pattern."
        )
    ]
