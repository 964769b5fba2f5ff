"""What is due arrives, once and byte for byte, whatever the receiver does meanwhile."""

import http.server
import socket
import threading
import time
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
import structlog
from pydicom import Dataset, dcmread, dcmwrite
from pydicom.uid import CTImageStorage, JPEG2000Lossless, SecondaryCaptureImageStorage
from pynetdicom import AE, evt

from camlucida.errors import InvalidConfiguration, NotReached, UnknownDestination
from camlucida.examples.phantom.dicom import write_radiograph
from camlucida.examples.phantom.radiograph import radiograph
from camlucida.pacs import dicomweb, dimse, requestor
from camlucida.pacs.configuration import Configuration, DicomWeb, Dimse
from camlucida.pacs.send import Sender, destination_named, send_to
from camlucida.pacs.verdict import Fate, of_status
from camlucida.store import deliveries, instances
from camlucida.store.tables import DeliveryRow, DeliveryState, Origin
from orthanc import HOST, Orthanc, free_port
from scp import serving
from storescp import StoreScp
from waiting import until

DX = "1.2.840.10008.5.1.4.1.1.1.1"
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


@pytest.fixture
def home(new_home, tmp_path):
    opened = new_home(tmp_path / "home")
    yield opened
    opened.close()


@pytest.fixture
def files(tmp_path):
    """Four films as files, the last compressed as JPEG 2000."""
    paths = []
    for seed in range(4):
        paths.append(tmp_path / f"film-{seed}.dcm")
        write_radiograph(radiograph(seed, rows=64), paths[-1])
    dataset = dcmread(paths[-1])
    dataset.compress(JPEG2000Lossless, generate_instance_uid=False)
    dataset.save_as(paths[-1])
    return paths


@pytest.fixture
def want(home):
    """Keeps files and wants them delivered."""

    def want_files(paths, *names):
        ids = [instances.take(home, path, Origin.IMPORTED).id for path in paths]
        with home.database.write() as session:
            for one in ids:
                for name in names:
                    deliveries.want(session, one, name)
        return ids

    return want_files


def states(home):
    """State, tries and reason of every delivery."""
    with home.database.read() as session:
        return [
            (row.state, row.tries, row.reason) for row in session.query(DeliveryRow).order_by(DeliveryRow.id)
        ]


def node(receiver, **options):
    port = getattr(receiver, "dicom_port", None) or receiver.port
    return Dimse(kind="dimse", ae_title=receiver.ae_title, host=HOST, port=port, **options)


def web(url, **options):
    return DicomWeb(kind="dicomweb", url=url, **options)


def content(file):
    """The data set of a Part 10 file, behind the file meta group."""
    return file[144 + dcmread(BytesIO(file)).file_meta.FileMetaInformationGroupLength :]


@pytest.mark.parametrize("way", ["c-store", "stow-rs"])
def test_instances_arrive_byte_for_byte_and_once(home, files, want, orthanc, way):
    want(files, "PACS")
    destination = node(orthanc) if way == "c-store" else web(orthanc.dicomweb_url)
    assert [outcome.fate for outcome in send_to(home, "PACS", destination)] == [Fate.KEPT] * 4
    assert list(send_to(home, "PACS", destination)) == []  # all is said
    assert states(home) == [(DeliveryState.SENT, 1, "")] * 4
    for path in files:
        uid = dcmread(path, stop_before_pixels=True).SOPInstanceUID
        assert content(orthanc.file(uid)) == content(path.read_bytes())
    assert len(orthanc.stored()) == 4


@pytest.mark.parametrize("way", ["c-store", "stow-rs"])
def test_sending_again_is_the_same_object(home, files, want, orthanc, way):
    ids = want(files[:2], "PACS")
    destination = node(orthanc) if way == "c-store" else web(orthanc.dicomweb_url)
    list(send_to(home, "PACS", destination))
    with home.database.write() as session:
        assert deliveries.again(session, "PACS", ids, even_sent=True) == 2  # as after a crash
    assert [one.fate for one in send_to(home, "PACS", destination)] == [Fate.KEPT] * 2
    assert len(orthanc.stored()) == 2


def test_a_syntax_that_is_refused_is_sent_uncompressed_with_the_same_pixels_and_uid(
    home, files, want, tmp_path
):
    want(files[3:], "SCP")
    with StoreScp(tmp_path, {DX: ["LittleEndianImplicit"]}) as receiver:
        (outcome,) = send_to(home, "SCP", node(receiver))
        assert outcome.fate is Fate.KEPT
        got, sent = dcmread(receiver.received[0]), dcmread(files[3])
    assert got.file_meta.TransferSyntaxUID == "1.2.840.10008.1.2"
    assert got.SOPInstanceUID == sent.SOPInstanceUID
    np.testing.assert_array_equal(got.pixel_array, sent.pixel_array)


def test_an_uncompressed_syntax_is_written_in_the_one_that_is_accepted(home, files, want, tmp_path):
    want(files[:1], "SCP")
    with StoreScp(tmp_path, {DX: ["LittleEndianImplicit"]}) as receiver:
        assert [one.fate for one in send_to(home, "SCP", node(receiver))] == [Fate.KEPT]
        assert dcmread(receiver.received[0]) == dcmread(files[0])


@pytest.mark.parametrize("also", [[], [SecondaryCaptureImageStorage]])
def test_a_class_that_is_not_accepted_is_given_up_with_the_reason(home, files, want, tmp_path, also):
    """Whether others are accepted in the same association, or nothing at all."""
    accepted = {CTImageStorage: ["LittleEndianImplicit"]}
    if also:
        captured = dcmread(files[0])
        captured.SOPClassUID = captured.file_meta.MediaStorageSOPClassUID = SecondaryCaptureImageStorage
        captured.SOPInstanceUID = captured.file_meta.MediaStorageSOPInstanceUID = "1.2.3.4"
        captured.save_as(tmp_path / "capture.dcm")
        accepted[SecondaryCaptureImageStorage] = ["LocalEndianExplicit"]
        files = [tmp_path / "capture.dcm", *files]
    want(files, "SCP")
    with StoreScp(tmp_path, accepted) as receiver:
        fates = [one.fate for one in send_to(home, "SCP", node(receiver))]
        assert len(receiver.received) == len(also)
    assert fates == [Fate.KEPT] * len(also) + [Fate.NEVER] * 4
    state, tries, reason = states(home)[-1]
    assert (state, tries) == (DeliveryState.GIVEN_UP, 1)
    assert "does not accept Digital X-Ray Image Storage - For Presentation in JPEG 2000" in reason


def test_a_file_without_its_meta_group_is_sent_with_one(home, files, want, orthanc, tmp_path):
    dataset = dcmread(files[0])
    with (tmp_path / "bare.dcm").open("wb") as bare:
        dcmwrite(bare, Dataset(dataset), implicit_vr=True, little_endian=True)
    want([tmp_path / "bare.dcm"], "PACS")
    assert [one.fate for one in send_to(home, "PACS", node(orthanc))] == [Fate.KEPT]
    assert orthanc.stored() == [dataset.SOPInstanceUID]


@contextmanager
def answering(statuses, wait=lambda: None):
    """A storage SCP that waits, then answers with these statuses in turn, then success.

    Gives its node and what came.
    """
    came = []
    left = list(statuses)

    def answer(event):
        came.append(event.request.AffectedSOPInstanceUID)
        wait()
        status = left.pop(0) if left else 0x0000
        if status is None:
            event.assoc.abort()
            return 0x0000
        return status

    entity = AE(ae_title="SCP")
    entity.add_supported_context(DX)
    with serving(entity, (evt.EVT_C_STORE, answer)) as port:
        yield Dimse(kind="dimse", ae_title="SCP", host=HOST, port=port), came


def test_warnings_are_kept_full_disks_are_tried_again_and_refusals_are_final(home, files, want):
    want(files[:3], "SCP")
    with answering([0xB000, 0xA700, 0xC123]) as (destination, came):
        fates = [one.fate for one in send_to(home, "SCP", destination)]
        assert fates == [Fate.KEPT, Fate.LATER, Fate.NEVER]
        assert states(home)[1:] == [
            (DeliveryState.WAITING, 1, "The receiver is out of resources (A700)."),
            (DeliveryState.GIVEN_UP, 1, "The receiver cannot understand the object (C123)."),
        ]
        soon = datetime.now(UTC) + timedelta(seconds=6)
        assert [one.fate for one in send_to(home, "SCP", destination, moment=soon)] == [Fate.KEPT]
    assert len(came) == 4


@pytest.mark.parametrize(
    ("status", "fate"),
    [
        *((status, "kept") for status in (0x0000, 0xB007, 0x0111)),
        *((status, "later") for status in (0xA702, 0x0110)),
        *((status, "never") for status in (0xA900, 0xCFFF, 0x0122, 0x0124)),
    ],
)
def test_every_status_has_its_meaning(status, fate):
    found = of_status(status)
    assert found.fate == fate
    assert (f"{status:04X}" in found.reason) is (fate != "kept")


def test_one_object_that_breaks_the_association_does_not_hold_up_the_others(home, files, want):
    want(files[:3], "SCP")
    with answering([None]) as (destination, came):
        assert [one.fate for one in send_to(home, "SCP", destination)] == [Fate.LATER, Fate.KEPT, Fate.KEPT]
    assert len(came) == 3
    assert states(home)[0][:2] == (DeliveryState.WAITING, 1)


def test_a_receiver_that_ends_every_association_is_put_off(home, files, want):
    want(files[:2], "SCP")
    entity = AE(ae_title="SCP")
    entity.add_supported_context(DX)
    with serving(entity, (evt.EVT_ACCEPTED, lambda event: event.assoc.abort())) as port:
        destination = Dimse(kind="dimse", ae_title="SCP", host=HOST, port=port)
        assert [one.fate for one in send_to(home, "SCP", destination)] == [Fate.LATER] * 2
    assert [state[:2] for state in states(home)] == [(DeliveryState.WAITING, 1)] * 2


@contextmanager
def silent():
    """A port that takes connections and says nothing."""
    with socket.create_server((HOST, 0)) as server:
        yield server.getsockname()[1]


def test_a_receiver_that_is_silent_or_absent_is_told_in_a_sentence(home, files, want, monkeypatch):
    monkeypatch.setattr(requestor, "ANSWER_SECONDS", 0.5)
    monkeypatch.setattr(dicomweb, "TIMEOUT", (0.5, 0.5))
    want(files[:1], "A", "B", "C", "D", "E")
    absent = free_port()
    with silent() as port:
        destinations = {
            "A": Dimse(kind="dimse", ae_title="GONE", host=HOST, port=absent),
            "B": Dimse(kind="dimse", ae_title="MUTE", host=HOST, port=port),
            "C": web(f"http://{HOST}:{absent}/dicom-web"),
            "D": web(f"http://{HOST}:{port}/dicom-web"),
            "E": Dimse(kind="dimse", ae_title="LOST", host="no.such.host.invalid", port=104),
        }
        reasons = [one.reason for name, to in destinations.items() for one in send_to(home, name, to)]
    assert f"GONE at {HOST}:{absent} is not reached: nobody answers" in reasons[0]
    assert "takes the connection but no association" in reasons[1]
    assert "is not reached: nobody answers" in reasons[2]
    assert "broke off" in reasons[3]
    assert "no such host" in reasons[4]
    assert {state[:2] for state in states(home)} == {(DeliveryState.WAITING, 1)}


def test_a_receiver_that_stops_reading_does_not_hold_the_sender(home, want, tmp_path, monkeypatch):
    """It accepts the association and then reads nothing: the window of TCP fills up."""
    monkeypatch.setattr(requestor, "ANSWER_SECONDS", 1.0)
    path = tmp_path / "large.dcm"
    write_radiograph(radiograph(1, rows=2400), path)  # 11 MB
    want([path], "SCP")
    entity = AE(ae_title="SCP")
    entity.add_supported_context(DX)
    stalled = threading.Event()

    def stall(event):
        del event
        stalled.wait(300)  # in the thread that reads

    with serving(entity, (evt.EVT_DATA_RECV, stall_after(stall))) as port:
        begun = time.monotonic()
        destination = Dimse(kind="dimse", ae_title="SCP", host=HOST, port=port)
        try:
            fates = [one.fate for one in send_to(home, "SCP", destination)]
            assert fates == [Fate.LATER]
            assert time.monotonic() - begun < 150
        finally:
            stalled.set()


def stall_after(stall):
    came = []

    def handler(event):
        came.append(1)
        if len(came) > 1:  # the association request is read
            stall(event)

    return handler


def test_a_node_that_does_not_know_us_says_what_to_do(home, files, want, orthanc):
    want(files[:1], "PACS")
    (outcome,) = send_to(home, "PACS", node(orthanc, calling_ae_title="STRANGER"))
    assert "it does not know our AE title" in outcome.reason
    assert states(home)[0][0] == DeliveryState.WAITING


def test_a_dead_destination_does_not_hold_up_another(home, files, want, orthanc, monkeypatch):
    monkeypatch.setattr(requestor, "ANSWER_SECONDS", 600.0)
    want(files, "PACS", "MUTE")
    with silent() as port:
        mute = Dimse(kind="dimse", ae_title="MUTE", host=HOST, port=port)
        sender = Sender(home, Configuration(destination={"MUTE": mute, "PACS": node(orthanc)}))
        sender.start()
        until(lambda: [state[0] for state in states(home)].count(DeliveryState.SENT) == 4)
        tried = {state[1] for state in states(home) if state[0] == DeliveryState.WAITING}
        assert tried == {0}  # MUTE is still listened to, and has said nothing
    sender.stop(120)  # MUTE has hung up: it is not waited for any more
    assert len(orthanc.stored()) == 4


@pytest.mark.slow
@pytest.mark.parametrize("way", ["c-store", "stow-rs"])
def test_a_pacs_killed_and_restarted_meanwhile_gets_everything_once(
    home, want, orthanc, tmp_path, monkeypatch, way
):
    monkeypatch.setattr(deliveries, "BACK_OFF", (timedelta(seconds=0.3), timedelta(seconds=0.5)))
    source = tmp_path / "film.dcm"
    write_radiograph(radiograph(1, rows=32), source)
    paths = []
    for number in range(120):
        dataset = dcmread(source)
        dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = f"1.2.3.{number + 1}"
        paths.append(tmp_path / f"{number}.dcm")
        dataset.save_as(paths[-1])
    want(paths, "PACS")
    destination = node(orthanc) if way == "c-store" else web(orthanc.dicomweb_url)
    sender = Sender(home, Configuration(destination={"PACS": destination}))
    with structlog.testing.capture_logs() as logs:
        sender.start()
        for number in (20, 60):  # in the middle
            until(lambda n=number: sum(state[0] == DeliveryState.SENT for state in states(home)) > n)
            orthanc.kill()
            time.sleep(0.5)
            orthanc.start()
        until(lambda: all(state[0] == DeliveryState.SENT for state in states(home)))
        sender.stop(120)
    assert sorted(orthanc.stored()) == sorted(f"1.2.3.{n + 1}" for n in range(120))
    assert {state[0] for state in states(home)} == {DeliveryState.SENT}
    assert sum(line["instances"] for line in logs if line["event"] == "sent") == 120
    assert "1.2.3." not in str(logs)
    assert "PHANTOM" not in str(logs).upper()


def test_a_sender_goes_on_where_it_was_stopped(home, files, want):
    want(files[:3], "SCP")
    with answering([], lambda: sender._stop.wait(120)) as (destination, came):
        sender = Sender(home, Configuration(destination={"SCP": destination}))
        sender.start()
        until(lambda: came)
        sender.stop(120)
        assert len(came) == 1
        assert [one.fate for one in send_to(home, "SCP", destination)] == [Fate.KEPT] * 2
    assert len(set(came)) == 3


def test_two_stations_of_one_home_send_each_object_once(home, files, want):
    want(files[:3], "SCP")
    with answering([], lambda: time.sleep(0.3)) as (destination, came):
        senders = [Sender(home, Configuration(destination={"SCP": destination})) for _ in range(2)]
        for sender in senders:
            sender.start()
        until(lambda: all(state[0] == DeliveryState.SENT for state in states(home)))
        for sender in senders:
            sender.stop(120)
    assert len(came) == len(set(came)) == 3
    assert [tries for _, tries, _ in states(home)] == [1, 1, 1]


class Web:
    """An HTTP server that answers STOW-RS as it is told, and remembers the requests' headers."""

    def __init__(self, status, body=b"", headers=()):
        self.requests = []
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                got = self.rfile.read(int(self.headers["Content-Length"]))
                outer.requests.append((dict(self.headers), got))
                self.send_response(status)
                for name, value in headers:
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer((HOST, 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://{HOST}:{self.server.server_port}/dicom-web"

    def __enter__(self):
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()


def failed_item(reason, uid="1.2.3"):
    return (
        b'{"00081198":{"vr":"SQ","Value":[{"00081155":{"vr":"UI","Value":["%s"]},'
        b'"00081197":{"vr":"US","Value":[%d]}}]}}' % (uid.encode(), reason)
    )


@pytest.mark.parametrize(
    ("status", "body", "state", "words"),
    [
        (200, b"", DeliveryState.SENT, ""),
        (202, b"", DeliveryState.WAITING, "does not say that it keeps it"),
        (409, failed_item(0x0122), DeliveryState.GIVEN_UP, "does not support the SOP class (0122)"),
        (409, failed_item(0xA700), DeliveryState.WAITING, "out of resources (A700)"),
        (202, failed_item(0xC000), DeliveryState.GIVEN_UP, "cannot understand the object (C000)"),
        (400, b"<html>", DeliveryState.GIVEN_UP, "refuses the object (HTTP 400)"),
        (500, b"[[[", DeliveryState.WAITING, "failed (HTTP 500)"),
        (503, b"", DeliveryState.WAITING, "busy or down (HTTP 503)"),
        (404, b"", DeliveryState.WAITING, "has nothing there (HTTP 404)"),
        (302, b"", DeliveryState.WAITING, "sends us elsewhere (HTTP 302)"),
    ],
)
def test_every_answer_to_stow_has_its_meaning(home, files, want, status, body, state, words):
    want(files[:1], "WEB")
    body = body.replace(b"1.2.3", str(dcmread(files[0]).SOPInstanceUID).encode())
    with Web(status, body, [("Location", "http://127.0.0.1:1/")]) as server:
        list(send_to(home, "WEB", web(server.url)))
    found = states(home)[0]
    assert found[0] == state
    assert words in found[2]


def test_credentials_come_from_the_environment_and_are_told_to_nobody(home, files, want, monkeypatch):
    monkeypatch.setenv("PACS_TOKEN", "s3cret")
    monkeypatch.setattr(deliveries, "BACK_OFF", (timedelta(hours=1),))
    want(files[:2], "WEB")
    with Web(401) as server, structlog.testing.capture_logs() as logs:
        destination = web(server.url, token_variable="PACS_TOKEN")  # noqa: S106 - its name
        sender = Sender(home, Configuration(destination={"WEB": destination}))
        sender.start()
        until(lambda: logs)
        sender.stop(120)
        assert server.requests[0][0]["Authorization"] == "Bearer s3cret"
        assert len(server.requests) == 1  # the second would fare no better
    assert "refuses our credentials (HTTP 401)" in states(home)[1][2]
    assert "PACS_TOKEN" in states(home)[1][2]
    assert "s3cret" not in f"{logs}{states(home)}{destination}"
    unset = web(server.url, token_variable="NOT_SET")  # noqa: S106 - its name
    with pytest.raises(InvalidConfiguration, match="NOT_SET"), dicomweb.opened(unset):
        pytest.fail("it was opened")


def test_a_password_goes_to_a_server_that_asks_for_it(home, files, want, tmp_path, monkeypatch):
    monkeypatch.setenv("PACS_PASSWORD", "öffne dich")
    options = {"AuthenticationEnabled": True, "RegisteredUsers": {"camlucida": "öffne dich"}}
    with Orthanc(tmp_path / "locked", options=options) as locked:
        want(files[:1], "WEB")
        destination = web(locked.dicomweb_url, user="camlucida", password_variable="PACS_PASSWORD")  # noqa: S106
        assert [one.fate for one in send_to(home, "WEB", destination)] == [Fate.KEPT]


def test_a_damaged_kept_file_is_not_sent(home, files, want, orthanc):
    want(files[:2], "PACS")
    blob = next(path for path in Path(home.folder / "blobs").rglob("*") if path.is_file())
    blob.write_bytes(blob.read_bytes()[:-2] + b"no")
    fates = sorted(one.fate for one in send_to(home, "PACS", node(orthanc)))
    assert fates == [Fate.KEPT, Fate.NEVER]
    assert len(orthanc.stored()) == 1


def test_an_unknown_destination_is_named_with_those_there_are():
    configuration = Configuration(destination={"PACS": web("http://127.0.0.1/dicom-web")})
    with pytest.raises(UnknownDestination, match="no destination “PASC”; there are: PACS"):
        destination_named(configuration, "PASC")


def test_nothing_is_accepted_is_told_apart_from_nobody_is_there(tmp_path):
    with StoreScp(tmp_path, {CTImageStorage: ["LittleEndianImplicit"]}) as receiver:
        pairs = [(DX, "1.2.840.10008.1.2"), (CTImageStorage, "1.2.840.10008.1.2")]
        assert dimse.negotiated(node(receiver), pairs) == {pairs[1]}
        assert dimse.negotiated(node(receiver), pairs[:1]) == set()
    with pytest.raises(NotReached):
        dimse.negotiated(node(receiver), pairs)
