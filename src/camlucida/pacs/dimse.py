"""Store at other DICOM nodes by C-STORE (PS3.7 9.1.1, PS3.4 B), and ask what they accept."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.uid import UID, ExplicitVRLittleEndian, ImplicitVRLittleEndian
from pynetdicom import _config, build_context

from camlucida.dicom.header import file_meta
from camlucida.errors import DamagedBlob
from camlucida.pacs.configuration import Dimse
from camlucida.pacs.requestor import NothingAccepted, address, associated
from camlucida.pacs.verdict import Fate, Parcel, Verdict, of_status

_config.STORE_SEND_CHUNKED_DATASET = True  # a file's data set is sent as its bytes are, not written anew

MOST_CONTEXTS = 128  # PS3.8 9.3.2.2: odd numbers of one byte

Context = tuple[str, str]
"""A SOP class and a transfer syntax: one presentation context each, so that the answer is unambiguous."""


def store(
    node: Dimse, parcels: Sequence[Parcel], stop: Callable[[], bool] = lambda: False
) -> Iterator[tuple[Parcel, Verdict]]:
    """Send instances by C-STORE over one association, as far as it carries.

    It ends early, without a word on the remaining parcels, when the association breaks, when the contexts of
    one association are used up, or when `stop()` is true between two of them.

    Raises
    ------
    NotReached
        As `associated`; nothing was sent.
    """
    offered = _offered(parcels)
    try:
        with associated(node, [build_context(*one) for one in offered]) as association:
            accepted = _accepted(association)
            for parcel in parcels:
                if stop() or not association.is_established or not _own(parcel) <= set(offered):
                    return
                yield parcel, _store_one(node, association, accepted, parcel)
    except NothingAccepted:
        for parcel in parcels:
            if _own(parcel) <= set(offered):
                yield parcel, _not_accepted(node, parcel)


def negotiated(node: Dimse, pairs: Sequence[Context]) -> set[Context]:
    """Which of these a node accepts, asked in as many associations as are needed.

    Raises
    ------
    NotReached
        The node does not answer or rejects us.
    """
    found: set[Context] = set()
    for begin in range(0, len(pairs), MOST_CONTEXTS):
        contexts = [build_context(*pair) for pair in pairs[begin : begin + MOST_CONTEXTS]]
        with suppress(NothingAccepted), associated(node, contexts) as association:
            found |= _accepted(association)
    return found


def _accepted(association: Any) -> set[Context]:
    return {
        (str(context.abstract_syntax), str(context.transfer_syntax[0]))
        for context in association.accepted_contexts
    }


def _own(parcel: Parcel) -> set[Context]:
    return {(parcel.sop_class_uid, parcel.transfer_syntax_uid)}


def _offered(parcels: Sequence[Parcel]) -> list[Context]:
    """Contexts to offer: each object as it is kept, and uncompressed; until an association is full."""
    offered: dict[Context, None] = {}
    for parcel in parcels:
        syntaxes = (parcel.transfer_syntax_uid, ExplicitVRLittleEndian, ImplicitVRLittleEndian)
        more = {(parcel.sop_class_uid, str(syntax)): None for syntax in syntaxes}
        if len(offered | more) > MOST_CONTEXTS:
            break
        offered |= more
    return list(offered)


def _store_one(node: Dimse, association: Any, accepted: set[Context], parcel: Parcel) -> Verdict:
    try:
        path = parcel.path()
    except DamagedBlob:
        return Verdict(Fate.NEVER, "The kept file is missing or damaged.")
    with TemporaryDirectory(prefix="camlucida-") as folder:
        try:
            fitting = _fitting(path, accepted, parcel, Path(folder))
        except Exception:  # noqa: BLE001 - any decoder's fault: it cannot be sent in another syntax
            return Verdict(Fate.NEVER, f"{_syntax(parcel)} is refused, and it cannot be decompressed.")
        if fitting is None:
            return _not_accepted(node, parcel)
        try:
            status = association.send_c_store(fitting)
        except (RuntimeError, ValueError):
            status = Dataset()
    return of_status(status.Status) if "Status" in status else Verdict(Fate.LATER, _broken(node))


def _fitting(path: Path, accepted: set[Context], parcel: Parcel, folder: Path) -> Path | None:
    """The file in a transfer syntax that is accepted: as it is, or uncompressed. None: there is none."""
    if _own(parcel) <= accepted and _says_what_it_is(path, parcel):
        return path
    kept = UID(parcel.transfer_syntax_uid)
    choice = (kept, ExplicitVRLittleEndian, ImplicitVRLittleEndian)
    found = next((one for one in choice if (parcel.sop_class_uid, str(one)) in accepted), None)
    if found is None:
        return None
    dataset = dcmread(path, force=True)
    if found != kept:
        _uncompress(dataset, kept, found)
    target = folder / "converted.dcm"
    dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    dataset.file_meta.TransferSyntaxUID = found
    dataset.save_as(target, enforce_file_format=True)
    return target


def _uncompress(dataset: Dataset, kept: UID, wanted: UID) -> None:
    if kept.is_compressed and kept.is_encapsulated:
        dataset.decompress(generate_instance_uid=False)  # the same instance: the same UID
    elif not kept.is_little_endian:
        raise ValueError(kept)  # the retired big endian, whose pixel data would have to be turned round
    dataset.file_meta.TransferSyntaxUID = wanted


def _says_what_it_is(path: Path, parcel: Parcel) -> bool:
    """Whether the file meta group is there and right: pynetdicom tells the receiver what stands in it."""
    meta, _ = file_meta(path)
    words = ("MediaStorageSOPClassUID", "MediaStorageSOPInstanceUID", "TransferSyntaxUID")
    return tuple(meta.get(word) for word in words) == parcel[1:4]


def _not_accepted(node: Dimse, parcel: Parcel) -> Verdict:
    name = UID(parcel.sop_class_uid).name
    return Verdict(
        Fate.NEVER, f"{node.ae_title} does not accept {name} in {_syntax(parcel)} or uncompressed."
    )


def _syntax(parcel: Parcel) -> str:
    return str(UID(parcel.transfer_syntax_uid).name)


def _broken(node: Dimse) -> str:
    return f"{address(node)} broke the association or did not answer."
