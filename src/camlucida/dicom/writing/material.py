"""What every written object is made of, and what all of them have in common."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from io import BytesIO

from pydicom import dcmwrite
from pydicom.dataset import Dataset

from camlucida.dicom.thread_warnings import warned
from camlucida.errors import InputError
from camlucida.records import Explanation, Image

FORMAT = 1
"""Raised when the objects that are written of the same map change: an instance keeps its content for good."""


@dataclass(frozen=True, slots=True, eq=False)
class Material:
    """A kept explanation, its image, and the headers of the instances that the image was read from.

    `sources` are data sets without pixel data, in the order of `image.source.sop_instance_uids` (the slices
    of a volume from 0), or one of a single-frame or multi-frame object.
    """

    explanation: Explanation
    image: Image
    sources: tuple[Dataset, ...]

    def __post_init__(self) -> None:
        """Refuse what is not DICOM."""
        if not self.sources:
            raise InputError(
                "The image was not read from DICOM, so no DICOM object can refer to it; "
                "`camlucida explain FILE --out DIR` writes overlays and maps."
            )

    @property
    def first(self) -> Dataset:
        """The source whose patient and study the written objects belong to."""
        return self.sources[0]

    @property
    def created(self) -> datetime:
        """When the explanation was computed, in UTC: what is written of it never changes with the clock."""
        return datetime.fromisoformat(self.explanation.provenance.created).astimezone(UTC)

    def uid(self, *words: str) -> str:
        """A UID that is the same whenever the same thing is written of the same map and the same sources.

        `2.25.` and 128 bits of a SHA-256 (PS3.5 B.2).
        """
        determining = {
            "format": FORMAT,
            "map": self.explanation.provenance.cache_key,
            "findings": self.explanation.saliency_map.findings,
            "study": str(self.first.StudyInstanceUID),
            "sources": [str(source.SOPInstanceUID) for source in self.sources],
            "frame": self.image.source.frame_number,
            "words": words,
        }
        return _uid(determining)

    @property
    def model_uid(self) -> str:
        """A UID of the model as a device: the same in all that is written of it."""
        return _uid({"model": self.explanation.provenance.model_digest})


def _uid(determining: dict[str, object]) -> str:
    digest = hashlib.sha256(json.dumps(determining, sort_keys=True).encode()).digest()
    return f"2.25.{int.from_bytes(digest[:16], 'big')}"


def shown_findings(explanation: Explanation) -> tuple[int, ...]:
    """Indices into the map of the findings that reach their operating point, strongest first.

    A finding without an operating point counts from a probability of 0.5.
    """
    prediction = explanation.prediction
    found: list[tuple[float, int]] = []
    for index, name in enumerate(explanation.saliency_map.findings):
        position = prediction.index(name)
        point = prediction.findings[position].operating_point
        if prediction.probabilities[position] >= (0.5 if point is None else point):
            found.append((-prediction.probabilities[position], index))
    return tuple(index for _, index in sorted(found))


def to_bytes(dataset: Dataset) -> bytes:
    """A Part 10 file (PS3.10); the same data set gives the same bytes."""
    buffer = BytesIO()
    with warned():  # of values of the source that break a rule
        dcmwrite(buffer, dataset, enforce_file_format=True)
    return buffer.getvalue()


def indices(explanation: Explanation, findings: Sequence[int] | None) -> tuple[int, ...]:
    """The findings to write: those named, or those that are shown."""
    return shown_findings(explanation) if findings is None else tuple(findings)


def selection(explanation: Explanation, chosen: Sequence[int]) -> tuple[str, ...]:
    """What tells objects of several findings apart: nothing for those that are shown, else the findings.

    An object of other findings has other content, so it is another instance.
    """
    if set(chosen) == set(shown_findings(explanation)):
        return ()
    return tuple(explanation.saliency_map.label(index) for index in sorted(chosen))
