"""A node that we call may send us anything: it ends in a sentence, in bounded time, memory and disk."""

import struct
import time
import tracemalloc
from contextlib import contextmanager
from types import SimpleNamespace

import pytest
from pydicom import Dataset, dcmread
from pynetdicom import AE, evt
from pynetdicom.sop_class import (
    DigitalXRayImageStorageForPresentation,
    StudyRootQueryRetrieveInformationModelFind,
    StudyRootQueryRetrieveInformationModelGet,
    StudyRootQueryRetrieveInformationModelMove,
)

from camlucida.errors import NotReached
from camlucida.examples.phantom.dicom import write_radiograph
from camlucida.examples.phantom.radiograph import radiograph
from camlucida.pacs import answers, requestor, search
from camlucida.pacs import fetch as fetching
from camlucida.pacs.configuration import Dimse, Listening
from camlucida.pacs.fetch import fetch
from camlucida.pacs.search import Query, Study, find_studies
from camlucida.store import instances
from orthanc import HOST
from scp import serving

ANYTHING = Query(accession_number="A1")
STUDY = Study("1.2.1", "P1", "A1", "20240105", "", ("DX",), None)


@pytest.fixture(autouse=True)
def patient(monkeypatch):
    """Whatever ends here ends for another reason than that a node is silent."""
    monkeypatch.setattr(requestor, "ANSWER_SECONDS", 300.0)
    monkeypatch.setattr(fetching, "MOVE_SECONDS", 300.0)


@pytest.fixture
def home(new_home, tmp_path):
    opened = new_home(tmp_path / "home")
    yield opened
    opened.close()


@pytest.fixture
def film(tmp_path):
    write_radiograph(radiograph(1, rows=64), tmp_path / "film.dcm")
    return dcmread(tmp_path / "film.dcm")


@contextmanager
def node(*handlers):
    entity = AE(ae_title="PACS")
    entity.add_supported_context(StudyRootQueryRetrieveInformationModelFind)
    entity.add_supported_context(StudyRootQueryRetrieveInformationModelGet)
    entity.add_supported_context(StudyRootQueryRetrieveInformationModelMove)
    entity.add_supported_context(DigitalXRayImageStorageForPresentation, scu_role=True, scp_role=True)
    with serving(entity, *handlers) as port:
        yield Dimse(kind="dimse", ae_title="PACS", host=HOST, port=port)


def fragment(content, control):
    """A P-DATA-TF PDU with one fragment in the first context."""
    value = struct.pack(">IBB", len(content) + 2, 1, control) + content
    return struct.pack(">BBI", 4, 0, len(value)) + value


def saying(*pieces):
    """Answers a search with these bytes."""

    def speak(event):
        connection = event.assoc.dul.socket.socket
        try:
            for piece in pieces:
                connection.sendall(piece)
        except OSError:  # they have hung up: that is what we hope for
            pass
        yield 0x0000, None

    return evt.EVT_C_FIND, speak


def command(field, data_set=0x0001):
    """An encoded command set: what an answer to the first message says."""
    elements = [
        (0x0002, StudyRootQueryRetrieveInformationModelFind.encode() + b"\0"),
        (0x0100, struct.pack("<H", field)),
        (0x0120, struct.pack("<H", 1)),
        (0x0800, struct.pack("<H", data_set)),
        (0x0900, struct.pack("<H", 0xFF00)),
    ]
    return b"".join(struct.pack("<HHI", 0, tag, len(value)) + value for tag, value in elements)


HOSTILE = {
    "a PDU of 4 GiB": [struct.pack(">BBI", 4, 0, 0xFFFFFFFF), *[bytes(1 << 20)] * 64],
    "an answer without an end": [fragment(command(0x8020), 3), *[fragment(bytes(100_000), 0)] * 640],
    "a command without an end": [fragment(bytes(16_000), 1)] * 4000,
    "an instance that nobody asked for": [fragment(command(0x0001), 3), *[fragment(bytes(9), 0)] * 9],
    "a request to us": [fragment(command(0x0030, 0x0101), 3)],
    "an empty fragment": [struct.pack(">BBIIB", 4, 0, 5, 1, 1)],
    "no command at all": [fragment(b"\xff" * 100, 3)],
    "half a PDU": [struct.pack(">BBI", 4, 0, 1000) + b"half"],
    "no PDU": [b"HTTP/1.1 200 OK\r\n\r\n"],
}


@pytest.mark.parametrize("pieces", HOSTILE.values(), ids=HOSTILE.keys())
def test_what_is_no_answer_ends_the_search_at_once(pieces, monkeypatch):
    monkeypatch.setattr(requestor.BoundedSocket, "seconds", 1.0)
    with node(saying(*pieces)) as source:
        begun = time.monotonic()
        tracemalloc.start()
        with pytest.raises(NotReached, match=r"PACS at .* does not answer a search as it should"):
            find_studies(source, ANYTHING)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert time.monotonic() - begun < 150
        assert peak < 8_000_000


def test_answers_faster_than_they_are_read_are_bounded(monkeypatch):
    monkeypatch.setattr(answers, "MOST_WAITING_BYTES", 1_000_000)
    monkeypatch.setattr(search, "MOST_STUDIES", 100_000)
    monkeypatch.setattr(search, "_words", lambda _: time.sleep(0.002) or {})
    one = fragment(command(0x8020, 0x0101), 3)  # and none of them with a study
    with node(saying(*[one * 1000] * 30)) as source, pytest.raises(NotReached):
        find_studies(source, ANYTHING)


def test_answers_without_an_end_are_no_more_than_the_most(monkeypatch):
    monkeypatch.setattr(search, "MOST_STUDIES", 20)
    told = []

    def endless(event):
        while not event.is_cancelled and event.assoc.is_established:
            told.append(1)
            answer = Dataset()
            answer.QueryRetrieveLevel = "STUDY"
            answer.NumberOfStudyRelatedInstances = None
            yield 0xFF00, answer
            time.sleep(0.01)  # 4000 take longer than a machine stands still

    with node((evt.EVT_C_FIND, endless)) as source:
        assert find_studies(source, ANYTHING) == []
    assert len(told) < 4000


def test_answers_drop_by_drop_end_in_time(monkeypatch):
    monkeypatch.setattr(search, "SEARCH_SECONDS", 1.0)

    def slow(event):
        while event.assoc.is_established:
            time.sleep(0.3)
            answer = Dataset()
            answer.QueryRetrieveLevel = "STUDY"
            yield 0xFF00, answer

    with node((evt.EVT_C_FIND, slow)) as source, pytest.raises(NotReached, match="takes too long"):
        find_studies(source, ANYTHING)


def sending(film, number):
    """A C-GET that gives so many instances, each another one."""

    def give(event):
        del event
        yield number
        for one in range(number):
            film.SOPInstanceUID = film.file_meta.MediaStorageSOPInstanceUID = f"1.2.1.1.{one + 1}"
            yield 0xFF00, film

    return evt.EVT_C_GET, give


def test_what_is_fetched_goes_to_the_disk_and_leaves_nothing_behind(home, film):
    film.StudyInstanceUID = STUDY.uid
    with node(sending(film, 3)) as source:
        got = list(fetch(home, source, STUDY, Listening(port=0), name="PACS"))
    assert [one.kept for one in got] == ["new"] * 3
    assert not [path for path in (home.folder / "blobs").rglob("*") if path.is_file() and "part" in str(path)]


def test_instances_without_an_end_are_no_more_than_the_most(home, film, monkeypatch):
    film.StudyInstanceUID = STUDY.uid
    monkeypatch.setattr(fetching, "MOST_INSTANCES", 3)
    with node(sending(film, 200)) as source, pytest.raises(NotReached, match=r"sends more than .* instances"):
        list(fetch(home, source, STUDY, Listening(port=0), name="PACS"))
    with home.database.read() as session:
        assert len(instances.of_study(session, STUDY.uid)) == 3


def test_an_instance_that_is_too_large_is_not_kept(home, film, monkeypatch):
    film.StudyInstanceUID = STUDY.uid
    monkeypatch.setattr(requestor, "settings", lambda: SimpleNamespace(max_file_bytes=2000))
    with node(sending(film, 1)) as source, pytest.raises(NotReached):
        list(fetch(home, source, STUDY, Listening(port=0), name="PACS"))
    assert not [path for path in (home.folder / "blobs").rglob("*") if path.is_file()]


def test_a_move_that_only_says_it_moves_ends(home, monkeypatch):
    monkeypatch.setattr(fetching, "STALLED_SECONDS", 1.0)

    sent = []

    def stall(event):
        """Instead of an answer to the C-MOVE: that it is still going on, for ever."""
        if sent or b"1.2.840.10008.5.1.4.1.2.2.2" not in bytes(event.data) or event.data[0] != 4:
            return
        sent.append(1)
        for _ in range(3000):
            try:
                event.assoc.dul.socket.socket.sendall(fragment(command(0x8021, 0x0101), 3))
            except (OSError, AttributeError):
                return
            time.sleep(0.1)

    entity = AE(ae_title="PACS")
    entity.add_supported_context(StudyRootQueryRetrieveInformationModelMove)
    begun = time.monotonic()
    with serving(entity, (evt.EVT_DATA_RECV, stall)) as port:
        source = Dimse(kind="dimse", ae_title="PACS", host=HOST, port=port)
        with pytest.raises(NotReached, match="answers and sends nothing"):
            list(fetch(home, source, STUDY, Listening(port=0), name="PACS"))
    assert time.monotonic() - begun < 150
