"""Fetch studies: by WADO-RS, or by C-GET, or where that is not offered by C-MOVE to ourselves."""

import shutil
import socket
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from pydicom import uid as uids
from pydicom.dataset import Dataset
from pynetdicom import StoragePresentationContexts, build_context, build_role, evt

from camlucida.errors import CamlucidaError, NotReached
from camlucida.pacs import dicomweb
from camlucida.pacs.configuration import Destination, DicomWeb, Dimse, Listening
from camlucida.pacs.dimse import MOST_CONTEXTS
from camlucida.pacs.requestor import NothingAccepted, address, associated
from camlucida.pacs.search import Study, series_of
from camlucida.store.blobs import Part
from camlucida.store.home import Home
from camlucida.store.instances import Kept, take
from camlucida.store.tables import Origin

MOVE_SECONDS = 300.0  # of silence, while the other side sends
STALLED_SECONDS = 1800.0  # of answers without an instance: an archive may look for a tape
FETCHING = "fetching-"  # folders of instances on their way, in the home
LEFT_SECONDS = 86400.0  # without a change, after which such a folder is nobody's
MOST_INSTANCES = 100_000  # of a fetch
TOO_MANY = f"more than {MOST_INSTANCES} instances; ask for one modality."
STUDY_ROOT_GET = "1.2.840.10008.5.1.4.1.2.2.3"
STUDY_ROOT_MOVE = "1.2.840.10008.5.1.4.1.2.2.2"
UNCOMPRESSED = [str(uids.ExplicitVRLittleEndian), str(uids.ImplicitVRLittleEndian)]
COMPRESSED = [
    *(uids.JPEGBaseline8Bit, uids.JPEGExtended12Bit, uids.JPEGLossless, uids.JPEGLosslessSV1),
    *(uids.JPEGLSLossless, uids.JPEGLSNearLossless, uids.JPEG2000Lossless, uids.JPEG2000),
    *(uids.HTJ2KLossless, uids.RLELossless, uids.DeflatedExplicitVRLittleEndian),
]
CLASSES: Mapping[str, Sequence[str]] = {
    "CR": (uids.ComputedRadiographyImageStorage,),
    "DX": (uids.DigitalXRayImageStorageForPresentation, uids.DigitalXRayImageStorageForProcessing),
    "MG": (uids.DigitalMammographyXRayImageStorageForPresentation, uids.BreastTomosynthesisImageStorage),
    "CT": (uids.CTImageStorage, uids.EnhancedCTImageStorage, uids.LegacyConvertedEnhancedCTImageStorage),
    "MR": (uids.MRImageStorage, uids.EnhancedMRImageStorage, uids.LegacyConvertedEnhancedMRImageStorage),
    "PT": (uids.PositronEmissionTomographyImageStorage, uids.EnhancedPETImageStorage),
    "NM": (uids.NuclearMedicineImageStorage,),
    "US": (uids.UltrasoundImageStorage, uids.UltrasoundMultiFrameImageStorage),
    "XA": (uids.XRayAngiographicImageStorage, uids.EnhancedXAImageStorage),
    "RF": (uids.XRayRadiofluoroscopicImageStorage,),
}
"""Storage SOP classes of a modality. Those of others are asked for in uncompressed form only."""
RESULTS: Sequence[str] = (
    *(uids.SecondaryCaptureImageStorage, uids.Comprehensive3DSRStorage, uids.ParametricMapStorage),
    *(uids.SegmentationStorage, uids.GrayscaleSoftcopyPresentationStateStorage),
    *(uids.ColorSoftcopyPresentationStateStorage, uids.KeyObjectSelectionDocumentStorage),
)
"""What we may have sent there: among the first that are asked for, as not all classes fit into a request."""


class Got(NamedTuple):
    """What came of fetching: an instance, or why something was not fetched."""

    kept: Kept | None
    reason: str = ""


class Way(StrEnum):
    """How instances come."""

    WADO = "WADO-RS"
    GET = "C-GET"
    MOVE = "C-MOVE"


def fetch(
    home: Home,
    source: Destination,
    study: Study,
    listening: Listening,
    *,
    name: str,
    modality: str = "",
    told: Callable[[Way], None] = lambda _: None,
) -> Iterator[Got]:
    """Fetch a study, or its series of one modality, into the store; what came of each instance.

    Raises
    ------
    NotReached
        The other side does not answer, refuses us, or offers no way.
    """
    series = (
        [one.uid for one in series_of(source, study.uid) if one.modality == modality] if modality else [""]
    )
    if isinstance(source, DicomWeb):
        told(Way.WADO)
        yield from _by_wado(home, source, study, series, name)
        return
    try:
        yield from _by_get(home, source, study, series, name, told)
    except _NotOffered:
        told(Way.MOVE)
        yield from _by_move(home, source, study, series, listening)


class _NotOffered(Exception):  # noqa: N818 - no error: the next way is tried
    """C-GET is not offered, or did not work."""


def _by_wado(home: Home, source: DicomWeb, study: Study, series: Sequence[str], name: str) -> Iterator[Got]:
    _sweep(home.folder)
    with TemporaryDirectory(prefix=FETCHING, dir=home.folder) as folder:
        number = 0
        for one in series:
            resource = f"studies/{study.uid}" + (f"/series/{one}" if one else "")
            for path in dicomweb.retrieve(source, resource, Path(folder)):
                number += 1
                if number > MOST_INSTANCES:
                    raise NotReached(f"{source.url} sends {TOO_MANY}")
                try:
                    yield _take(home, path, study, name)
                finally:
                    path.unlink()


def _sweep(folder: Path) -> None:
    """Remove what a fetch that was killed has left: it holds a patient's image."""
    for left in folder.glob(f"{FETCHING}*"):
        if time.time() - left.stat().st_mtime > LEFT_SECONDS:
            shutil.rmtree(left, ignore_errors=True)  # another fetch may do the same


def _by_get(
    home: Home,
    source: Dimse,
    study: Study,
    series: Sequence[str],
    name: str,
    told: Callable[[Way], None],
) -> Iterator[Got]:
    """C-GET (PS3.4 C.4.3): instances come over the association that we have opened."""
    got: list[Got] = []
    bounds = _Bounds(source)

    def store(event: Any) -> int:
        if not bounds.let_in():
            event.assoc.abort()
            return 0xA700
        got.append(_arrived(home, event.request, study, name))
        return 0x0000 if got[-1].kept is not None else 0xA700

    contexts, roles = _offered(study)
    model = STUDY_ROOT_GET
    try:
        with associated(
            source,
            contexts,
            negotiation=roles,
            handlers=[(evt.EVT_C_STORE, store)],
            answer_seconds=MOVE_SECONDS,
            begin=home.blobs.begin,
        ) as association:
            if model not in {one.abstract_syntax for one in association.accepted_contexts}:
                raise _NotOffered
            told(Way.GET)
            for one in series:
                answers = association.send_c_get(_identifier(study.uid, one), model)
                yield from _answers(source, bounds.watch(answers), got)
    except NothingAccepted:
        raise _NotOffered from None


class _Bounds:
    """Ends what a node would never end: instance after instance, or answers with none."""

    def __init__(self, source: Dimse) -> None:
        self._source = source
        self._number = self._done = 0
        self._last = time.monotonic()

    def let_in(self) -> bool:
        """Whether one more instance may come."""
        self._number += 1
        self._last = time.monotonic()
        return self._number <= MOST_INSTANCES

    def watch(self, answers: Iterable[tuple[Dataset, Any]]) -> Iterator[tuple[Dataset, Any]]:
        """The answers, until there is too much, or too little in them."""
        for status, identifier in answers:
            done = int(status.get("NumberOfCompletedSuboperations", 0) or 0)
            if done > self._done:
                self._done, self._last = done, time.monotonic()
            if self._number > MOST_INSTANCES:
                raise NotReached(f"{address(self._source)} sends {TOO_MANY}")
            if time.monotonic() - self._last > STALLED_SECONDS:
                raise NotReached(f"{address(self._source)} answers and sends nothing; its log says why.")
            yield status, identifier


def _arrived(home: Home, request: Any, study: Study, name: str) -> Got:
    """Keep an instance that a C-STORE request has brought."""
    arriving = request._dataset_file  # noqa: SLF001 - ours: see Answers
    try:
        if arriving.part is None or arriving.failure is not None:
            return Got(None, str(arriving.failure))
        return _take(home, arriving.part, study, name)
    finally:
        arriving.close()


def _offered(study: Study) -> tuple[list[Any], list[Any]]:
    """Contexts for a C-GET of a study, and that we are the ones who store.

    One context for each compressed syntax: a node with a choice takes the first and then has to decompress.
    """
    images = [str(uid) for modality in study.modalities for uid in CLASSES.get(modality, ())]
    plain = dict.fromkeys([*images, *map(str, RESULTS)])
    pairs = [(uid, UNCOMPRESSED) for uid in plain]
    pairs += [(uid, [str(syntax)]) for uid in images for syntax in COMPRESSED]
    others = (str(one.abstract_syntax) for one in StoragePresentationContexts)
    pairs += [(uid, UNCOMPRESSED) for uid in others if uid not in plain]
    pairs = pairs[: MOST_CONTEXTS - 1]
    roles = [build_role(uid, scp_role=True) for uid in dict.fromkeys(uid for uid, _ in pairs)]
    return [
        build_context(STUDY_ROOT_GET, UNCOMPRESSED),
        *(build_context(uid, list(ts)) for uid, ts in pairs),
    ], roles


def _by_move(
    home: Home, source: Dimse, study: Study, series: Sequence[str], listening: Listening
) -> Iterator[Got]:
    """C-MOVE (PS3.4 C.4.2): the other side calls us, the running station or a receiver of our own."""
    model, bounds = STUDY_ROOT_MOVE, _Bounds(source)
    with _receiving(home, listening):
        try:
            opened = associated(source, [build_context(model, UNCOMPRESSED)], answer_seconds=MOVE_SECONDS)
            with opened as association:
                for one in series:
                    identifier = _identifier(study.uid, one)
                    answers = association.send_c_move(identifier, listening.ae_title, model)
                    yield from _moved(source, bounds.watch(answers), listening)
        except NothingAccepted:
            raise NotReached(
                f"{address(source)} offers neither C-GET nor C-MOVE; fetch by DICOMweb, if it has that."
            ) from None


def _answers(source: Dimse, answers: Any, got: list[Got]) -> Iterator[Got]:
    """What came over the association so far, after each answer; and failures that it tells at the end."""
    status = Dataset()
    for status, _ in answers:
        yield from got
        failed = sum(one.kept is None for one in got)
        got.clear()
        if status.get("Status") in {0x0000, 0xB000}:  # otherwise the next way is tried
            for _ in range(max(0, int(status.get("NumberOfFailedSuboperations", 0) or 0) - failed)):
                yield Got(None, f"{source.ae_title} could not send an instance.")
    if status.get("Status") not in {0x0000, 0xB000}:
        raise _NotOffered(_ended(source, status, Way.GET))


def _moved(source: Dimse, answers: Any, listening: Listening) -> Iterator[Got]:
    status, before = Dataset(), 0
    for status, _ in answers:
        done = int(status.get("NumberOfCompletedSuboperations", 0) or 0)
        done += int(status.get("NumberOfWarningSuboperations", 0) or 0)
        for _ in range(done - before):
            yield Got(Kept.NEW)
        before = max(before, done)
    for _ in range(int(status.get("NumberOfFailedSuboperations", 0) or 0)):
        yield Got(None, f"{source.ae_title} could not send an instance to {listening.ae_title}.")
    if status.get("Status") == 0xA801:
        raise NotReached(
            f"{address(source)} does not know where {listening.ae_title} is; have our AE title, address and "
            f"port {listening.port} added there."
        )
    if status.get("Status") not in {0x0000, 0xB000}:
        raise NotReached(_ended(source, status, Way.MOVE))


def _ended(source: Dimse, status: Dataset, way: Way) -> str:
    if "Status" not in status:
        return f"{address(source)} broke the association during the {way}, or was silent for too long."
    return f"{address(source)} ended the {way} with the status {status.Status:04X}; its log says why."


@contextmanager
def _receiving(home: Home, listening: Listening) -> Iterator[None]:
    """A receiver where the configuration says, unless the running station listens there."""
    from camlucida.pacs.receive import Receiver  # noqa: PLC0415 - C-GET and WADO-RS need none

    if listening.port and _is_taken(listening):
        yield
        return
    with Receiver(home, listening):
        yield


def _is_taken(listening: Listening) -> bool:
    host = listening.host if listening.host not in {"0.0.0.0", "::"} else "127.0.0.1"  # noqa: S104 - compared
    try:
        with socket.create_connection((host, listening.port), 2):
            return True
    except OSError:
        return False


def _take(home: Home, source: Path | Part, study: Study, name: str) -> Got:
    try:
        arrival = take(home, source, Origin.FETCHED, name)
    except CamlucidaError as error:
        return Got(None, str(error))
    if arrival.study_instance_uid != study.uid:
        return Got(
            arrival.kept, "The other side sent an instance of a study that was not asked for; it is kept."
        )
    return Got(arrival.kept)


def _identifier(study_uid: str, series_uid: str) -> Dataset:
    identifier = Dataset()
    identifier.QueryRetrieveLevel = "SERIES" if series_uid else "STUDY"
    identifier.StudyInstanceUID = study_uid
    if series_uid:
        identifier.SeriesInstanceUID = series_uid
    return identifier
