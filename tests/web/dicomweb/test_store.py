"""Messages that are broken, hostile or only partly good: the good parts are kept, and each is told."""

import asyncio
import socket
from urllib.parse import urlsplit

import pydicom
import pytest

from camlucida.errors import DiskFull
from camlucida.examples.phantom.dicom import write_radiograph
from camlucida.examples.phantom.radiograph import radiograph
from camlucida.settings import settings
from camlucida.store.blobs import Part
from camlucida.store.tables import InstanceRow
from camlucida.web.dicomweb import store

FAILED, KEPT, OTHERS = "00081198", "00081199", "0008119A"


@pytest.fixture
def film(tmp_path):
    """A new film, and its data set."""

    def make(seed, **changes):
        path = tmp_path / f"{seed}.dcm"
        write_radiograph(radiograph(seed, rows=64), path)
        dataset = pydicom.dcmread(path)
        for keyword, value in changes.items():
            setattr(dataset, keyword, value)
        dataset.save_as(path)
        return path.read_bytes(), dataset

    return make


def reasons(told, sequence):
    return [item["00081197"]["Value"][0] for item in told.get(sequence, {"Value": []})["Value"]]


def kept_uids(told):
    return [item["00081155"]["Value"][0] for item in told.get(KEPT, {"Value": []})["Value"]]


def senders(served, uid):
    with served.home.database.read() as session:
        rows = session.query(InstanceRow).filter_by(sop_instance_uid=str(uid)).order_by(InstanceRow.id).all()
    return [(row.sender, row.origin, row.intent, row.conflicting) for row in rows]


def test_a_broken_part_among_good_ones_harms_none(served, send, film):
    (first, one), (second, two) = film(1), film(2)
    answer = send(served, first, b"no DICOM at all", first[: len(first) // 2][:200], second)
    assert answer.status_code == 202
    assert kept_uids(answer.json()) == [one.SOPInstanceUID, two.SOPInstanceUID]
    assert reasons(answer.json(), OTHERS) == [0xC000, 0xC000]
    assert senders(served, one.SOPInstanceUID) == [("tests", "stow-rs", "waiting", False)]


def test_an_instance_of_another_study_is_told_by_its_uid(served, send, film):
    content, dataset = film(3)
    other = send(served, content, path="/studies/1.2.3")
    assert other.status_code == 409
    assert reasons(other.json(), FAILED) == [0xA900]
    assert other.json()[FAILED]["Value"][0]["00081155"]["Value"] == [dataset.SOPInstanceUID]
    assert senders(served, dataset.SOPInstanceUID) == []
    right = send(served, content, path=f"/studies/{dataset.StudyInstanceUID}")
    assert right.status_code == 200
    assert right.json()["00081190"]["Value"][0].endswith(f"/dicom-web/studies/{dataset.StudyInstanceUID}")


def test_another_content_under_a_known_uid_is_kept_apart_and_said(served, send, film):
    content, dataset = film(4)
    changed, _ = film(4, PatientName="Other^Name")
    assert send(served, content).status_code == 200
    answer = send(served, changed)
    assert answer.status_code == 202
    (item,) = answer.json()[KEPT]["Value"]
    assert item["00081196"]["Value"] == [0xB000]
    assert [row[3] for row in senders(served, dataset.SOPInstanceUID)] == [False, True]
    study = served.dicomweb().search_for_instances(dataset.StudyInstanceUID)
    assert len(study) == 1
    shown = served.dicomweb().retrieve_instance(
        dataset.StudyInstanceUID, dataset.SeriesInstanceUID, dataset.SOPInstanceUID
    )
    assert shown.PatientName == dataset.PatientName


def post(served, content, content_type='multipart/related; type="application/dicom"; boundary=b', **headers):
    with served.http() as http:
        return http.post(
            "/dicom-web/studies", content=content, headers={"Content-Type": content_type, **headers}
        )


def part(content, head=b"Content-Type: application/dicom\r\n"):
    return b"--b\r\n" + head + b"\r\n" + content + b"\r\n"


def test_a_message_that_breaks_off_keeps_what_was_whole(served, film):
    content, dataset = film(5)
    answer = post(served, part(content) + part(content)[:-100])
    assert answer.status_code == 202
    assert kept_uids(answer.json()) == [dataset.SOPInstanceUID]
    assert "closing boundary" in answer.headers["warning"]
    assert senders(served, dataset.SOPInstanceUID)


@pytest.mark.parametrize(
    ("content", "content_type", "status"),
    [
        (b"", 'multipart/related; type="application/dicom"; boundary=b', 400),
        (b"--b--\r\n", 'multipart/related; type="application/dicom"; boundary=b', 400),
        (b"--b\r\n", 'multipart/related; type="application/dicom"', 400),
        (b"--b\r\n", 'multipart/related; type="application/dicom"; boundary=' + "x" * 71, 400),
        (b"--b\r\nA: " + b"x" * 100_000, 'multipart/related; type="application/dicom"; boundary=b', 400),
        (b"x" * 100_000, 'multipart/related; type="application/dicom"; boundary=b', 400),
        (b"--b\r\n", 'multipart/related; type="application/dicom+xml"; boundary=b', 415),
        (b"--b\r\n", 'multipart/related; type="application/dicom+json"; boundary=b', 415),
        (b"--b\r\n", "multipart/form-data; boundary=b", 415),
        (b"{}", "application/json", 415),
        (b"x", "", 415),
    ],
)
def test_what_is_no_message_is_a_sentence(served, content, content_type, status):
    answer = post(served, content, content_type)
    assert answer.status_code == status
    assert answer.json()["detail"]


def test_a_message_within_a_message_is_a_failed_part(served, film):
    content, dataset = film(6)
    nested = b"--c\r\nContent-Type: application/dicom\r\n\r\n" + content + b"\r\n--c--"
    sent = part(nested, b'Content-Type: multipart/related; boundary="c"\r\n') + part(content) + b"--b--"
    answer = post(served, sent)
    assert answer.status_code == 202
    assert reasons(answer.json(), OTHERS) == [0xC000]
    assert kept_uids(answer.json()) == [dataset.SOPInstanceUID]


def test_many_parts_are_bounded(served, monkeypatch):
    monkeypatch.setattr(store, "MOST_PARTS", 5)
    answer = post(served, part(b"x") * 50 + b"--b--")
    assert answer.status_code == 409
    assert len(reasons(answer.json(), OTHERS)) == 5
    assert "more than 5 parts" in answer.headers["warning"]


def test_what_a_part_says_of_its_length_is_not_believed(served, film):
    content, _ = film(7)
    head = b"Content-Type: application/dicom\r\nContent-Length: 4294967296\r\n"
    assert post(served, part(content, head) + b"--b--").status_code == 200


def test_a_message_that_says_it_is_endless_is_refused_at_once(served):
    address = urlsplit(served.url)
    with socket.create_connection((address.hostname, address.port), 120) as connection:
        connection.sendall(
            f"POST /dicom-web/studies HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {served.token}\r\n"
            'Content-Type: multipart/related; type="application/dicom"; boundary=b\r\n'
            "Content-Length: 1000000000000\r\n\r\n".encode()
        )
        assert connection.recv(1000).startswith(b"HTTP/1.1 413")


def test_a_part_that_is_too_large_is_told_and_leaves_nothing(served, film, monkeypatch):
    content, _ = film(8)
    monkeypatch.setenv("CAMLUCIDA_MAX_FILE_BYTES", str(len(content) - 1))
    settings.cache_clear()
    try:
        answer = post(served, part(content) + b"--b--")
    finally:
        monkeypatch.undo()
        settings.cache_clear()
    assert answer.status_code == 409
    assert reasons(answer.json(), OTHERS) == [0xA700]
    assert not list((served.home.folder / "blobs" / "parts").iterdir())


def test_a_full_disk_is_told_and_the_sender_keeps_the_instance(served, film, monkeypatch):
    content, dataset = film(9)

    def full(*_):
        raise DiskFull

    monkeypatch.setattr(Part, "write", full)
    answer = post(served, part(content) + b"--b--")
    assert answer.status_code == 409
    assert reasons(answer.json(), OTHERS) == [0xA700]
    assert senders(served, dataset.SOPInstanceUID) == []


def test_a_silent_client_is_not_waited_for_without_end(served, monkeypatch):
    monkeypatch.setattr(store, "SILENCE_SECONDS", 0.3)
    address = urlsplit(served.url)
    with socket.create_connection((address.hostname, address.port), 120) as connection:
        connection.sendall(
            f"POST /dicom-web/studies HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {served.token}\r\n"
            'Content-Type: multipart/related; type="application/dicom"; boundary=b\r\n'
            "Content-Length: 1000\r\n\r\n--b\r\n".encode()
        )
        answer = connection.recv(1000)
    assert answer.startswith(b"HTTP/1.1 400")
    assert not list((served.home.folder / "blobs" / "parts").iterdir())


def test_a_body_without_a_length_is_taken_as_it_comes(served, film):
    content, dataset = film(10)
    sent = part(content) + b"--b--"
    answer = post(served, (sent[at : at + 1000] for at in range(0, len(sent), 1000)))
    assert answer.status_code == 200
    assert kept_uids(answer.json()) == [dataset.SOPInstanceUID]


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("uid", ["../../../etc/passwd", "1.2/../3", "1" * 65, "", "1.2.\x00"])
def test_a_uid_that_is_none_is_a_broken_part(served, film, uid):
    content, dataset = film(11)
    old = dataset.StudyInstanceUID.encode()
    new = uid.encode()[: len(old)].ljust(len(old), b"\0") if len(uid) <= len(old) else b"a" * len(old)
    answer = post(served, part(content.replace(old, new)) + b"--b--")
    assert answer.status_code == 409
    assert reasons(answer.json(), OTHERS) == [0xC000]


def test_a_client_that_accepts_no_json_is_told_before_anything_is_kept(served, film):
    content, dataset = film(12)
    answer = post(served, part(content) + b"--b--", Accept="application/dicom+xml")
    assert answer.status_code == 406
    assert senders(served, dataset.SOPInstanceUID) == []


def test_a_client_of_the_field_stores_and_reads_the_answer(served, film):
    _, dataset = film(13)
    told = served.dicomweb().store_instances([dataset])
    assert told.ReferencedSOPSequence[0].ReferencedSOPInstanceUID == dataset.SOPInstanceUID
    assert "FailedSOPSequence" not in told


def test_parts_that_come_at_the_same_time_are_kept_once(served, film):
    content, dataset = film(14)

    async def all_at_once():
        return await asyncio.gather(
            *(asyncio.to_thread(post, served, part(content) + b"--b--") for _ in range(8))
        )

    answers = asyncio.run(all_at_once())
    assert {answer.status_code for answer in answers} == {200}
    assert len(senders(served, dataset.SOPInstanceUID)) == 1
