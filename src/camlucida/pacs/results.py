"""Result objects of a kept explanation: which a profile has, and how they are kept as instances.

Whatever is written of the same explanation is the same, byte for byte, under the same UIDs: writing again
is harmless.
"""

from collections.abc import Iterator, Mapping, Sequence
from importlib import import_module
from typing import NamedTuple

from pydicom.dataset import Dataset
from sqlalchemy.orm import Session

from camlucida.dicom.container import open_dataset, reading
from camlucida.dicom.elements import text
from camlucida.dicom.thread_warnings import warned
from camlucida.dicom.writing.material import Material, shown_findings, to_bytes
from camlucida.errors import DamagedBlob, InputError, StoreError
from camlucida.store import explanations, instances, studies
from camlucida.store.home import Home
from camlucida.store.tables import ExplanationRow, FileKind, ImageRow, Intent, Origin

WRITERS: Mapping[str, tuple[str, str]] = {
    "SC": ("secondary_capture", "write"),
    "SR": ("structured_report", "write"),
    "PM": ("parametric_map", "write"),
    "PM-source": ("parametric_map", "write_on_source_grid"),
    "SEG": ("segmentation", "write"),
    "FSEG": ("fractional_segmentation", "write"),
    "PR": ("presentation_state", "write"),
    "KO": ("key_object", "write"),
}
"""Kinds of objects, and the function in `camlucida.dicom.writing` that writes them: highdicom takes a second
to import, so it is imported when something is written."""

PROFILES: Mapping[str, tuple[str, ...]] = {
    "clinical": ("SC", "SR"),
    "research": ("SC", "SR", "PM", "SEG", "FSEG", "PR", "KO"),
    "ohif": ("SR", "SEG", "PM-source"),
}
"""What each profile consists of; `PM-source` exists for volumes of CT and MR only."""


class Written(NamedTuple):
    """What was kept: ids of instances; and the kinds that could not be written of this image, and why."""

    instances: tuple[int, ...]
    left_out: tuple[str, ...]


def write_results(home: Home, explanation_id: int, profile: str) -> Written:
    """Write the objects of a profile and keep them; those that are kept already stay as they are.

    Raises
    ------
    InputError
        The image was not read from DICOM, or nothing could be written of it.
    StoreError
        What is needed is damaged, or what was written could not be kept.
    """
    material = material_of(home, explanation_id)
    kept: list[int] = []
    left_out: list[str] = []
    for kind in PROFILES[profile]:
        try:
            kept += [_keep(home, dataset, explanation_id) for dataset in objects(material, kind)]
        except InputError as error:
            left_out.append(f"{kind}: {error}")
    if not kept:
        raise InputError(" ".join(left_out) or "There is nothing to write of this explanation.")
    return Written(tuple(kept), tuple(left_out))


def objects(material: Material, kind: str, findings: Sequence[int] | None = None) -> Iterator[Dataset]:
    """The objects of one kind, of the findings named or of those that are shown.

    Maps on the source's own grid are large and come one at a time.

    Raises
    ------
    InputError
        This kind cannot be written of this image.
    """
    module, function = WRITERS[kind]
    write = getattr(import_module(f"camlucida.dicom.writing.{module}"), function)
    chosen = None if findings is None else _strongest_first(material, findings)
    together = [chosen]
    if kind == "PM-source":
        together = [(one,) for one in (shown_findings(material.explanation) if chosen is None else chosen)]
    for some in together:
        with warned():  # of values of the source that break a rule: their text may be the patient's
            written = write(material, some)
        yield from written


def _strongest_first(material: Material, findings: Sequence[int]) -> tuple[int, ...]:
    """Each finding once, in the order in which those that are shown come: the same objects, however named."""
    prediction, names = material.explanation.prediction, material.explanation.saliency_map.findings

    def place(finding: int) -> tuple[float, int]:
        return -prediction.probabilities[prediction.index(names[finding])], finding

    return tuple(sorted(set(findings), key=place))


def material_of(home: Home, explanation_id: int) -> Material:
    """A kept explanation with its image and the headers of the instances that the image was read from.

    Raises
    ------
    InputError
        The image was not read from DICOM.
    StoreError
        The explanation is not done yet.
    DamagedBlob
        Something kept is missing or damaged.
    """
    with home.database.read() as session:
        row = session.get_one(ExplanationRow, explanation_id)
        if row.digest is None:
            raise StoreError("The explanation has not been computed yet.")
        image = studies.load(home, row.image)
        headers = _headers(home, row.image)
        explanation = explanations.load(home, row.digest)
    try:
        sources = tuple(headers[uid] for uid in image.source.sop_instance_uids if headers)
    except KeyError:
        raise DamagedBlob("An original file of the image is not kept any more; import it again.") from None
    return Material(explanation, image, sources)


def _headers(home: Home, image: ImageRow) -> dict[str, Dataset]:
    """The data sets of the original files without pixels, by SOP Instance UID; none if they are not DICOM."""
    if image.source["format"] != "dicom":
        return {}
    found = {}
    for file in image.files:
        if file.kind == FileKind.ORIGINAL:
            with reading("A kept file", []):
                dataset = open_dataset(home.blobs.path(file.digest), pixels=False)
                found[text(dataset, "SOPInstanceUID")] = dataset
    return found


def _keep(home: Home, dataset: Dataset, explanation_id: int) -> int:
    with home.database.read() as session:
        known = _known(home, session, str(dataset.SOPInstanceUID))
    if known is not None:
        return known
    with home.blobs.begin() as part:
        part.write(to_bytes(dataset))
        part.finish()
        arrival = instances.take(
            home, part, Origin.RESULT, intent=Intent.TAKEN, explanation_id=explanation_id
        )
    return arrival.id


def _known(home: Home, session: Session, sop_instance_uid: str) -> int | None:
    """The instance that was written before, if its file is as it was."""
    row = instances.find(session, sop_instance_uid)
    if row is None or row.origin != Origin.RESULT or not home.blobs.intact(row.digest):
        return None
    return row.id
