"""A study's result objects as files, and the files that they are about."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session

from camlucida.dicom.writing.material import Material, shown_findings, to_bytes
from camlucida.errors import CamlucidaError, InputError, UnknownFinding, UnknownMethod
from camlucida.pacs.results import PROFILES, material_of, objects
from camlucida.store import explanations
from camlucida.store.home import Home
from camlucida.store.tables import (
    ExplanationRow,
    FileKind,
    FileRow,
    ImageRow,
    InstanceRow,
    ModelRow,
    Origin,
    State,
    StudyRow,
)

SHOWN_OF_KEY = 12  # characters of a study's key that name its folder
LONGEST_NAME = 40  # characters of a finding in a file's name


class Export(NamedTuple):
    """A file to be written: its name, without patient data; what it is; its content."""

    name: str
    kind: str  # as in `camlucida.pacs.results.WRITERS`, or "original"
    about: str  # the finding, if it is about one; model and method
    content: bytes | Path  # the bytes, or a file that has them, to be read only

    @property
    def size(self) -> int:
        """Bytes of the content."""
        return self.content.stat().st_size if isinstance(self.content, Path) else len(self.content)


class LeftOut(NamedTuple):
    """What could not be written, and why."""

    kind: str
    about: str
    reason: str


def folder_name(study: StudyRow) -> str:
    """The name of a study's folder: the beginning of its key, which names nobody."""
    return study.key[:SHOWN_OF_KEY]


def export(
    home: Home,
    study_id: int,
    profile: str,
    findings: Sequence[str] = (),
    *,
    methods: Sequence[str] = (),
    originals: bool = False,
) -> Iterator[Export | LeftOut]:
    """The objects of a profile of a study's results, one after the other.

    `findings` names those to write; by default those that are shown. `methods`: as for `explained`.
    `originals`: the study's own instances come first.

    Raises
    ------
    InputError
        Nothing of the study is explained.
    UnknownFinding
        No model has said anything of a finding that is named.
    UnknownMethod
        Nothing of the study is explained by a method that is named.
    """
    with home.database.read() as session:
        done = explained(session, study_id, methods)
        files = _originals(session, study_id) if originals else []
    if not done and not originals:
        raise InputError("Nothing of this study is explained yet, so there are no results to write.")
    for number, digest in enumerate(files, start=1):
        yield Export(f"original-{number:04}.dcm", "original", "", home.blobs.path(digest))
    numbers = dict.fromkeys(PROFILES[profile], 0)
    known: set[str] = set()
    for explanation_id in done:
        try:
            material = material_of(home, explanation_id)
        except CamlucidaError as error:
            yield LeftOut("all", "", str(error))
            continue
        known |= set(material.explanation.saliency_map.findings)
        chosen = _chosen(material, findings)
        if findings and not chosen:
            continue
        for kind in PROFILES[profile]:
            yield from _of_kind(material, kind, chosen if findings else None, numbers)
    _refuse_unknown(findings, known)


def _of_kind(
    material: Material, kind: str, chosen: Sequence[int] | None, numbers: dict[str, int]
) -> Iterator[Export | LeftOut]:
    """The objects of one kind of an explanation; `numbers` counts them within the study."""
    provenance = material.explanation.provenance
    model = f"{provenance.model_name} {provenance.model_version}, {provenance.method}"
    shown = shown_findings(material.explanation) if chosen is None else chosen
    try:
        datasets = list(objects(material, kind, chosen))
    except InputError as error:
        yield LeftOut(kind, model, str(error))
        return
    single = len(datasets) == len(shown) and kind in {"SC", "PM-source"}  # an object for each finding
    for place, dataset in enumerate(datasets):
        numbers[kind] += 1
        finding = material.explanation.saliency_map.findings[shown[place]] if single else ""
        words = [kind, str(numbers[kind]), *([_slug(finding)] if finding else [])]
        about = f"{finding}: {model}" if finding else model
        yield Export(f"{'-'.join(words)}.dcm", kind, about, to_bytes(dataset))


def _chosen(material: Material, findings: Sequence[str]) -> list[int]:
    """Indices into the map of the findings of these names."""
    names = [name.casefold() for name in material.explanation.saliency_map.findings]
    return [names.index(name.casefold()) for name in findings if name.casefold() in names]


def _refuse_unknown(findings: Sequence[str], known: set[str]) -> None:
    for name in findings:
        if name.casefold() not in {one.casefold() for one in known}:
            raise UnknownFinding(
                f"No model says anything of “{name}” on this study; there are: {', '.join(sorted(known))}."
            )


def explained(session: Session, study_id: int, methods: Sequence[str] = ()) -> list[int]:
    """Ids of the current explanations of a study that are its results, in the order of its images.

    Results are by the method that the station explains by, for itself and for its rules. What a reader has
    tried on a map is looked at, and no result: it leaves the station only where `methods` name it.

    Raises
    ------
    UnknownMethod
        Nothing of the study is explained by a method that is named.
    """
    done = session.execute(
        select(ExplanationRow.id, ExplanationRow.method)
        .join(ExplanationRow.image)
        .join(ExplanationRow.model)
        .where(
            ImageRow.study_id == study_id,
            ~ImageRow.superseded,
            ModelRow.current,
            ExplanationRow.state == State.DONE,
        )
        .order_by(ImageRow.id, ExplanationRow.id)
    ).all()
    there = sorted({method for _, method in done})
    for method in methods:
        if method not in there:
            others = ", ".join(there) or "nothing"
            raise UnknownMethod(f"Nothing of this study is explained by “{method}”; there is: {others}.")
    wanted = methods or [explanations.UNBIDDEN]
    return [identifier for identifier, method in done if method in wanted]


def _originals(session: Session, study_id: int) -> list[str]:
    """Digests of the study's DICOM files, as they came: those of images, and those that are none."""
    study = session.get_one(StudyRow, study_id)
    arrived = session.scalars(
        select(InstanceRow.digest)
        .where(
            InstanceRow.study_instance_uid == study.study_instance_uid, InstanceRow.origin != Origin.RESULT
        )
        .order_by(InstanceRow.id)
    )
    of_images = session.execute(
        select(FileRow.digest, ImageRow.source)
        .join(ImageRow, ImageRow.id == FileRow.image_id)
        .where(ImageRow.study_id == study_id, FileRow.kind == FileKind.ORIGINAL)
        .order_by(FileRow.id)
    )
    read = [digest for digest, source in of_images if source["format"] == "dicom"]
    return list(dict.fromkeys([*arrived, *read]))


def _slug(finding: str) -> str:
    """A finding as part of a file's name: small letters, digits and hyphens."""
    letters = (letter if letter.isascii() and letter.isalnum() else "-" for letter in finding.casefold())
    return "-".join(part for part in "".join(letters).split("-") if part)[:LONGEST_NAME] or "finding"
