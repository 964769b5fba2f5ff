"""Sources that are told to be difficult: does each come through, from the modality to the PACS and back?

storescu sends; a rule names a model for each sender; the worker writes all objects of the profile `research`;
Orthanc gets them by C-STORE and by STOW-RS, keeps each once and gives the very bytes back by WADO-RS.
"""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import pytest
import torch
from pydicom import Dataset, dcmread
from pydicom.uid import (
    ColorSoftcopyPresentationStateStorage,
    Comprehensive3DSRStorage,
    GrayscaleSoftcopyPresentationStateStorage,
    KeyObjectSelectionDocumentStorage,
    ParametricMapStorage,
    SecondaryCaptureImageStorage,
    SegmentationStorage,
)

from camlucida.dicom.header import file_meta
from camlucida.models.architectures import SmallResNet
from camlucida.models.registry import Registry
from camlucida.pacs.configuration import read_configuration
from camlucida.pacs.receive import Receiver
from camlucida.pacs.send import send_to
from camlucida.pacs.verdict import Fate
from camlucida.station import Did, Worker
from camlucida.store import deliveries, instances
from camlucida.store.home import Home
from camlucida.store.tables import InstanceRow, Intent, Origin
from dicom.sources import bundled, oblique_ct
from dicom.validation import errors_beyond, inconsistencies
from example_models import CARD, write_model
from orthanc import Orthanc
from storescu import storescu

pytestmark = pytest.mark.slow

CONFIGURATION = """
[listen]
port = 0
quiet_seconds = 0

[destination.pacs]
kind = "dimse"
ae_title = "{orthanc.ae_title}"
host = "127.0.0.1"
port = {orthanc.dicom_port}

[destination.archive]
kind = "dicomweb"
url = "{orthanc.dicomweb_url}"
"""
RULE = """
[[rule]]
name = "{0}"
sender = ["{0}"]
models = ["{1.model}"]
results = "research"
send_to = ["pacs", "archive"]
"""


class Case(NamedTuple):
    """What a sender sends, for which model, and what must come of it."""

    model: str
    images: int
    shown: int  # findings of each image that reach their operating point, all of them with evidence
    state: str = GrayscaleSoftcopyPresentationStateStorage

    @property
    def objects(self) -> Counter[str]:
        """How many there must be of each SOP class."""
        of_an_image = {
            SecondaryCaptureImageStorage: self.shown,
            Comprehensive3DSRStorage: 1,
            ParametricMapStorage: 1,
            SegmentationStorage: 2,  # areas and attribution
            self.state: 1,
            KeyObjectSelectionDocumentStorage: 1,
        }
        return Counter({kind: number * self.images for kind, number in of_an_image.items()})


CASES = {
    "RG1": Case("phantom-radiograph", images=1, shown=2),
    "ENHANCED_CT": Case("volumes", images=1, shown=2),
    "ENHANCED_MR": Case("frames", images=3, shown=2),
    "OBLIQUE_CT": Case("phantom-ct-nodule", images=1, shown=1),
    "PHOTOGRAPH": Case("photographs", images=1, shown=2, state=ColorSoftcopyPresentationStateStorage),
}
"""By the sender's AE title."""


@dataclass(frozen=True)
class Station:
    """A home in which all has been explained, the PACS, and each sender's files."""

    home: Home
    orthanc: Orthanc
    files: dict[str, list[Path]]

    def rows(self, sender: str, origin: Origin) -> list[InstanceRow]:
        """What is kept of the study of this sender."""
        study = dcmread(self.files[sender][0], stop_before_pixels=True).StudyInstanceUID
        with self.home.database.read() as session:
            return [row for row in instances.of_study(session, study) if row.origin == origin]

    def send(self, rows: list[InstanceRow], name: str) -> list[Fate]:
        """Send to this destination, even what was sent before."""
        ids = [row.id for row in rows]
        with self.home.database.write() as session:
            assert deliveries.again(session, name, ids, even_sent=True) == len(ids)
        destination = read_configuration(self.home.folder).destination[name]
        return [one.fate for one in send_to(self.home, name, destination, instance_ids=ids)]


@pytest.fixture(scope="module")
def station(tmp_path_factory) -> Iterator[Station]:
    """Everything has been received, and the worker has done what there was to do."""
    folder = tmp_path_factory.mktemp("station")
    files = {
        "RG1": [bundled("RG1_UNCR.dcm")],
        "ENHANCED_CT": [bundled("eCT_Supplemental.dcm")],
        "ENHANCED_MR": [first_frames(folder / "mr.dcm", 3)],
        "OBLIQUE_CT": oblique_ct(folder / "ct"),
        "PHOTOGRAPH": [bundled("SC_rgb.dcm")],
    }
    home = Home.open(folder / "home")
    register(home, folder / "volumes", ["CT"], [8, 32, 32])
    register(home, folder / "frames", ["MR"], [32, 32])
    register(home, folder / "photographs", ["OT"], [32, 32], channels=3)
    with Orthanc(folder / "orthanc") as orthanc:
        rules = "".join(RULE.format(*one) for one in CASES.items())
        (home.folder / "pacs.toml").write_text(CONFIGURATION.format(orthanc=orthanc) + rules)
        with Receiver(home, read_configuration(home.folder).listen) as receiver:
            for sender, paths in files.items():
                said = storescu(receiver.port, paths, calling=sender)
                assert said.stderr.count("Received Store Response (Success)") == len(paths), said.stderr
        assert Did.FAILED not in {step.did for step in Worker(home).work()}
        yield Station(home, orthanc, files)
    home.close()


def first_frames(path: Path, number: int) -> Path:
    """An enhanced MR of so many frames: each becomes an image of its own, and ten would take long."""
    data = dcmread(bundled("emri_small.dcm"))
    data.PixelData = data.PixelData[: number * data.Rows * data.Columns * data.BitsAllocated // 8]
    data.NumberOfFrames = number
    data.save_as(path)
    return path


def register(home: Home, folder: Path, modality: list[str], size: list[int], channels: int = 1) -> None:
    """A small random network, called as its folder, that has evidence for two findings in everything."""
    arguments = {**CARD["architecture_arguments"], "space": len(size), "channels": channels}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = SmallResNet(**arguments).eval()
    with torch.no_grad():
        network.head.weight.abs_().mul_(100)  # tenths of a logit, so that there are shades to be drawn
    findings = [{**finding, "operating_point": 0.01} for finding in CARD["findings"]]
    takes = {"modality": modality, "size": size, "channels": channels}
    takes |= {"intensity": "percentile", "low": 1, "high": 99}
    changes = {"architecture_arguments": arguments, "input": takes, "findings": findings}
    Registry(home.folder).add(write_model(folder, network, name=folder.name, **changes))


@pytest.mark.parametrize("sender", CASES)
def test_what_was_sent_is_kept_and_was_read(station, sender):
    rows = station.rows(sender, Origin.STORE)
    kept = [unpadded(station.home.blobs.path(row.digest)) for row in rows]
    assert kept == [unpadded(path) for path in station.files[sender]]
    assert {(row.sender, row.intent, row.reason) for row in rows} == {(sender, Intent.TAKEN, "")}


def unpadded(path: Path) -> Dataset:
    """Without the padding at its end, which has no meaning (PS3.10 7.2): RG1 has it, storescu drops it."""
    data = dcmread(path)
    data.pop("DataSetTrailingPadding", None)
    return data


@pytest.mark.parametrize("sender", CASES)
def test_all_objects_of_the_profile_are_written_and_valid(station, sender):
    rows = station.rows(sender, Origin.RESULT)
    assert Counter(row.sop_class_uid for row in rows) == CASES[sender].objects
    paths = [station.home.blobs.path(row.digest) for row in rows]
    assert [errors_beyond(path, station.files[sender]) for path in paths] == [[]] * len(paths)
    assert inconsistencies(paths, station.files[sender]) == []


@pytest.mark.parametrize("sender", CASES)
@pytest.mark.parametrize(("first", "second"), [("pacs", "archive"), ("archive", "pacs")])
def test_they_come_back_once_and_byte_for_byte(station, sender, first, second, tmp_path):
    """Whichever way they went first, and they are the same objects when they come the other way, too."""
    rows = station.rows(sender, Origin.RESULT)
    written = {row.sop_instance_uid: identity(station.home.blobs.path(row.digest)) for row in rows}
    station.orthanc.clear()
    for name in (first, second):
        assert station.send(rows, name) == [Fate.KEPT] * len(rows)
        assert sorted(station.orthanc.stored()) == sorted(written)
        back = retrieved(station.orthanc, rows[0].study_instance_uid, tmp_path)
        assert dict(back) == written
        assert len(back) == len(written)


def identity(path: Path) -> tuple[str, str, bytes]:
    """SOP class, transfer syntax and the bytes of the data set; a receiver writes its own file meta group."""
    meta, offset = file_meta(path)
    return meta.MediaStorageSOPClassUID, meta.TransferSyntaxUID, path.read_bytes()[offset:]


def retrieved(orthanc: Orthanc, study: str, folder: Path) -> list[tuple[str, tuple[str, str, bytes]]]:
    """A study by WADO-RS as it is kept (PS3.18 10.4): SOP Instance UID and identity of each instance."""
    accept = 'multipart/related; type="application/dicom"; transfer-syntax=*'
    with orthanc.client() as client:
        answer = client.get(f"/dicom-web/studies/{study}", headers={"Accept": accept}).raise_for_status()
    boundary = re.search(r'boundary="?([^";]+)', answer.headers["Content-Type"])[1]
    found = []
    for part in answer.content.split(f"--{boundary}".encode())[1:-1]:
        path = folder / "part.dcm"
        path.write_bytes(part.partition(b"\r\n\r\n")[2].removesuffix(b"\r\n"))
        found.append((str(file_meta(path)[0].MediaStorageSOPInstanceUID), identity(path)))
    return found
