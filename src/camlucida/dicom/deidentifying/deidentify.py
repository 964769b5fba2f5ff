"""A file's copy without identity: cleaned, written, read anew and searched, and only then in its place."""

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from pydicom import dcmread, dcmwrite
from pydicom.dataelem import DataElement, RawDataElement
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import UID

from camlucida.dicom import elements, pixels
from camlucida.dicom.container import PREAMBLE_BYTES, open_dataset, reading
from camlucida.dicom.deidentifying import burned_in
from camlucida.dicom.deidentifying.cleaning import DECLARED, NUMERIC_TEXTS, Cleaning, patient_of
from camlucida.dicom.deidentifying.profile import Retained, tag_text
from camlucida.dicom.deidentifying.pseudonyms import Key
from camlucida.dicom.deidentifying.traces import Traces, strings, traces_of
from camlucida.dicom.header import file_meta
from camlucida.errors import NotDeidentified


@dataclass(frozen=True)
class Sharing:
    """By which key files are de-identified, what is retained, and whether someone has seen the pixels."""

    key: Key = field(default_factory=Key)
    retained: Retained = field(default_factory=Retained)
    pixels_checked: bool = False


@dataclass(frozen=True)
class Shared:
    """A copy that was written, and what should be looked at before it is given away."""

    path: Path
    notes: tuple[str, ...] = ()


def deidentify(source: Path, folder: Path, sharing: Sharing, *, ours: bool = False) -> Shared:
    """Write a copy of a DICOM file without identity into `folder`, as `STUDY/INSTANCE.dcm` by its new UIDs.

    With one key the same identity is replaced by the same pseudonym, so that studies, series and references
    stay together. `ours`: camlucida has written the file, so its burned-in text and its report's sentences
    are about findings. Pixel data stays as it is, byte for byte.

    Raises
    ------
    NotDeidentified
        Its pixels may show a name, it holds what cannot be cleaned, or an identity was left; nothing is
        written then.
    UnreadableFile
        It is not DICOM, or damaged.
    FileTooLarge
        It is larger than the setting `max_file_bytes`.
    """
    with reading(source.name, []):
        dataset = open_dataset(source)
        meta, _ = file_meta(source)
        _refuse(dataset, sharing, ours=ours)
        notes = () if ours else _notes(dataset)
        traces = traces_of(dataset, sharing.retained).joined(traces_of(meta, sharing.retained))
        syntax = pixels.transfer_syntax(dataset)
        Cleaning(sharing.key, sharing.retained, patient_of(dataset), traces, ours).clean(dataset)
        _renew_file_meta(dataset, syntax)
        return Shared(_write(dataset, folder, traces), notes)


def _refuse(dataset: Dataset, sharing: Sharing, *, ours: bool) -> None:
    hopeless = burned_in.hopeless(dataset)
    if hopeless:
        raise NotDeidentified(f"{hopeless}; it cannot be shared without identity.")
    doubtful = None if ours or sharing.pixels_checked else burned_in.refusal(dataset)
    if doubtful:
        raise NotDeidentified(f"{doubtful}; look at it, and share it with --pixels-checked if it shows none.")


def _notes(dataset: Dataset) -> tuple[str, ...]:
    lettering = burned_in.shows_lettering(dataset)
    return (
        ("its pixels seem to bear a line of letters; look at them before you share it.",) if lettering else ()
    )


def _renew_file_meta(dataset: Dataset, syntax: UID) -> None:
    """Nothing of the old file's head is left, its preamble and the AE titles in it included."""
    dataset.preamble = bytes(PREAMBLE_BYTES)
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = syntax
    dataset.file_meta.MediaStorageSOPClassUID = UID(elements.text(dataset, "SOPClassUID"))
    dataset.file_meta.MediaStorageSOPInstanceUID = UID(elements.text(dataset, "SOPInstanceUID"))


def _write(dataset: Dataset, folder: Path, traces: Traces) -> Path:
    """Write, read anew and search; the file is at its place only when nothing was found."""
    study, instance = (elements.text(dataset, keyword) for keyword in ("StudyInstanceUID", "SOPInstanceUID"))
    if not study or not instance:
        raise NotDeidentified("it has no Study or SOP Instance UID, so it is no DICOM instance.")
    target = folder / study / f"{instance}.dcm"
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix=".unfinished-") as unfinished:
        written = Path(unfinished) / "copy.dcm"
        dcmwrite(written, dataset, enforce_file_format=True)
        found = left(written, traces.without(_dates(dataset)))
        if found:
            raise NotDeidentified(
                f"the value of {found} is left in its copy, so there is none; take it out of the file, or "
                "leave the file out."
            )
        written.replace(target)
    return target


def left(path: Path, traces: Traces) -> str | None:
    """The attribute of which a file still holds the value, or a part of it; None where nothing is left.

    All bytes are searched, and then all texts as DICOM reads them. Strings of fewer than five characters are
    searched in the header only: in pixels chance alone would put them there.
    """
    data = path.read_bytes()
    dataset = dcmread(path)
    begin = _pixels_begin(dataset, len(data))
    found = traces.in_bytes(_without_declaration(data[:begin])) or traces.in_bytes(data[begin:], opaque=True)
    return found or _left_in_elements(dataset.file_meta, traces) or _left_in_elements(dataset, traces)


def _pixels_begin(dataset: Dataset, end: int) -> int:
    """Where in the file the first pixel data begins."""
    for tag in (0x7FE00008, 0x7FE00009, 0x7FE00010):
        element: RawDataElement | DataElement | None = dataset.get_item(tag) if tag in dataset else None
        if isinstance(element, RawDataElement):
            end = min(end, element.value_tell)
    return end


def _without_declaration(data: bytes) -> bytes:
    for words in DECLARED:
        data = data.replace(words.encode(), bytes(len(words)))
    return data


def _left_in_elements(dataset: Dataset, traces: Traces) -> str | None:
    for element in _all_elements(dataset):
        if element.tag.is_private:
            return tag_text(element.tag)
        for text in strings(element):
            found = None if text in DECLARED else traces.in_text(text, numeric=element.VR in NUMERIC_TEXTS)
            if found:
                return found
    return None


def _all_elements(dataset: Dataset) -> Iterator[DataElement]:
    for tag in sorted(dataset.keys()):
        if dataset.get_item(tag).VR == "SQ":
            for item in dataset[tag].value:
                yield from _all_elements(item)
        elif int(tag) not in (0x7FE00008, 0x7FE00009, 0x7FE00010):
            yield dataset[tag]


def _dates(dataset: Dataset) -> set[str]:
    """The dates that the copy may hold, because they were moved."""
    return {
        text[:8]
        for element in _all_elements(dataset)
        if element.VR in ("DA", "DT")
        for text in strings(element)
    }
