"""What another node or server takes: asked by negotiation, and with a phantom where a user wants that."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from pydicom import uid as uids
from pynetdicom import build_context

from camlucida.dicom.header import read_header
from camlucida.errors import NotReached
from camlucida.examples.phantom.dicom import write_radiograph
from camlucida.examples.phantom.radiograph import radiograph
from camlucida.pacs import dicomweb, dimse
from camlucida.pacs.configuration import Destination, DicomWeb, Dimse
from camlucida.pacs.requestor import NothingAccepted, associated
from camlucida.pacs.results import PROFILES
from camlucida.pacs.search import Query, find_studies
from camlucida.pacs.verdict import Fate, Parcel, Verdict

OBJECTS: Mapping[str, tuple[str, uids.UID]] = {
    "SC": ("Secondary Capture", uids.SecondaryCaptureImageStorage),
    "SR": ("Comprehensive 3D SR", uids.Comprehensive3DSRStorage),
    "PM": ("Parametric Map", uids.ParametricMapStorage),
    "SEG": ("Segmentation", uids.SegmentationStorage),
    "PR": ("Grayscale Softcopy Presentation State", uids.GrayscaleSoftcopyPresentationStateStorage),
    "CPR": ("Color Softcopy Presentation State", uids.ColorSoftcopyPresentationStateStorage),
    "KO": ("Key Object Selection", uids.KeyObjectSelectionDocumentStorage),
    "CR": ("Computed Radiography", uids.ComputedRadiographyImageStorage),
    "DX": ("Digital X-Ray", uids.DigitalXRayImageStorageForPresentation),
    "CT": ("CT", uids.CTImageStorage),
    "MR": ("MR", uids.MRImageStorage),
}
SYNTAXES: Mapping[str, uids.UID] = {
    "explicit": uids.ExplicitVRLittleEndian,
    "implicit": uids.ImplicitVRLittleEndian,
    "deflated": uids.DeflatedExplicitVRLittleEndian,
    "RLE": uids.RLELossless,
    "JPEG": uids.JPEGBaseline8Bit,
    "JPEG lossless": uids.JPEGLosslessSV1,
    "JPEG-LS": uids.JPEGLSLossless,
    "JPEG 2000 lossless": uids.JPEG2000Lossless,
    "JPEG 2000": uids.JPEG2000,
    "HTJ2K lossless": uids.HTJ2KLossless,
}
SAME_CLASS = {"FSEG": "SEG", "PM-source": "PM"}  # kinds of results that share a SOP class
VERIFICATION = "1.2.840.10008.1.1"
PHANTOM = 7100  # the number of the film that is stored


class Advice(NamedTuple):
    """The profile that fits, with the reasons; None: nothing of ours is taken."""

    profile: str | None
    reasons: tuple[str, ...]


def reach(destination: Destination) -> str:
    """Ask whether somebody is there, by C-ECHO or a QIDO-RS search for one study; the answer in words.

    Raises
    ------
    NotReached
        Nobody answers, or we are refused.
    """
    if isinstance(destination, DicomWeb):
        found = dicomweb.search(destination, "studies", {}, most=1)
        return f"QIDO-RS answers, {'with a study' if found else 'without any study'}."
    try:
        with associated(destination, [build_context(VERIFICATION)]) as association:
            status = association.send_c_echo()
    except NothingAccepted:
        return "It takes our association, and no C-ECHO."
    if status.get("Status") != 0:
        raise NotReached(f"{destination.ae_title} does not answer a C-ECHO as it should.")
    return "C-ECHO answers."


def accepted(node: Dimse) -> dict[str, list[str]]:
    """For each object, by its short name, the transfer syntaxes in which the node takes it.

    Raises
    ------
    NotReached
        The node does not answer or rejects us.
    """
    pairs = [(str(uid), str(syntax)) for _, uid in OBJECTS.values() for syntax in SYNTAXES.values()]
    found = dimse.negotiated(node, pairs)
    return {
        name: [word for word, syntax in SYNTAXES.items() if (str(uid), str(syntax)) in found]
        for name, (_, uid) in OBJECTS.items()
    }


def advise(taken: Iterable[str]) -> Advice:
    """The profile for a receiver that takes these objects, by their short names.

    `clinical` is proposed wherever it fits, because a receiver that keeps an object need not be able to show
    it; the wider one is mentioned.
    """
    known = set(taken)
    missing = {name: sorted(_classes(name) - known) for name in PROFILES}
    also = [name for name in ("research", "ohif") if not missing[name]]
    if not missing["clinical"]:
        more = [f"It would take `{name}`, too; whether it shows that has to be seen." for name in also]
        return Advice("clinical", ("It takes Secondary Captures and reports.", *more))
    if "SC" in known:
        return Advice("clinical", ("It takes Secondary Captures; reports will be refused, and given up.",))
    if also:
        return Advice(also[-1], ("It takes no Secondary Captures.",))
    if "SR" in known:
        return Advice("clinical", ("It takes reports; Secondary Captures will be refused, and given up.",))
    return Advice(None, ("It takes neither Secondary Captures nor reports.",))


def store_phantom(destination: Destination) -> tuple[Verdict, bool]:
    """Store a phantom's film there and search for it: what came of it, and whether it was found.

    It stays there: only the receiver's own administration removes it.

    Raises
    ------
    NotReached
        The receiver does not answer or refuses us.
    """
    with TemporaryDirectory(prefix="camlucida-") as folder:
        path = Path(folder) / "phantom.dcm"
        write_radiograph(radiograph(PHANTOM, rows=512), path)
        header = read_header(path)
        parcel = Parcel(
            0, header.sop_class_uid, header.sop_instance_uid, header.transfer_syntax_uid, lambda: path
        )
        if isinstance(destination, DicomWeb):
            told = list(dicomweb.store(destination, [parcel]))
        else:
            told = list(dimse.store(destination, [parcel]))
    if not told:
        raise NotReached("The receiver ended the association as soon as it had taken it.")
    verdict = told[0][1]
    if verdict.fate is not Fate.KEPT:
        return verdict, False
    try:
        studies = find_studies(destination, Query(study_instance_uid=header.study_instance_uid))
    except NotReached:  # it takes no searches
        return verdict, False
    return verdict, len(studies) == 1


def _classes(profile: str) -> set[str]:
    return {SAME_CLASS.get(kind, kind) for kind in PROFILES[profile]}
